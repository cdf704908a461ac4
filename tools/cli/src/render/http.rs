//! The HTTP connection manager: the limits that hold before the filter has judged a request.

use envoy_bedrock::contract::names::{HEADER_BACKOFF, HEADER_RETRY};
use envoy_bedrock::stream::drain::UPLOAD_SECONDS;
use serde_json::{Value, json};

use super::common::CONNECTION_BUFFER_BYTES;
use super::duration::seconds;
use super::itinerary::Legs;
use super::options::RenderOptions;
use super::{access_log, edge, filter, local_replies, readiness, routes};
use crate::blueprint::Blueprint;

/// Time limit for the headers of a request. A client that needs longer only occupies the
/// connection.
const HEADERS_TIMEOUT_SECONDS: u64 = 10;
/// How long an upload may be silent. Once a request is admitted, the timeouts of its route apply
/// instead, whether they are shorter or longer.
const UPLOAD_IDLE_SECONDS: u64 = 60;

pub(super) fn connection_manager(blueprint: &Blueprint, options: &RenderOptions) -> Value {
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
            "stream_idle_timeout": seconds(UPLOAD_IDLE_SECONDS),
            "max_request_headers_kb": edge::HEADERS_MAX_KIBIBYTES,
            "common_http_protocol_options": edge::http_options(),
            "http2_protocol_options": edge::http2_options(),
            "http_filters": [readiness::filter(), filter::gateway(&blueprint.settings, options), router()],
            "route_config": {
                "name": "bedrock",
                // The last route names a cluster that does not exist.
                "validate_clusters": false,
                "cluster_specifier_plugins": [Legs::of(blueprint).plugin()],
                "virtual_hosts": [{
                    "name": "bedrock",
                    "domains": ["*"],
                    "request_body_buffer_limit": body_buffer_bytes(blueprint.settings.body_limit_bytes),
                    "include_request_attempt_count": true,
                    "response_headers_to_remove": [HEADER_RETRY, HEADER_BACKOFF],
                    "routes": routes::routes(blueprint),
                }],
            },
            "local_reply_config": local_replies::config(),
            "access_log": access_log::access_logs(options),
        },
    })
}

/// Envoy's limit for a body, above the filter's, so that the filter is the one that refuses. Twice
/// the body and what is read at once: Envoy 1.37 counts a buffered body twice when it decides
/// whether to keep it for a retry.
fn body_buffer_bytes(body_limit_bytes: u64) -> u64 {
    let body = body_limit_bytes.saturating_add(2 * CONNECTION_BUFFER_BYTES);
    body.saturating_mul(2).min(u32::MAX.into())
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
