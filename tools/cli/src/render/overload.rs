//! What Envoy does before it runs out of memory. `comments.rs` says why each action is there.

use serde_json::{Value, json};

use super::duration::milliseconds;
use super::heap::HeapLimit;

const HEAP: &str = "envoy.resource_monitors.fixed_heap";
const CONNECTIONS: &str = "envoy.resource_monitors.global_downstream_max_connections";
/// Limit of open client connections. Envoy refuses more before they cost memory.
const CONNECTIONS_MAX: u64 = 10_000;
/// How often the heap is measured. A fast client sends a body of 30 MB in less.
const REFRESH_MILLISECONDS: u64 = 100;
/// Streams whose buffers are larger than 2^20 bytes can be reset.
const TRACKED_POWER_OF_TWO: u32 = 20;

/// How much of the heap is in use when an action begins, and when it is at its full effect.
const SHRINK: f64 = 0.8;
const RESET: (f64, f64) = (0.85, 0.95);
const REFUSE_REQUESTS: f64 = 0.9;
const ABORT_UPLOADS: f64 = 0.95;
const REFUSE_CONNECTIONS: f64 = 0.98;

pub(super) fn config(max_heap: HeapLimit) -> Value {
    json!({
        "refresh_interval": milliseconds(REFRESH_MILLISECONDS),
        "buffer_factory_config": { "minimum_account_to_track_power_of_two": TRACKED_POWER_OF_TWO },
        "resource_monitors": [
            {
                "name": HEAP,
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                    "max_heap_size_bytes": max_heap.bytes(),
                },
            },
            {
                "name": CONNECTIONS,
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                    "max_active_downstream_connections": CONNECTIONS_MAX,
                },
            },
        ],
        "actions": [
            at("envoy.overload_actions.shrink_heap", SHRINK),
            {
                "name": "envoy.overload_actions.reset_high_memory_stream",
                "triggers": [{
                    "name": HEAP,
                    "scaled": { "scaling_threshold": RESET.0, "saturation_threshold": RESET.1 },
                }],
            },
            at("envoy.overload_actions.stop_accepting_requests", REFUSE_REQUESTS),
        ],
        "loadshed_points": [
            at("envoy.load_shed_points.http1_server_abort_dispatch", ABORT_UPLOADS),
            at("envoy.load_shed_points.tcp_listener_accept", REFUSE_CONNECTIONS),
        ],
    })
}

fn at(name: &str, threshold: f64) -> Value {
    json!({ "name": name, "triggers": [{ "name": HEAP, "threshold": { "value": threshold } }] })
}
