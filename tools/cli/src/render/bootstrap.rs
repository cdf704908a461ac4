//! The whole file.

use serde_json::{Value, json};

use super::common::socket_address;
use super::duration::seconds;
use super::options::RenderOptions;
use super::{broker, edge, listeners, metrics, otlp, overload, region, stats, yaml};
use crate::blueprint::Blueprint;

/// How often freed memory is returned to the system, and how much at once: more than accumulates.
const RELEASE_SECONDS: u64 = 1;
const RELEASED_BYTES_MAX: u64 = 1 << 30;

/// The Envoy configuration of `blueprint`, below `header` as comment lines.
pub fn render(blueprint: &Blueprint, options: &RenderOptions, header: &str) -> String {
    let header = header.to_owned() + &broker::comment(blueprint);
    document(&bootstrap(blueprint, options), &header)
}

/// A file with `value`, below `header` as comment lines.
pub(super) fn document(value: &Value, header: &str) -> String {
    let comment: String = header.lines().map(|line| format!("# {line}\n")).collect();
    comment + &yaml::document(value)
}

pub(super) fn bootstrap(blueprint: &Blueprint, options: &RenderOptions) -> Value {
    let regions = blueprint.endpoints.iter();
    let clusters: Vec<Value> = regions
        .map(|endpoint| region::cluster(endpoint, blueprint, options))
        .chain(options.metrics_port.map(|_| metrics::cluster(options)))
        .chain(options.collector.iter().map(otlp::cluster))
        .chain(
            blueprint
                .settings
                .broker
                .as_ref()
                .map(|_| broker::cluster(&options.broker)),
        )
        .collect();
    json!({
        "node": { "id": "envoy-bedrock", "cluster": "envoy-bedrock" },
        "admin": {
            "address": socket_address("127.0.0.1", options.admin_port),
            "ignore_global_conn_limit": true,
        },
        // Each cluster has hundreds of counters, most of which stay at zero.
        "deferred_stat_options": { "enable_deferred_creation_stats": true },
        // Otherwise Envoy keeps the memory of its busiest minute until it ends. The allocator
        // returns what it has not needed for five minutes.
        "memory_allocator_manager": {
            "bytes_to_release": RELEASED_BYTES_MAX,
            "memory_release_interval": seconds(RELEASE_SECONDS),
        },
        "stats_config": stats::config(),
        "overload_manager": overload::config(options.max_heap),
        "layered_runtime": edge::runtime(options.runtime),
        "static_resources": {
            "listeners": listeners::listeners(blueprint, options),
            "clusters": clusters,
        },
    })
}
