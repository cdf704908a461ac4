//! Limits of what clients may do before a request is judged. `comments.rs` has the reasons, which
//! are written into the file.
//!
//! Envoy's advice for an edge is followed with these exceptions. Names of headers may contain
//! underscores, because LiteLLM's `litellm_user_api_key` does. The windows of HTTP/2 are larger;
//! see [`STREAM_WINDOW_BYTES`]. Connections may get as old as they like and serve any number of
//! requests: a limit would only add handshakes.

use serde_json::{Value, json};

use super::duration::seconds;
use super::runtime::FilterRuntime;

/// How long a connection may be open without a request.
const CONNECTION_IDLE_SECONDS: u64 = 900;
/// Size of the headers of a request or response, in KiB, and their number.
pub(super) const HEADERS_MAX_KIBIBYTES: u32 = 60;
const HEADERS_MAX: u32 = 100;
/// Concurrent requests per HTTP/2 connection.
const STREAMS_MAX: u32 = 100;
/// What a client may send on a stream before it has to wait for a window update: enough for 100
/// Mbit/s over 80 ms. It costs no memory, because a body is buffered whole in any case.
const STREAM_WINDOW_BYTES: u64 = 1024 * 1024;
/// The same for all streams of a connection.
const CONNECTION_WINDOW_BYTES: u64 = 8 * 1024 * 1024;
/// Frames of each kind that cost the client little and the gateway more.
const OUTBOUND_FRAMES_MAX: u32 = 10_000;
const OUTBOUND_CONTROL_FRAMES_MAX: u32 = 1_000;
const EMPTY_FRAMES_MAX: u32 = 1;
const PRIORITY_FRAMES_PER_STREAM_MAX: u32 = 100;
const WINDOW_UPDATES_PER_DATA_FRAME_MAX: u32 = 10;
/// A stream that is reset within this time is premature.
const PREMATURE_SECONDS: u32 = 1;
/// A connection is closed after this many streams if half of them were premature.
const PREMATURE_STREAMS_MAX: u32 = 500;
/// Requests of one connection that are started before other connections have their turn.
const REQUESTS_PER_CYCLE_MAX: u32 = 10;
/// When a client that no longer responds is noticed: after a minute and a half without data.
const KEEPALIVE_SECONDS: u32 = 60;
const KEEPALIVE_INTERVAL_SECONDS: u32 = 10;
const KEEPALIVE_PROBES: u32 = 3;

/// The `common_http_protocol_options` of the listeners for clients.
pub(super) fn http_options() -> Value {
    json!({
        "idle_timeout": seconds(CONNECTION_IDLE_SECONDS),
        "max_headers_count": HEADERS_MAX,
    })
}

/// The `common_http_protocol_options` of a cluster whose idle connections are kept this long.
pub(super) fn response_options(idle_seconds: u64) -> Value {
    json!({
        "idle_timeout": seconds(idle_seconds),
        "max_headers_count": HEADERS_MAX,
        "max_response_headers_kb": HEADERS_MAX_KIBIBYTES,
    })
}

/// The `http2_protocol_options` of the listeners for clients.
pub(super) fn http2_options() -> Value {
    json!({
        "max_concurrent_streams": STREAMS_MAX,
        "initial_stream_window_size": STREAM_WINDOW_BYTES,
        "initial_connection_window_size": CONNECTION_WINDOW_BYTES,
        "max_outbound_frames": OUTBOUND_FRAMES_MAX,
        "max_outbound_control_frames": OUTBOUND_CONTROL_FRAMES_MAX,
        "max_consecutive_inbound_frames_with_empty_payload": EMPTY_FRAMES_MAX,
        "max_inbound_priority_frames_per_stream": PRIORITY_FRAMES_PER_STREAM_MAX,
        "max_inbound_window_update_frames_per_data_frame_sent": WINDOW_UPDATES_PER_DATA_FRAME_MAX,
    })
}

/// Adds to a listener for clients what is not about HTTP.
pub(super) fn limit_connections(listener: &mut Value) {
    listener["connection_balance_config"] = json!({ "exact_balance": {} });
    listener["tcp_keepalive"] = json!({
        "keepalive_time": KEEPALIVE_SECONDS,
        "keepalive_interval": KEEPALIVE_INTERVAL_SECONDS,
        "keepalive_probes": KEEPALIVE_PROBES,
    });
}

/// The limits that Envoy reads from its runtime only.
pub(super) fn runtime(filter: FilterRuntime) -> Value {
    let limits = json!({
        "overload.premature_reset_total_stream_count": PREMATURE_STREAMS_MAX,
        "overload.premature_reset_min_stream_lifetime_seconds": PREMATURE_SECONDS,
        "http.max_requests_per_io_cycle": REQUESTS_PER_CYCLE_MAX,
    });
    // Prometheus' page then omits the namespace of the filter's stats, as for WebAssembly.
    let features = (filter == FilterRuntime::Native)
        .then(|| json!({ "envoy.reloadable_features.dynamic_modules_strip_custom_stat_prefix": true }));
    let layer = |name: &str, values: Value| json!({ "name": name, "static_layer": values });
    let mut layers = vec![layer("limits", limits)];
    layers.extend(features.map(|features| layer("features", features)));
    json!({ "layers": layers })
}
