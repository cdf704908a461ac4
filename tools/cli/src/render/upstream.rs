//! What clusters share: time limits, name resolution, TLS and the codec.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::common::socket_address;
use super::duration::seconds;

/// Time limit for a connection, TLS handshake included, before the next region is tried.
pub(super) const CONNECT_TIMEOUT_SECONDS: u64 = 2;
/// How long an idle connection is kept: less than the 60 s after which AWS's load balancers close
/// theirs.
pub(super) const IDLE_TIMEOUT_SECONDS: u64 = 50;
/// Limit of requests, queued requests, connections and retries per cluster. It is more than one
/// Envoy can reach: at Envoy's defaults (1024, and 3 retries) a busy minute would turn into
/// refusals.
const CONCURRENCY_MAX: u64 = 100_000;

/// Circuit breakers that never open.
pub(super) fn circuit_breakers() -> Value {
    json!({
        "thresholds": [{
            "max_connections": CONCURRENCY_MAX,
            "max_pending_requests": CONCURRENCY_MAX,
            "max_requests": CONCURRENCY_MAX,
            "max_retries": CONCURRENCY_MAX,
        }],
    })
}

/// Every address of a name is used; connections to an address that leaves the DNS response are
/// closed. This cluster type replaces `STRICT_DNS`, whose settings on the cluster itself are
/// deprecated.
pub(super) fn resolved_by_dns() -> Value {
    json!({
        "name": "envoy.clusters.dns",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster",
            "dns_lookup_family": "V4_PREFERRED",
            "respect_dns_ttl": true,
            "dns_failure_refresh_rate": { "base_interval": seconds(1), "max_interval": seconds(10) },
        },
    })
}

/// Keepalive probes, so that a connection whose peer is gone does not wait for a request to fail.
pub(super) fn connection_options() -> Value {
    json!({ "tcp_keepalive": { "keepalive_time": 30, "keepalive_interval": 5, "keepalive_probes": 3 } })
}

/// The `load_assignment` of a cluster with one address.
pub(super) fn single_endpoint(cluster: &str, host: &str, port: u16) -> Value {
    json!({
        "cluster_name": cluster,
        "endpoints": [{
            "lb_endpoints": [{ "endpoint": { "address": socket_address(host, port) } }],
        }],
    })
}

/// TLS that verifies the certificate for `host`, which is also the server name unless it is an IP
/// address.
pub(super) fn transport_socket(host: &str, ca: &str, alpn: Option<&[&str]>) -> Value {
    let is_address = host.parse::<IpAddr>().is_ok();
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": (!is_address).then_some(host),
            "common_tls_context": {
                "tls_params": { "tls_minimum_protocol_version": "TLSv1_2" },
                "alpn_protocols": alpn,
                "validation_context": {
                    "trusted_ca": { "filename": ca },
                    "match_typed_subject_alt_names": [{
                        "san_type": if is_address { "IP_ADDRESS" } else { "DNS" },
                        "matcher": { "exact": host },
                    }],
                },
            },
        },
    })
}

/// The last upstream HTTP filter of a cluster: it encodes requests.
pub(super) fn codec() -> Value {
    json!({
        "name": "envoy.filters.http.upstream_codec",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
        },
    })
}
