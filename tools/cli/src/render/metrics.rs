//! The listener for Prometheus: one page of Envoy's admin interface, and no way to any other.
//!
//! The admin interface can stop Envoy and print its configuration, so it stays on 127.0.0.1. Here
//! only whole paths match, query included, and each is rewritten to the path of that one page.

use serde_json::{Value, json};

use super::common::socket_address;
use super::duration::seconds;
use super::http;
use super::options::RenderOptions;
use super::upstream::single_endpoint;

/// Envoy's own path, and those of LiteLLM's proxy.
const PATHS: [&str; 3] = ["/stats/prometheus", "/metrics", "/metrics/"];
const NOT_FOUND: &str = "Expected GET and /stats/prometheus, /metrics or /metrics/ without a query.\n";
const CLUSTER: &str = "envoy-admin";
/// Concurrent scrapes. Envoy's main thread renders each page, and it has other work.
const SCRAPES_MAX: u32 = 4;
/// Concurrent connections. They do not count towards the limit of client connections, so a busy
/// gateway stays observable.
const CONNECTIONS_MAX: u32 = 64;
/// For the headers, the whole request, and idle streams and connections.
const TIMEOUT_SECONDS: u64 = 60;

pub(super) fn listener(port: u16, options: &RenderOptions) -> Value {
    json!({
        "name": "metrics",
        "address": socket_address(&options.listeners.bind.to_string(), port),
        "ignore_global_conn_limit": true,
        "filter_chains": [{ "filters": [connection_limit(), connection_manager()] }],
    })
}

/// The admin interface as an upstream.
pub(super) fn cluster(options: &RenderOptions) -> Value {
    json!({
        "name": CLUSTER,
        "type": "STATIC",
        "connect_timeout": seconds(1),
        "circuit_breakers": {
            "thresholds": [{ "max_requests": SCRAPES_MAX, "max_pending_requests": SCRAPES_MAX }],
        },
        "load_assignment": single_endpoint(CLUSTER, "127.0.0.1", options.admin_port),
    })
}

fn connection_limit() -> Value {
    json!({
        "name": "envoy.filters.network.connection_limit",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit",
            "stat_prefix": "metrics",
            "max_connections": CONNECTIONS_MAX,
        },
    })
}

/// It has no access log: a scrape does not belong in the spend log.
fn connection_manager() -> Value {
    let mut routes: Vec<Value> = PATHS.map(route).into();
    routes.push(json!({
        "match": { "prefix": "/" },
        "direct_response": { "status": 404, "body": { "inline_string": NOT_FOUND } },
    }));
    json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "metrics",
            "use_remote_address": true,
            "generate_request_id": false,
            "request_headers_timeout": seconds(TIMEOUT_SECONDS),
            "request_timeout": seconds(TIMEOUT_SECONDS),
            "stream_idle_timeout": seconds(TIMEOUT_SECONDS),
            "common_http_protocol_options": { "idle_timeout": seconds(TIMEOUT_SECONDS) },
            "http_filters": [http::router()],
            "route_config": {
                "name": "metrics",
                "virtual_hosts": [{ "name": "metrics", "domains": ["*"], "routes": routes }],
            },
        },
    })
}

/// The `:path` header includes the query, so a path with a query does not match. The first of
/// [`PATHS`] is rewritten to itself.
fn route(path: &str) -> Value {
    let exact = |name: &str, value: &str| json!({ "name": name, "string_match": { "exact": value } });
    json!({
        "match": { "path": path, "headers": [exact(":method", "GET"), exact(":path", path)] },
        "route": { "cluster": CLUSTER, "prefix_rewrite": PATHS[0], "timeout": seconds(TIMEOUT_SECONDS) },
    })
}
