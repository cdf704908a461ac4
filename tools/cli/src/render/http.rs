//! HTTP as clients speak it: which limits hold before the filter has judged a request.

use std::time::Duration;

use envoy_bedrock::stream::drain::UPLOAD_SECONDS;

use super::bootstrap::buffer_bytes;
use super::duration::{duration, seconds};
use super::failover::Failover;
use super::options::RenderOptions;
use super::yaml::{Node, list, map};
use super::{access_log, local_replies, routes, wasm};
use crate::blueprint::Blueprint;

/// Time for all headers of a request: whoever needs longer only wants to hold the connection.
const HEADERS_TIMEOUT_SECONDS: u64 = 10;
/// Time that a connection may be open without a request.
const CONNECTION_IDLE_SECONDS: u64 = 900;
/// By how much the listener's bound of silence is above the routes', which are the ones to cut.
const SILENCE_SLACK: Duration = Duration::from_secs(30);
/// Requests at a time on an HTTP/2 connection.
const STREAMS_MAX: u64 = 256;
/// The largest window that HTTP/2 knows.
const WINDOW_MAX_BYTES: u64 = (1 << 31) - 1;
/// What a client may send on all streams of a connection before it hears back.
const CONNECTION_WINDOW_BYTES: u64 = 8 * 1024 * 1024;

pub(crate) fn connection_manager(
    blueprint: &Blueprint,
    failovers: &[Failover],
    options: &RenderOptions,
) -> Node {
    map! {
        "name" => "envoy.filters.network.http_connection_manager",
        "typed_config" => map! {
            "@type" => "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix" => "gateway",
            "codec_type" => "AUTO",
            // The filter judges the path as it was sent, and what is signed is what is sent.
            "normalize_path" => false,
            "merge_slashes" => false,
            "path_with_escaped_slashes_action" => "KEEP_UNCHANGED",
            // Nobody is internal: Envoy's own headers are never taken from a client.
            "use_remote_address" => true,
            "skip_xff_append" => true,
            "internal_address_config" => map! { "unix_sockets" => false },
            "generate_request_id" => false,
            "server_header_transformation" => "PASS_THROUGH",
            "request_headers_timeout" => seconds(HEADERS_TIMEOUT_SECONDS),
            "request_timeout" => seconds(UPLOAD_SECONDS),
            "stream_idle_timeout" => duration(blueprint.request_timeout.saturating_add(SILENCE_SLACK)),
            "common_http_protocol_options" => map! { "idle_timeout" => seconds(CONNECTION_IDLE_SECONDS) },
            "http2_protocol_options" => map! {
                "max_concurrent_streams" => STREAMS_MAX,
                // Also what Envoy buffers of a stream: a longer body would be refused, whatever the other limits say.
                "initial_stream_window_size" => buffer_bytes(blueprint).min(WINDOW_MAX_BYTES),
                "initial_connection_window_size" => CONNECTION_WINDOW_BYTES,
            },
            "http_filters" => list![wasm::gateway(&blueprint.settings, options), router()],
            "route_config" => map! {
                "name" => "bedrock",
                "virtual_hosts" => list![map! {
                    "name" => "bedrock",
                    "domains" => list!["*"],
                    "request_body_buffer_limit" => buffer_bytes(blueprint),
                    "response_headers_to_remove" => list![envoy_bedrock::contract::names::HEADER_RETRY],
                    "routes" => routes::routes(blueprint, failovers),
                }],
            },
            "local_reply_config" => local_replies::config(),
            "access_log" => access_log::access_logs(options),
        },
    }
}

pub(crate) fn router() -> Node {
    map! {
        "name" => "envoy.filters.http.router",
        "typed_config" => map! {
            "@type" => "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            "suppress_envoy_headers" => true,
        },
    }
}
