//! What listeners and clusters share.

use serde_json::{Value, json};

use crate::blueprint::Blueprint;

/// Room above the body limit for the buffers that a body passes.
const BUFFER_HEADROOM_BYTES: u64 = 1024 * 1024;

/// Size of the buffers that a body passes: above the body limit, so that the filter refuses a
/// larger body before Envoy does.
pub(super) fn buffer_bytes(blueprint: &Blueprint) -> u64 {
    let limit = blueprint.settings.body_limit_bytes;
    limit.saturating_add(BUFFER_HEADROOM_BYTES).min(u32::MAX.into())
}

/// An address to listen on or to connect to.
pub(super) fn socket_address(address: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": address, "port_value": port } })
}
