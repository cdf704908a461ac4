//! The listener for Prometheus: one page of Envoy's admin interface, and no way to any other.
//!
//! The admin interface itself can stop Envoy and print its configuration, so it stays on 127.0.0.1. Only whole paths match
//! here, query included, and each becomes the one path of that page.

use super::bootstrap::socket_address;
use super::duration::seconds;
use super::http;
use super::options::RenderOptions;
use super::yaml::{Node, list, map};

/// Envoy's own path, and those of LiteLLM's proxy.
const PATHS: [&str; 3] = ["/stats/prometheus", "/metrics", "/metrics/"];
const NOT_FOUND: &str = "Expected GET and /stats/prometheus, /metrics or /metrics/ without a query.\n";
const CLUSTER: &str = "envoy-admin";
/// Pages that are made at a time: each is made on Envoy's main thread, which has other work too.
const PAGES_MAX: u32 = 4;
/// Connections at a time. They do not count among those of the clients, so that a busy gateway can still be observed.
const CONNECTIONS_MAX: u32 = 64;
/// For everything: headers, silence, an unused connection.
const TIMEOUT_SECONDS: u64 = 60;

pub(crate) fn listener(port: u16, options: &RenderOptions) -> Node {
    map! {
        "name" => "metrics",
        "address" => socket_address(&options.listeners.bind.to_string(), port),
        "ignore_global_conn_limit" => true,
        "filter_chains" => list![map! { "filters" => list![connection_limit(), connection_manager()] }],
    }
}

/// Where the page comes from.
pub(crate) fn cluster(options: &RenderOptions) -> Node {
    map! {
        "name" => CLUSTER,
        "type" => "STATIC",
        "connect_timeout" => seconds(1),
        "circuit_breakers" => map! {
            "thresholds" => list![map! { "max_requests" => PAGES_MAX, "max_pending_requests" => PAGES_MAX }],
        },
        "load_assignment" => map! {
            "cluster_name" => CLUSTER,
            "endpoints" => list![map! {
                "lb_endpoints" => list![map! {
                    "endpoint" => map! { "address" => socket_address("127.0.0.1", options.admin_port) },
                }],
            }],
        },
    }
}

fn connection_limit() -> Node {
    map! {
        "name" => "envoy.filters.network.connection_limit",
        "typed_config" => map! {
            "@type" => "type.googleapis.com/envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit",
            "stat_prefix" => "metrics",
            "max_connections" => CONNECTIONS_MAX,
        },
    }
}

/// It has no access log: a scrape is no request for the spend log.
fn connection_manager() -> Node {
    let mut routes: Vec<Node> = PATHS.map(route).into();
    routes.push(map! {
        "match" => map! { "prefix" => "/" },
        "direct_response" => map! { "status" => 404u16, "body" => map! { "inline_string" => NOT_FOUND } },
    });
    map! {
        "name" => "envoy.filters.network.http_connection_manager",
        "typed_config" => map! {
            "@type" => "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix" => "metrics",
            "use_remote_address" => true,
            "generate_request_id" => false,
            "request_headers_timeout" => seconds(TIMEOUT_SECONDS),
            "request_timeout" => seconds(TIMEOUT_SECONDS),
            "stream_idle_timeout" => seconds(TIMEOUT_SECONDS),
            "common_http_protocol_options" => map! { "idle_timeout" => seconds(TIMEOUT_SECONDS) },
            "http_filters" => list![http::router()],
            "route_config" => map! {
                "name" => "metrics",
                "virtual_hosts" => list![map! { "name" => "metrics", "domains" => list!["*"], "routes" => routes }],
            },
        },
    }
}

/// The header holds the query too, so a path with one is another path. The first of [`PATHS`] is rewritten to itself.
fn route(path: &'static str) -> Node {
    let exact =
        |name: &str, value: &str| map! { "name" => name, "string_match" => map! { "exact" => value } };
    map! {
        "match" => map! { "path" => path, "headers" => list![exact(":method", "GET"), exact(":path", path)] },
        "route" => map! { "cluster" => CLUSTER, "prefix_rewrite" => PATHS[0], "timeout" => seconds(TIMEOUT_SECONDS) },
    }
}
