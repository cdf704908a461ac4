//! Header maps. A map exists only in its phase: reading or writing an absent one returns
//! `BadArgument`, except that all its pairs read as none (an inconsistency of Envoy's).

use super::call::{HostResult, Import, Invocation, giving, import};
use crate::abi::{MapKind, Status, decode_pairs, encode_pairs};
use crate::header_map::HeaderMap;
use crate::host::Host;

pub(super) const TABLE: &[Import] = &[
    giving("proxy_get_header_map_value", "iiiii>i", 3, value),
    giving("proxy_get_header_map_pairs", "iii>i", 1, pairs),
    import("proxy_set_header_map_pairs", "iii>i", set_pairs),
    import("proxy_replace_header_map_value", "iiiii>i", replace),
];

fn value(call: &mut Invocation<'_, '_>) -> HostResult {
    let kind = MapKind::from_word(call.word(0))?;
    let name = call.bytes(1)?;
    let logging = call.host().stream().is_some_and(|stream| stream.logging);
    let absent = if logging {
        Status::NotFound
    } else {
        Status::BadArgument
    };
    let name = String::from_utf8_lossy(&name);
    let value = readable(call.host(), kind)
        .ok_or(absent)?
        .first(&name)
        .ok_or(Status::NotFound)?
        .to_vec();
    call.give(3, &value)
}

fn pairs(call: &mut Invocation<'_, '_>) -> HostResult {
    let kind = MapKind::from_word(call.word(0))?;
    let block = readable(call.host(), kind).map_or_else(Vec::new, |map| encode_pairs(map.pairs()));
    call.give(1, &block)
}

fn set_pairs(call: &mut Invocation<'_, '_>) -> HostResult {
    let kind = MapKind::from_word(call.word(0))?;
    let pairs = decode_pairs(&call.block(1)?);
    call.said.push(format!("{} pairs", pairs.len()));
    for (name, value) in &pairs {
        check(call, name, value);
    }
    *writable(call.host(), kind)? = HeaderMap::new(pairs);
    Ok(())
}

fn replace(call: &mut Invocation<'_, '_>) -> HostResult {
    let kind = MapKind::from_word(call.word(0))?;
    let name = call.bytes(1)?;
    let value = call.bytes(3)?;
    check(call, &name, &value);
    writable(call.host(), kind)?.replace(&name, &value);
    Ok(())
}

/// Traps on a header that no codec can send. Envoy accepts it here and fails later.
pub(super) fn check(call: &mut Invocation<'_, '_>, name: &[u8], value: &[u8]) {
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let name_ok = !name.is_empty() && name.strip_prefix(b":").unwrap_or(name).iter().all(token);
    let value_ok = !value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n'));
    if !name_ok || !value_ok {
        let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        call.refuse(format!(
            "expected a header that can be sent, but found {name:?}: {value:?}"
        ));
    }
}

fn readable(host: &mut Host, kind: MapKind) -> Option<&HeaderMap> {
    if kind == MapKind::Answer {
        return host.answer.as_ref().map(|(headers, _)| headers);
    }
    let stream = host.stream()?;
    let logging = stream.logging;
    let (map, open) = match kind {
        MapKind::Request => (&stream.request.headers, stream.request.headers_open || logging),
        MapKind::RequestTrailers => (&stream.request.trailers, stream.request.trailers_open && !logging),
        MapKind::Response => (&stream.response.headers, stream.response.headers_open || logging),
        MapKind::ResponseTrailers => (
            &stream.response.trailers,
            stream.response.trailers_open || logging,
        ),
        MapKind::Answer | MapKind::Other => return None,
    };
    open.then_some(map)
}

fn writable(host: &mut Host, kind: MapKind) -> Result<&mut HeaderMap, Status> {
    let stream = host
        .stream()
        .filter(|stream| !stream.logging)
        .ok_or(Status::BadArgument)?;
    let (map, open) = match kind {
        MapKind::Request => (&mut stream.request.headers, stream.request.headers_open),
        MapKind::RequestTrailers => (&mut stream.request.trailers, stream.request.trailers_open),
        MapKind::Response => (&mut stream.response.headers, stream.response.headers_open),
        MapKind::ResponseTrailers => (&mut stream.response.trailers, stream.response.trailers_open),
        MapKind::Answer | MapKind::Other => return Err(Status::BadArgument),
    };
    if open { Ok(map) } else { Err(Status::BadArgument) }
}
