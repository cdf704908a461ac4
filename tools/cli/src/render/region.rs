//! Region clusters: one for each endpoint, shared by every model that uses it.

use envoy_bedrock::contract::names::{METADATA_CLUSTER, METADATA_NAMESPACE};
use envoy_bedrock::contract::settings::{DeploymentSettings, Settings};
use serde_json::{Value, json};

use super::common::{CONNECTION_BUFFER_BYTES, socket_address};
use super::duration::seconds;
use super::edge;
use super::filter;
use super::options::{HostPort, RenderOptions};
use super::upstream::{
    CONNECT_TIMEOUT_SECONDS, IDLE_TIMEOUT_SECONDS, circuit_breakers, codec, connection_options,
    resolved_by_dns, transport_socket,
};
use crate::blueprint::{Blueprint, Endpoint};

/// Less than half of an endpoint's addresses may be ejected at once, so never all of them. A region
/// that has just recovered must be usable when the next one fails; a region that is down is skipped
/// anyway, attempt by attempt.
const EJECTION_MAX_PERCENT: u32 = 49;
/// What a region may send on a stream before Envoy has passed it on. Envoy's default is 16 MiB,
/// while all streams share 24 MiB: two slow clients would have stopped the responses of all others.
const RESPONSE_WINDOW_BYTES: u64 = 256 * 1024;
/// A port on which nothing ever listens.
const REFUSING_PORT: u16 = 1;

/// Whether some request may have another place to go to when this endpoint has no address.
fn is_replaceable(endpoint: &Endpoint, settings: &Settings) -> bool {
    let is_here = |deployment: &DeploymentSettings| deployment.cluster == endpoint.cluster;
    settings.models.iter().any(|model| {
        let deployments = &model.deployments;
        model.routing.has_fallbacks() || deployments.iter().any(is_here) && !deployments.iter().all(is_here)
    })
}

/// The region cluster of an endpoint, with the signer role before its upstream codec.
pub(super) fn cluster(endpoint: &Endpoint, blueprint: &Blueprint, options: &RenderOptions) -> Value {
    let replaceable = is_replaceable(endpoint, &blueprint.settings);
    let emulator = options.emulators.get(&endpoint.cluster);
    let server_name = endpoint.server_name.as_deref();
    let signer = filter::signer(&blueprint.settings, options);
    json!({
        "name": endpoint.cluster,
        "connect_timeout": seconds(CONNECT_TIMEOUT_SECONDS),
        "lb_policy": "LEAST_REQUEST",
        "cluster_type": resolved_by_dns(),
        "per_connection_buffer_limit_bytes": CONNECTION_BUFFER_BYTES,
        "upstream_connection_options": connection_options(),
        "circuit_breakers": circuit_breakers(),
        "outlier_detection": outlier_detection(),
        "common_lb_config": replaceable.then(|| json!({ "healthy_panic_threshold": { "value": 0 } })),
        "load_assignment": load_assignment(endpoint, replaceable, emulator),
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protocol(endpoint, &signer),
        },
        "transport_socket": server_name.map(|name| transport_socket(name, &options.upstream_ca, None)),
    })
}

/// An address that cannot be reached is ejected for a while. Its responses do not count: 429 and
/// 5xx are about one model or one account, not about the address.
fn outlier_detection() -> Value {
    json!({
        "split_external_local_origin_errors": true,
        "consecutive_local_origin_failure": 5,
        "enforcing_consecutive_local_origin_failure": 100,
        "enforcing_local_origin_success_rate": 0,
        "enforcing_consecutive_5xx": 0,
        "enforcing_consecutive_gateway_failure": 0,
        "enforcing_success_rate": 0,
        // How often Envoy checks whether an ejection is over.
        "interval": seconds(1),
        "base_ejection_time": seconds(5),
        "max_ejection_time": seconds(30),
        "max_ejection_percent": EJECTION_MAX_PERCENT,
    })
}

/// The endpoint's addresses. If another region can take over, there is also an address of lower
/// priority that refuses at once. Without it, Envoy would respond to an attempt on a region that has
/// no address with 503, and make no other.
fn load_assignment(endpoint: &Endpoint, replaceable: bool, emulator: Option<&HostPort>) -> Value {
    let (host, port) = emulator.map_or((&endpoint.host, endpoint.port), |emulator| {
        (&emulator.host, emulator.port)
    });
    let locality = |priority: Option<u32>, host: &str, port: u16| {
        json!({
            "priority": priority,
            "lb_endpoints": [{
                "endpoint": { "address": socket_address(host, port) },
                "metadata": {
                    "filter_metadata": { METADATA_NAMESPACE: { METADATA_CLUSTER: endpoint.cluster } },
                },
            }],
        })
    };
    let mut localities = vec![locality(None, host, port)];
    if replaceable {
        localities.push(locality(Some(1), "127.0.0.1", REFUSING_PORT));
    }
    json!({
        "cluster_name": endpoint.cluster,
        "endpoints": localities,
        // One usable address of the first priority is enough; the second priority is for when
        // none is usable.
        "policy": replaceable.then(|| json!({ "overprovisioning_factor": 100_000 })),
    })
}

fn protocol(endpoint: &Endpoint, signer: &Value) -> Value {
    let negotiated = || {
        json!({
            "http2_protocol_options": {
                "initial_stream_window_size": RESPONSE_WINDOW_BYTES,
                "connection_keepalive": { "interval": seconds(30), "timeout": seconds(10) },
            },
        })
    };
    let plain = endpoint.server_name.is_none();
    json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "common_http_protocol_options": edge::response_options(IDLE_TIMEOUT_SECONDS),
        "auto_config": (!plain).then(negotiated),
        "explicit_http_config": plain.then(|| json!({ "http_protocol_options": {} })),
        "http_filters": [signer, codec()],
    })
}
