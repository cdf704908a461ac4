//! What both roles share.

use envoy_bedrock::admission::reject::Reply;
use envoy_bedrock::contract::names::HEADER_REJECTED;
use envoy_bedrock::headers::{HeaderEdit, HeaderPair, pairs};

use crate::abi::{CallError, HeaderMapKind, StreamHandle};
use crate::header_changes::{self, HeaderChange};

/// What Envoy shows of a local reply in its log.
const DETAILS: &str = "envoy_bedrock";

/// How Envoy continues after a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum FilterFlow {
    /// With the next filter.
    Continue,
    /// Not yet. Envoy buffers the body.
    Stop,
}

/// All headers of a map, serialized (see [`pairs`]).
pub(crate) fn serialized_headers(stream: StreamHandle, map: HeaderMapKind) -> Result<Vec<u8>, CallError> {
    stream.with_headers(map, |headers| pairs::serialize(headers.iter().copied()))
}

/// Replaces all headers of a map with serialized `wanted`.
pub(crate) fn replace_headers(
    stream: StreamHandle,
    map: HeaderMapKind,
    wanted: &[u8],
) -> Result<(), CallError> {
    let wanted = pairs::parse(wanted).unwrap_or_default();
    let changes = stream.with_headers(map, |held| header_changes::between(held, &wanted))?;
    for change in changes {
        match change {
            HeaderChange::Set(name, value) => stream.set_header(map, name, value)?,
            HeaderChange::Add(name, value) => stream.add_header(map, name, value)?,
            HeaderChange::Remove(name) => stream.remove_header(map, &name)?,
        }
    }
    Ok(())
}

/// Makes a change of the core to a map.
pub(crate) fn edit_headers(
    stream: StreamHandle,
    map: HeaderMapKind,
    edit: &HeaderEdit,
) -> Result<(), CallError> {
    for name in edit.removed() {
        stream.remove_header(map, name)?;
    }
    for (name, value) in edit.added() {
        stream.add_header(map, name, value)?;
    }
    Ok(())
}

/// Sends a local reply with further headers, marked so that Envoy's `local_reply_config` does not
/// replace its body. Envoy may destroy the stream.
pub(crate) fn send(reply: &Reply, further: &[HeaderPair<'_>], stream: StreamHandle) {
    let _unmarked = stream.set_header(HeaderMapKind::Request, HEADER_REJECTED.as_bytes(), b"1");
    stream.reply(
        reply.status,
        reply.header_pairs().chain(further.iter().copied()),
        &reply.body,
        DETAILS,
    );
}
