//! The host functions: tables of names, signatures and bodies, and one wrapper around all of them
//! that applies the fault plan and writes the journal. An import that is in no table is a link
//! error, as in Envoy.

mod call;
mod callouts;
mod headers;
mod shared;
mod streams;
mod unserved;
mod values;
mod wasi;

use wasmtime::{Caller, Engine, FuncType, Linker, Val, ValType};

use self::call::{Code, Import, Invocation};
use crate::abi::Status;
use crate::fault::HostFault;
use crate::host::{Host, HostCall};

/// WASI's error number for a pointer outside the memory.
const WASI_FAULT: u32 = 21;

fn proxy() -> impl Iterator<Item = &'static Import> {
    [
        values::TABLE,
        headers::TABLE,
        shared::TABLE,
        streams::TABLE,
        callouts::TABLE,
    ]
    .into_iter()
    .flatten()
}

/// Names and signatures of the proxy-wasm functions that this host serves. A signature is the
/// parameters, `>`, and the results; `i` is i32, `I` is i64.
pub fn host_functions() -> impl Iterator<Item = (&'static str, &'static str)> {
    proxy().map(|import| (import.name, import.signature))
}

/// The same for WASI, in the module `wasi_snapshot_preview1`.
pub fn wasi_functions() -> impl Iterator<Item = (&'static str, &'static str)> {
    wasi::TABLE.iter().map(|import| (import.name, import.signature))
}

/// The proxy-wasm functions that a module may import but not call.
pub fn unserved_functions() -> impl Iterator<Item = (&'static str, &'static str)> {
    unserved::TABLE.iter().copied()
}

/// The only functions that the module may call while the VM starts. Any other call traps, as in
/// Envoy.
pub(crate) const ALLOWED_AT_START: &[&str] = &[
    "proxy_log",
    "fd_write",
    "environ_sizes_get",
    "environ_get",
    "random_get",
];

/// Every function, ready to link.
pub(crate) fn linker(engine: &Engine) -> Linker<Host> {
    let mut linker = Linker::new(engine);
    let unique = "each host function is in one table";
    let wasi = wasi::TABLE
        .iter()
        .map(|import| ("wasi_snapshot_preview1", import));
    for (module, import) in proxy().map(|import| ("env", import)).chain(wasi) {
        let wrapper = |caller: Caller<'_, Host>, params: &[Val], results: &mut [Val]| {
            run(import, caller, params, results)
        };
        let kind = signature(engine, import.signature);
        linker.func_new(module, import.name, kind, wrapper).expect(unique);
    }
    for (name, text) in unserved_functions() {
        let trap = move |_: Caller<'_, Host>, _: &[Val], _: &mut [Val]| {
            Err(wasmtime::Error::msg(format!(
                "{name} was called, which this host does not serve"
            )))
        };
        linker
            .func_new("env", name, signature(engine, text), trap)
            .expect(unique);
    }
    linker
}

/// Before a callback of a call, the `proxy-wasm` crate makes the plugin's context effective, and
/// panics if that fails, which it cannot in Envoy.
fn announces_a_callback(import: &Import, host: &Host, params: &[Val]) -> bool {
    let context = || params[0].unwrap_i32() as u32;
    import.name == "proxy_set_effective_context" && host.answer.is_some() && context() == host.current
}

fn signature(engine: &Engine, text: &str) -> FuncType {
    let (params, results) = text.split_once('>').expect("a signature with a '>'");
    FuncType::new(
        engine,
        params.chars().map(value_type),
        results.chars().map(value_type),
    )
}

fn value_type(letter: char) -> ValType {
    if letter == 'I' { ValType::I64 } else { ValType::I32 }
}

fn run(
    import: &'static Import,
    mut caller: Caller<'_, Host>,
    params: &[Val],
    results: &mut [Val],
) -> wasmtime::Result<()> {
    if caller
        .data()
        .allowed
        .is_some_and(|allowed| !allowed.contains(&import.name))
    {
        return Err(wasmtime::Error::msg(format!(
            "{} was called where it is restricted",
            import.name
        )));
    }
    let fault = if announces_a_callback(import, caller.data(), params) {
        None
    } else {
        caller.data().plan.next(import.name)
    };
    let context = caller.data().subject();
    let mut call = Invocation::new(&mut caller, params);
    let result = match (fault, import.bytes_out) {
        (None, _) => (import.body)(&mut call),
        (Some(HostFault::Status(status)), _) => Err(status.into()),
        (Some(HostFault::Bytes(bytes)), Some(out)) => call.give(out, &bytes),
        (Some(HostFault::Bytes(_)), None) => Err(Status::InternalFailure.into()),
    };
    let Invocation { said, trap, .. } = call;
    let is_wasi = !import.name.starts_with("proxy_");
    let status = match result {
        Ok(()) => Status::Ok as u32,
        Err(Code(code)) if code == Status::InvalidMemoryAccess as u32 && is_wasi => WASI_FAULT,
        Err(Code(code)) => code,
    };
    caller.data_mut().journal.push(HostCall {
        function: import.name,
        context,
        arguments: said,
        status,
    });
    if let Some(result) = results.first_mut() {
        *result = Val::I32(status as i32);
    }
    trap.map_or(Ok(()), Err)
}
