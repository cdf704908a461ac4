//! Bodies and local responses.

use super::call::{HostResult, Import, Invocation, giving, import};
use super::headers::check;
use crate::abi::{BUFFER_KIND_MAX, Status, decode_pairs};
use crate::header_map::HeaderMap;
use crate::host::{HttpContext, LocalResponse, Side};

pub(super) const TABLE: &[Import] = &[
    giving("proxy_get_buffer_bytes", "iiiii>i", 3, get_buffer),
    import("proxy_set_buffer_bytes", "iiiii>i", set_buffer),
    import("proxy_send_local_response", "iiiiiiii>i", send_local_response),
];

const REQUEST_BODY: u32 = 0;
const RESPONSE_BODY: u32 = 1;
const ANSWER: u32 = 4;
const PLUGIN_CONFIGURATION: u32 = 7;

fn get_buffer(call: &mut Invocation<'_, '_>) -> HostResult {
    let kind = call.word(0);
    let (start, length) = (call.word(1), call.word(2));
    let end = start.checked_add(length).map(|end| end as usize);
    let buffer = buffer(call, kind)?;
    let end = end.ok_or(Status::BadArgument)?.min(buffer.len());
    let bytes = buffer.get(start as usize..end).unwrap_or_default().to_vec();
    call.give(3, &bytes)
}

/// The buffer of this kind. A body outside its callbacks is empty, not missing, as in Envoy.
fn buffer<'a>(call: &'a mut Invocation<'_, '_>, kind: u32) -> Result<&'a [u8], Status> {
    if kind > BUFFER_KIND_MAX {
        return Err(Status::BadArgument);
    }
    let host = call.host();
    match kind {
        REQUEST_BODY | RESPONSE_BODY => {
            let side = host
                .stream()
                .map(|stream| body_side(stream, kind))
                .filter(|side| side.body_open);
            Ok(side.map_or(&[], |side| side.body.as_slice()))
        }
        ANSWER => {
            let answer = host.answer.as_ref();
            answer.map(|(_, body)| body.as_slice()).ok_or(Status::NotFound)
        }
        PLUGIN_CONFIGURATION => host.configuration.as_deref().ok_or(Status::NotFound),
        _ => Err(Status::NotFound),
    }
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
    // Envoy drains the front and prepends, or it appends. It cannot edit the middle.
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
    // Envoy ignores a second local response, and replaces or cuts off a response that has begun.
    let responded = stream.local.is_some() || !stream.response.headers.pairs().is_empty();
    let response = LocalResponse {
        status,
        headers: HeaderMap::new(pairs),
        body,
        details,
    };
    stream.local.get_or_insert(response);
    if responded {
        call.refuse("a local response after the response has begun".to_owned());
    }
    Ok(())
}
