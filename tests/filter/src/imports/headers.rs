//! Header maps. A map is there only in its phase: reads and writes of an absent one answer `BadArgument`, except
//! that its pairs read as none (Envoy's own inconsistency).

use super::{HostResult, Import, Invocation, giving, import};
use crate::abi::{MapKind, Status, decode_pairs, encode_pairs};
use crate::headers::HeaderMap;
use crate::host::Host;

pub(super) const TABLE: &[Import] = &[
    giving("proxy_get_header_map_value", "iiiii>i", 3, value),
    giving("proxy_get_header_map_pairs", "iii>i", 1, pairs),
    import("proxy_get_header_map_size", "ii>i", size),
    import("proxy_set_header_map_pairs", "iii>i", set_pairs),
    import("proxy_add_header_map_value", "iiiii>i", add),
    import("proxy_replace_header_map_value", "iiiii>i", replace),
    import("proxy_remove_header_map_value", "iii>i", remove),
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

fn size(call: &mut Invocation<'_, '_>) -> HostResult {
    let kind = MapKind::from_word(call.word(0))?;
    let bytes = writable(call.host(), kind)?.bytes() as u32;
    call.put(1, bytes)
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

fn add(call: &mut Invocation<'_, '_>) -> HostResult {
    let (kind, name, value) = entry(call)?;
    let map = writable(call.host(), kind)?;
    // Envoy would join both values with a comma.
    if name.starts_with(b":") && map.first(&String::from_utf8_lossy(&name)).is_some() {
        let name = String::from_utf8_lossy(&name).into_owned();
        call.refuse(format!("expected {name} once, but found it added a second time"));
        return Ok(());
    }
    map.add(&name, &value);
    Ok(())
}

fn replace(call: &mut Invocation<'_, '_>) -> HostResult {
    let (kind, name, value) = entry(call)?;
    writable(call.host(), kind)?.replace(&name, &value);
    Ok(())
}

fn remove(call: &mut Invocation<'_, '_>) -> HostResult {
    let kind = MapKind::from_word(call.word(0))?;
    let name = call.bytes(1)?;
    writable(call.host(), kind)?.remove(&name);
    Ok(())
}

fn entry(call: &mut Invocation<'_, '_>) -> Result<(MapKind, Vec<u8>, Vec<u8>), Status> {
    let kind = MapKind::from_word(call.word(0))?;
    let name = call.bytes(1)?;
    let value = call.bytes(3)?;
    check(call, &name, &value);
    Ok((kind, name, value))
}

/// Envoy takes anything here and leaves it to the codec; what no codec sends is refused at once.
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
    match kind {
        MapKind::Grpc => return None,
        MapKind::CallHeaders => return host.answer.as_ref().map(|answer| &answer.headers),
        MapKind::CallTrailers => return host.answer.as_ref().map(|answer| &answer.trailers),
        _ => {}
    }
    let stream = host.stream()?;
    let logging = stream.logging;
    let (map, open) = match kind {
        MapKind::Request => (&stream.request.headers, stream.request.headers_open || logging),
        MapKind::RequestTrailers => (&stream.request.trailers, stream.request.trailers_open && !logging),
        MapKind::Response => (&stream.response.headers, stream.response.headers_open || logging),
        _ => (
            &stream.response.trailers,
            stream.response.trailers_open || logging,
        ),
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
        _ => return Err(Status::BadArgument),
    };
    if open { Ok(map) } else { Err(Status::BadArgument) }
}
