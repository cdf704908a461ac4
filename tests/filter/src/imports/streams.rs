//! Bodies, local responses, and going on with or breaking off a stream.

use super::headers::check;
use super::{HostResult, Import, Invocation, giving, import};
use crate::abi::{BUFFER_KIND_MAX, Status, decode_pairs};
use crate::headers::HeaderMap;
use crate::host::{Context, HttpContext, LocalResponse, Side};

pub(super) const TABLE: &[Import] = &[
    giving("proxy_get_buffer_bytes", "iiiii>i", 3, get_buffer),
    import("proxy_get_buffer_status", "iii>i", buffer_status),
    import("proxy_set_buffer_bytes", "iiiii>i", set_buffer),
    import("proxy_send_local_response", "iiiiiiii>i", send_local_response),
    import("proxy_continue_stream", "i>i", continue_stream),
    import("proxy_close_stream", "i>i", close_stream),
];

const REQUEST_BODY: u32 = 0;
const RESPONSE_BODY: u32 = 1;
const CALL_BODY: u32 = 4;
const VM_CONFIGURATION: u32 = 6;
const PLUGIN_CONFIGURATION: u32 = 7;

fn get_buffer(call: &mut Invocation<'_, '_>) -> HostResult {
    let kind = call.word(0);
    let (start, length) = (call.word(1), call.word(2));
    let end = start.checked_add(length).map(|end| end as usize);
    let bytes = look(call, kind, |buffer| {
        end.map(|end| {
            buffer
                .get(start as usize..end.min(buffer.len()))
                .unwrap_or_default()
                .to_vec()
        })
    })?;
    let bytes = bytes.ok_or(Status::BadArgument)?;
    call.give(3, &bytes)
}

fn buffer_status(call: &mut Invocation<'_, '_>) -> HostResult {
    let kind = call.word(0);
    let length = look(call, kind, <[u8]>::len)? as u32;
    call.put(1, length)?;
    call.put(2, 0)
}

/// Looks at a buffer. A body outside its callbacks is an empty one, not a missing one: so Envoy has it.
fn look<T>(call: &mut Invocation<'_, '_>, kind: u32, act: impl FnOnce(&[u8]) -> T) -> Result<T, Status> {
    if kind > BUFFER_KIND_MAX {
        return Err(Status::BadArgument);
    }
    let host = call.host();
    let buffer = match kind {
        REQUEST_BODY | RESPONSE_BODY => {
            let side = host
                .stream()
                .map(|stream| body_side(stream, kind))
                .filter(|side| side.body_open);
            return Ok(act(side.map_or(&[], |side| &side.body)));
        }
        CALL_BODY => host.answer.as_ref().map(|answer| answer.body.as_slice()),
        VM_CONFIGURATION => Some(&[][..]),
        PLUGIN_CONFIGURATION => host.configuration.as_deref(),
        _ => None,
    };
    buffer.map(act).ok_or(Status::NotFound)
}

fn body_side(stream: &mut HttpContext, kind: u32) -> &mut Side {
    if kind == REQUEST_BODY {
        &mut stream.request
    } else {
        &mut stream.response
    }
}

fn set_buffer(call: &mut Invocation<'_, '_>) -> HostResult {
    let kind = call.word(0);
    let (start, length) = (call.word(1) as usize, call.word(2) as usize);
    let data = call.block(3)?;
    call.said.push(format!("{} bytes", data.len()));
    if !matches!(kind, REQUEST_BODY | RESPONSE_BODY) {
        let status = if kind > BUFFER_KIND_MAX {
            Status::BadArgument
        } else {
            Status::NotFound
        };
        return Err(status.into());
    }
    let stream = call.host().stream().ok_or(Status::BadArgument)?;
    let side = body_side(stream, kind);
    if !side.body_open {
        return Err(Status::BadArgument.into());
    }
    let body = &mut side.body;
    // Envoy drains the front and prepends, or appends, and cannot do anything in the middle.
    if start == 0 {
        body.splice(..length.min(body.len()), data).for_each(drop);
    } else if start >= body.len() {
        body.extend(data);
    } else {
        return Err(Status::BadArgument.into());
    }
    Ok(())
}

fn send_local_response(call: &mut Invocation<'_, '_>) -> HostResult {
    let status = call.word(0);
    let details = String::from_utf8_lossy(&call.bytes(1)?)
        .split_ascii_whitespace()
        .collect::<Vec<_>>()
        .join("_");
    let body = call.bytes(3)?;
    let pairs = decode_pairs(&call.block(5)?);
    call.said.push(format!("{} headers", pairs.len()));
    if !(200..=599).contains(&status) {
        call.refuse(format!("expected a final HTTP status, but found {status}"));
    }
    for (name, value) in &pairs {
        check(call, name, value);
    }
    let Some(stream) = call.host().stream() else {
        call.refuse("a local response outside a stream goes nowhere".to_owned());
        return Ok(());
    };
    // Envoy ignores a second one, and replaces or cuts off a response that has begun.
    let answered = stream.local.is_some() || !stream.response.headers.pairs().is_empty();
    let response = LocalResponse {
        status,
        headers: HeaderMap::new(pairs),
        body,
        details,
    };
    stream.local.get_or_insert(response);
    if answered {
        call.refuse("expected one response per stream, but found a local one as the second".to_owned());
    }
    Ok(())
}

const STREAM_REQUEST: u32 = 0;
const STREAM_RESPONSE: u32 = 1;

fn continue_stream(call: &mut Invocation<'_, '_>) -> HostResult {
    match call.word(0) {
        kind @ (STREAM_REQUEST | STREAM_RESPONSE) => {
            let stream = call.host().stream().ok_or(Status::BadArgument)?;
            let side = if kind == STREAM_REQUEST {
                &mut stream.request
            } else {
                &mut stream.response
            };
            side.resumed = true;
            // Whichever direction goes on, Envoy closes the request.
            stream.request.headers_open = false;
            stream.request.body_open = false;
            stream.request.trailers_open = false;
            Ok(())
        }
        2 => Ok(()),
        3 => Err(Status::Unimplemented.into()),
        _ => Err(Status::BadArgument.into()),
    }
}

fn close_stream(call: &mut Invocation<'_, '_>) -> HostResult {
    if call.word(0) > 3 {
        return Err(Status::BadArgument.into());
    }
    let subject = call.host().subject();
    if let Some(Context::Stream(stream)) = call.host().contexts.get_mut(&subject) {
        stream.reset = true;
    }
    Ok(())
}
