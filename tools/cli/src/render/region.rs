//! Region clusters: one for each endpoint, shared by every model that uses it.

use std::net::IpAddr;

use envoy_bedrock::contract::names::{METADATA_CLUSTER, METADATA_NAMESPACE};

use super::bootstrap::{buffer_bytes, socket_address};
use super::duration::seconds;
use super::failover::Failover;
use super::options::{HostPort, RenderOptions};
use super::yaml::{Node, list, map};
use crate::blueprint::{Blueprint, Endpoint};

/// Time for a connection to be made, TLS included, before another region is asked.
pub(crate) const CONNECT_TIMEOUT_SECONDS: u64 = 2;
/// Time that an unused connection is kept: less than the 60 s after which AWS's load balancers close theirs.
const IDLE_SECONDS: u64 = 50;
/// Requests, waiting ones, connections and retries that a cluster may have: more than one Envoy can make, since
/// Envoy's own numbers (1024, and 3 retries) would turn a busy minute into refusals.
const CONCURRENCY_MAX: u64 = 100_000;
/// Less than half of an endpoint's addresses may be left alone at once, so never all of them: a region that has just come
/// back must be there when the next one goes, and a region that is gone is passed over in any case, attempt by attempt.
const EJECTION_MAX_PERCENT: u32 = 49;
/// Where nothing listens, ever.
const REFUSING_PORT: u16 = 1;

/// Whether some sequence can go elsewhere when this endpoint has no address.
pub(crate) fn is_replaceable(endpoint: &Endpoint, failovers: &[Failover]) -> bool {
    let uses = |failover: &&Failover| failover.sequence.contains(&endpoint.cluster);
    failovers
        .iter()
        .filter(uses)
        .any(|failover| !failover.has_one_region())
}

pub(crate) fn cluster(
    endpoint: &Endpoint,
    replaceable: bool,
    blueprint: &Blueprint,
    options: &RenderOptions,
) -> Node {
    map! {
        "name" => endpoint.cluster.as_str(),
        "connect_timeout" => seconds(CONNECT_TIMEOUT_SECONDS),
        "lb_policy" => "LEAST_REQUEST",
        "cluster_type" => resolved_by_dns(),
        "per_connection_buffer_limit_bytes" => buffer_bytes(blueprint),
        "upstream_connection_options" => map! {
            "tcp_keepalive" => map! { "keepalive_time" => 30u32, "keepalive_interval" => 5u32, "keepalive_probes" => 3u32 },
        },
        "circuit_breakers" => circuit_breakers(),
        "outlier_detection" => outlier_detection(),
        "common_lb_config" => replaceable.then(|| map! { "healthy_panic_threshold" => map! { "value" => 0u16 } }),
        "load_assignment" => load_assignment(endpoint, replaceable, options.emulators.get(&endpoint.cluster)),
        "typed_extension_protocol_options" => map! {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions" => protocol(endpoint),
        },
        "transport_socket" => endpoint.server_name.as_deref().map(|name| transport_socket(name, &options.upstream_ca, None)),
    }
}

pub(crate) fn circuit_breakers() -> Node {
    map! {
        "thresholds" => list![map! {
            "max_connections" => CONCURRENCY_MAX,
            "max_pending_requests" => CONCURRENCY_MAX,
            "max_requests" => CONCURRENCY_MAX,
            "max_retries" => CONCURRENCY_MAX,
        }],
    }
}

/// Every address of a name is used, and its connections end when it leaves the answer. This type stands for
/// `STRICT_DNS`, whose settings are deprecated where they used to be.
pub(crate) fn resolved_by_dns() -> Node {
    map! {
        "name" => "envoy.clusters.dns",
        "typed_config" => map! {
            "@type" => "type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster",
            "dns_lookup_family" => "V4_PREFERRED",
            "respect_dns_ttl" => true,
            "dns_failure_refresh_rate" => map! { "base_interval" => seconds(1), "max_interval" => seconds(10) },
        },
    }
}

/// An address that cannot be reached is left alone for a while. What it answers says nothing about it: 429 and 5xx
/// are about one model or one account.
fn outlier_detection() -> Node {
    map! {
        "split_external_local_origin_errors" => true,
        "consecutive_local_origin_failure" => 5u32,
        "enforcing_consecutive_local_origin_failure" => 100u32,
        "enforcing_local_origin_success_rate" => 0u32,
        "enforcing_consecutive_5xx" => 0u32,
        "enforcing_consecutive_gateway_failure" => 0u32,
        "enforcing_success_rate" => 0u32,
        // How often it is looked whether the time is over.
        "interval" => seconds(1),
        "base_ejection_time" => seconds(5),
        "max_ejection_time" => seconds(30),
        "max_ejection_percent" => EJECTION_MAX_PERCENT,
    }
}

/// The endpoint's addresses. Where another region can step in, there is also an address of a lower priority that
/// refuses at once. Without it a composite cluster would pass over a region that has no address (Envoy 1.40) or answer
/// 503 (before): attempt n would then not be at the n-th deployment of the plan, which is the one it is signed for.
fn load_assignment(endpoint: &Endpoint, replaceable: bool, emulator: Option<&HostPort>) -> Node {
    let (host, port) = emulator.map_or((&endpoint.host, endpoint.port), |emulator| {
        (&emulator.host, emulator.port)
    });
    let locality = |priority: Option<u32>, host: &str, port: u16| {
        map! {
            "priority" => priority,
            "lb_endpoints" => list![map! {
                "endpoint" => map! { "address" => socket_address(host, port) },
                "metadata" => map! {
                    "filter_metadata" => map! { METADATA_NAMESPACE => map! { METADATA_CLUSTER => endpoint.cluster.as_str() } },
                },
            }],
        }
    };
    let mut localities = vec![locality(None, host, port)];
    if replaceable {
        localities.push(locality(Some(1), "127.0.0.1", REFUSING_PORT));
    }
    map! {
        "cluster_name" => endpoint.cluster.as_str(),
        "endpoints" => localities,
        // One usable address of the first priority is enough: the second is for when there is none.
        "policy" => replaceable.then(|| map! { "overprovisioning_factor" => 100_000u32 }),
    }
}

fn protocol(endpoint: &Endpoint) -> Node {
    let negotiated = || {
        map! {
            "http2_protocol_options" => map! {
                "connection_keepalive" => map! { "interval" => seconds(30), "timeout" => seconds(10) },
            },
        }
    };
    let plain = endpoint.server_name.is_none();
    map! {
        "@type" => "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "common_http_protocol_options" => map! { "idle_timeout" => seconds(IDLE_SECONDS) },
        "auto_config" => (!plain).then(negotiated),
        "explicit_http_config" => plain.then(|| map! { "http_protocol_options" => map! {} }),
    }
}

/// TLS with the certificate checked for `name`. An address is no server name, but may be in a certificate.
pub(crate) fn transport_socket(name: &str, ca: &str, alpn: Option<Node>) -> Node {
    let is_address = name.parse::<IpAddr>().is_ok();
    map! {
        "name" => "envoy.transport_sockets.tls",
        "typed_config" => map! {
            "@type" => "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni" => (!is_address).then_some(name),
            "common_tls_context" => map! {
                "tls_params" => map! { "tls_minimum_protocol_version" => "TLSv1_2" },
                "alpn_protocols" => alpn,
                "validation_context" => map! {
                    "trusted_ca" => map! { "filename" => ca },
                    "match_typed_subject_alt_names" => list![map! {
                        "san_type" => if is_address { "IP_ADDRESS" } else { "DNS" },
                        "matcher" => map! { "exact" => name },
                    }],
                },
            },
        },
    }
}
