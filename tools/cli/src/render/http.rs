//! The HTTP connection manager: the limits that hold before the filter has judged a request.

use std::time::Duration;

use envoy_bedrock::contract::names::HEADER_RETRY;
use envoy_bedrock::stream::drain::UPLOAD_SECONDS;
use serde_json::{Value, json};

use super::common::buffer_bytes;
use super::duration::{duration, seconds};
use super::failover::Failover;
use super::options::RenderOptions;
use super::{access_log, local_replies, routes, wasm};
use crate::blueprint::Blueprint;

/// Time limit for the headers of a request. A client that needs longer only occupies the
/// connection.
const HEADERS_TIMEOUT_SECONDS: u64 = 10;
/// How long a connection may be open without a request.
const CONNECTION_IDLE_SECONDS: u64 = 900;
/// How much the listener's idle timeout exceeds those of the routes, so that the routes' apply.
const STREAM_IDLE_SLACK: Duration = Duration::from_secs(30);
/// Concurrent requests per HTTP/2 connection.
const STREAMS_MAX: u64 = 256;
/// The largest flow-control window of HTTP/2.
const WINDOW_MAX_BYTES: u64 = (1 << 31) - 1;
/// What a client may send on all streams of a connection before it has to wait for a window update.
const CONNECTION_WINDOW_BYTES: u64 = 8 * 1024 * 1024;

pub(super) fn connection_manager(
    blueprint: &Blueprint,
    failovers: &[Failover],
    options: &RenderOptions,
) -> Value {
    json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "gateway",
            "codec_type": "AUTO",
            // The filter judges the path exactly as sent, and the signature covers the path that is
            // sent.
            "normalize_path": false,
            "merge_slashes": false,
            "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
            // No client is internal: Envoy's own headers are never accepted from one.
            "use_remote_address": true,
            "skip_xff_append": true,
            "internal_address_config": { "unix_sockets": false },
            "generate_request_id": false,
            "server_header_transformation": "PASS_THROUGH",
            "request_headers_timeout": seconds(HEADERS_TIMEOUT_SECONDS),
            "request_timeout": seconds(UPLOAD_SECONDS),
            "stream_idle_timeout": duration(blueprint.request_timeout.saturating_add(STREAM_IDLE_SLACK)),
            "common_http_protocol_options": { "idle_timeout": seconds(CONNECTION_IDLE_SECONDS) },
            "http2_protocol_options": {
                "max_concurrent_streams": STREAMS_MAX,
                // Also Envoy's buffer limit per stream: a longer body would be refused whatever the
                // other limits say.
                "initial_stream_window_size": buffer_bytes(blueprint).min(WINDOW_MAX_BYTES),
                "initial_connection_window_size": CONNECTION_WINDOW_BYTES,
            },
            "http_filters": [wasm::gateway(&blueprint.settings, options), router()],
            "route_config": {
                "name": "bedrock",
                "virtual_hosts": [{
                    "name": "bedrock",
                    "domains": ["*"],
                    "request_body_buffer_limit": buffer_bytes(blueprint),
                    "response_headers_to_remove": [HEADER_RETRY],
                    "routes": routes::routes(blueprint, failovers),
                }],
            },
            "local_reply_config": local_replies::config(),
            "access_log": access_log::access_logs(options),
        },
    })
}

/// The last HTTP filter of a connection manager.
pub(super) fn router() -> Value {
    json!({
        "name": "envoy.filters.http.router",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            "suppress_envoy_headers": true,
        },
    })
}
