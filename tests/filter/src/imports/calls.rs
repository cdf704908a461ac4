//! Outgoing calls. gRPC and foreign functions are there to be refused: the filter has no use for them.

use super::headers::check;
use super::{HostResult, Import, Invocation, giving, import};
use crate::abi::{Status, decode_pairs};
use crate::headers::HeaderMap;
use crate::host::Callout;

pub(super) const TABLE: &[Import] = &[
    import("proxy_http_call", "iiiiiiiiii>i", http_call),
    giving("proxy_get_status", "iii>i", 1, get_status),
    import("proxy_grpc_call", "iiiiiiiiiiii>i", no_cluster),
    import("proxy_grpc_stream", "iiiiiiiii>i", no_cluster),
    import("proxy_grpc_send", "iiii>i", no_token),
    import("proxy_grpc_cancel", "i>i", no_token),
    import("proxy_grpc_close", "i>i", no_token),
    import("proxy_call_foreign_function", "iiiiii>i", call_foreign_function),
];

fn http_call(call: &mut Invocation<'_, '_>) -> HostResult {
    let cluster = String::from_utf8_lossy(&call.bytes(0)?).into_owned();
    let pairs = decode_pairs(&call.block(2)?);
    let body = call.bytes(4)?;
    call.block(6)?;
    let timeout_milliseconds = call.word(8);
    call.put(9, 0)?;
    for (name, value) in &pairs {
        check(call, name, value);
    }
    let headers = HeaderMap::new(pairs);
    let complete = [":path", ":method", ":authority"]
        .iter()
        .all(|name| headers.first(name).is_some());
    if timeout_milliseconds > i32::MAX as u32 || !complete || !call.host().clusters.contains(&cluster) {
        return Err(Status::BadArgument.into());
    }
    let host = call.host();
    host.next_callout += 1;
    let (token, context, root) = (host.next_callout, host.subject(), host.root());
    host.callouts.push(Callout {
        token,
        context,
        root,
        cluster,
        headers,
        body,
        timeout_milliseconds,
    });
    call.put(9, token)
}

fn get_status(call: &mut Invocation<'_, '_>) -> HostResult {
    call.put(0, 0)?;
    call.give(1, b"")
}

fn no_cluster(_: &mut Invocation<'_, '_>) -> HostResult {
    Err(Status::ParseFailure.into())
}

fn no_token(_: &mut Invocation<'_, '_>) -> HostResult {
    Err(Status::BadArgument.into())
}

fn call_foreign_function(call: &mut Invocation<'_, '_>) -> HostResult {
    call.bytes(0)?;
    Err(Status::NotFound.into())
}
