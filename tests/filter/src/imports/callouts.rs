//! HTTP calls of a plugin, and going on with a request that was paused.

use super::call::{HostResult, Import, Invocation, import};
use super::headers::check;
use crate::abi::{Status, decode_pairs};
use crate::header_map::HeaderMap;
use crate::host::{Context, HostCallout};

pub(super) const TABLE: &[Import] = &[
    import("proxy_http_call", "iiiiiiiiii>i", http_call),
    import("proxy_continue_stream", "i>i", continue_stream),
];

fn http_call(call: &mut Invocation<'_, '_>) -> HostResult {
    let cluster = String::from_utf8_lossy(&call.bytes(0)?).into_owned();
    let headers = decode_pairs(&call.block(2)?);
    call.said.push(format!("{} headers", headers.len()));
    let body = call.block(4)?;
    let trailers = decode_pairs(&call.block(6)?);
    let timeout_milliseconds = call.word(8);
    for (name, value) in &headers {
        check(call, name, value);
    }
    if !body.is_empty() || !trailers.is_empty() {
        call.refuse("this host serves calls without a body only".to_owned());
    }
    let headers = HeaderMap::new(headers);
    let required = [":method", ":path", ":authority"];
    if required.iter().any(|name| headers.first(name).is_none()) {
        return Err(Status::BadArgument.into());
    }
    let host = call.host();
    let root = host.subject();
    if !matches!(host.contexts.get(&root), Some(Context::Root { .. })) {
        call.refuse("an answer to a stream's own call is not served".to_owned());
        return Ok(());
    }
    host.next_token += 1;
    let token = host.next_token;
    host.callouts.push(HostCallout {
        token,
        root,
        cluster,
        headers,
        timeout_milliseconds,
    });
    call.put(9, token)
}

const REQUEST: u32 = 0;

/// Envoy goes on after the callback.
fn continue_stream(call: &mut Invocation<'_, '_>) -> HostResult {
    if call.word(0) != REQUEST {
        return Err(Status::BadArgument.into());
    }
    let stream = call.host().stream().ok_or(Status::BadArgument)?;
    let is_paused = stream.request.headers_open && stream.local.is_none();
    stream.resumed = true;
    if !is_paused {
        call.refuse("a request that is not paused cannot go on".to_owned());
    }
    Ok(())
}
