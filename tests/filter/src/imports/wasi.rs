//! The functions of WASI preview 1 that the filter imports. Every Envoy with Wasm offers them.

use super::call::{Code, HostResult, Import, Invocation, import};
use crate::host::LogLine;

pub(super) const TABLE: &[Import] = &[
    import("fd_write", "iiii>i", fd_write),
    import("environ_sizes_get", "ii>i", environ_sizes),
    import("environ_get", "ii>i", environ),
    import("random_get", "ii>i", random),
    import("proc_exit", "i>", proc_exit),
];

const BAD_DESCRIPTOR: HostResult = Err(Code(8));
const INVALID: HostResult = Err(Code(28));

const STANDARD_OUTPUT: u32 = 1;
const STANDARD_ERROR: u32 = 2;

fn fd_write(call: &mut Invocation<'_, '_>) -> HostResult {
    let level = match call.word(0) {
        STANDARD_OUTPUT => 2,
        STANDARD_ERROR => 4,
        _ => return BAD_DESCRIPTOR,
    };
    let (vectors, count) = (call.raw(1), call.raw(2));
    let mut text = Vec::new();
    for index in 0..count {
        let vector = call.read(vectors + index * 8, 8)?;
        let number =
            |at: usize| u32::from_le_bytes([vector[at], vector[at + 1], vector[at + 2], vector[at + 3]]);
        text.extend(call.read(number(0), number(4))?);
    }
    let written = text.len() as u32;
    if written != 0 {
        let text = String::from_utf8_lossy(&text);
        let text = text.strip_suffix('\n').unwrap_or(&text).to_owned();
        call.host().log.push(LogLine { level, text });
    }
    call.put(3, written)
}

fn environ_sizes(call: &mut Invocation<'_, '_>) -> HostResult {
    let count = call.host().environment.len() as u32;
    let bytes = call
        .host()
        .environment
        .iter()
        .map(|(name, value)| name.len() + value.len() + 2)
        .sum::<usize>();
    call.put(0, count)?;
    call.put(1, bytes as u32)
}

fn environ(call: &mut Invocation<'_, '_>) -> HostResult {
    let (mut slot, mut text) = (call.raw(0), call.raw(1));
    for (name, value) in call.host().environment.clone() {
        let entry = format!("{name}={value}\0");
        call.write(slot, &text.to_le_bytes())?;
        call.write(text, entry.as_bytes())?;
        slot += 4;
        text += entry.len() as u32;
    }
    Ok(())
}

const RANDOM_MAX_BYTES: u32 = 64 * 1024;

fn random(call: &mut Invocation<'_, '_>) -> HostResult {
    let length = call.raw(1);
    if length > RANDOM_MAX_BYTES {
        return INVALID;
    }
    let bytes: Vec<u8> = (0..length).map(|_| call.host().next_random()).collect();
    Ok(call.write(call.raw(0), &bytes)?)
}

fn proc_exit(call: &mut Invocation<'_, '_>) -> HostResult {
    let code = call.word(0);
    call.refuse(format!("the module called proc_exit({code})"));
    Ok(())
}
