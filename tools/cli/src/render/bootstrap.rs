//! The whole file.

use super::options::RenderOptions;
use super::yaml::{Node, list, map};
use super::{failover, listeners, metrics, otlp, region, stats};
use crate::blueprint::Blueprint;

/// Connections that clients may hold open together; more are refused before they cost memory.
const DOWNSTREAM_CONNECTIONS_MAX: u64 = 10_000;

/// What is added to the body limit for the buffers it has to fit in.
const BUFFER_HEADROOM_BYTES: u64 = 1024 * 1024;

pub(crate) fn bootstrap(blueprint: &Blueprint, options: &RenderOptions) -> Node {
    let failovers = failover::failovers(&blueprint.settings);
    let regions = blueprint.endpoints.iter().map(|endpoint| {
        region::cluster(
            endpoint,
            region::is_replaceable(endpoint, &failovers),
            blueprint,
            options,
        )
    });
    let clusters: Vec<Node> = regions
        .chain(
            failovers
                .iter()
                .map(|failover| failover::cluster(failover, blueprint, options)),
        )
        .chain(options.metrics_port.map(|_| metrics::cluster(options)))
        .chain(options.collector.iter().map(otlp::cluster))
        .collect();
    map! {
        "node" => map! { "id" => "envoy-bedrock", "cluster" => "envoy-bedrock" },
        "admin" => map! {
            "address" => socket_address("127.0.0.1", options.admin_port),
            "ignore_global_conn_limit" => true,
        },
        // Each cluster has hundreds of counters, most of which never count anything.
        "deferred_stat_options" => map! { "enable_deferred_creation_stats" => true },
        "stats_config" => stats::config(),
        "overload_manager" => map! {
            "resource_monitors" => list![map! {
                "name" => "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config" => map! {
                    "@type" => "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                    "max_active_downstream_connections" => DOWNSTREAM_CONNECTIONS_MAX,
                },
            }],
        },
        "static_resources" => map! {
            "listeners" => listeners::listeners(blueprint, &failovers, options),
            "clusters" => clusters,
        },
    }
}

/// Buffers on the way of a body: above the limit, so that the filter's own refusal is the one that is seen.
pub(crate) fn buffer_bytes(blueprint: &Blueprint) -> u64 {
    let limit = blueprint.settings.body_limit_bytes;
    limit.saturating_add(BUFFER_HEADROOM_BYTES).min(u32::MAX.into())
}

pub(crate) fn socket_address(address: &str, port: u16) -> Node {
    map! { "socket_address" => map! { "address" => address, "port_value" => port } }
}
