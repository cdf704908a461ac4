//! What listeners and clusters share.

use serde_json::{Value, json};

/// How much Envoy reads from a connection at once, and how much it queues for a slow reader before
/// it stops reading from the other side. It does not limit bodies: `request_body_buffer_limit` of
/// the virtual host does.
pub(super) const CONNECTION_BUFFER_BYTES: u64 = 256 * 1024;

/// An address to listen on or to connect to.
pub(super) fn socket_address(address: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": address, "port_value": port } })
}
