//! The spend log by OTLP: a second access logger beside standard output or the file, and the cluster of its collector.
//!
//! Envoy collects records per worker and sends them in batches, off the path of any request. What a collector does not
//! take in time is dropped and never sent again: the file or standard output has it. So all that can wait for a
//! collector is `BATCHES_MAX` batches, as many again for a connection over HTTP/1.1, and for each worker the one that is
//! being filled.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::access_log;
use super::bootstrap::socket_address;
use super::duration::{duration, seconds};
use super::region::{CONNECT_TIMEOUT_SECONDS, resolved_by_dns, transport_socket};
use super::yaml::{Node, list, map};
use crate::otlp::{Collector, Protocol};

/// No other cluster can have it: theirs are regions, or end in a port or a plus and a name.
const CLUSTER: &str = "otlp";
/// How old a record may get before it is sent.
const FLUSH_SECONDS: u64 = 1;
/// Size at which a batch is sent sooner; some fifty records.
const BATCH_BYTES: u32 = 64 * 1024;
/// Batches that may be on their way or waiting to be, from all workers, which tend to send in the same moment.
const BATCHES_MAX: u32 = 128;
/// Time that an unused connection is kept.
const IDLE_SECONDS: u64 = 50;
/// What Envoy adds to requests of its own that is nobody's business there.
const REMOVED_HEADERS: [&str; 3] = [
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-internal",
    "x-forwarded-for",
];
/// What the records are, beside other logs of the same collector.
const EVENT_NAME: &str = "envoy_bedrock.request";

pub(crate) fn access_logger(collector: &Collector) -> Node {
    let timeout = || duration(collector.timeout);
    let attributes = [
        ("event.name", EVENT_NAME),
        ("http.response.status_code", "%RESPONSE_CODE%"),
    ];
    let grpc = || {
        map! {
            "envoy_grpc" => map! { "cluster_name" => CLUSTER, "authority" => collector.address.authority() },
        }
    };
    let http = || {
        map! {
            "http_uri" => map! { "uri" => collector.url(), "cluster" => CLUSTER, "timeout" => timeout() },
        }
    };
    let is_grpc = collector.protocol == Protocol::Grpc;
    map! {
        "name" => "envoy.access_loggers.open_telemetry",
        "typed_config" => map! {
            "@type" => "type.googleapis.com/envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig",
            "grpc_service" => is_grpc.then(grpc),
            "http_service" => (!is_grpc).then(http),
            "buffer_flush_interval" => seconds(FLUSH_SECONDS),
            "buffer_size_bytes" => BATCH_BYTES,
            // They say Envoy's names for itself, which `service.name` does better.
            "disable_builtin_labels" => true,
            "resource_attributes" => values(&collector.resource),
            "body" => map! { "string_value" => access_log::body() },
            "attributes" => values(&BTreeMap::from(attributes)),
        },
    }
}

pub(crate) fn cluster(collector: &Collector) -> Node {
    let address = &collector.address;
    let tls = collector.ca.as_deref().map(|ca| {
        let alpn = (collector.protocol == Protocol::Grpc).then(|| list!["h2"]);
        transport_socket(&address.host, ca, alpn)
    });
    map! {
        "name" => CLUSTER,
        "connect_timeout" => seconds(CONNECT_TIMEOUT_SECONDS),
        "cluster_type" => resolved_by_dns(),
        // A collector without an address must not hold up the start.
        "wait_for_warm_on_init" => false,
        "upstream_connection_options" => map! {
            "tcp_keepalive" => map! { "keepalive_time" => 30u32, "keepalive_interval" => 5u32, "keepalive_probes" => 3u32 },
        },
        "circuit_breakers" => map! {
            "thresholds" => list![map! {
                "max_connections" => BATCHES_MAX,
                "max_pending_requests" => BATCHES_MAX,
                "max_requests" => BATCHES_MAX,
            }],
        },
        "load_assignment" => map! {
            "cluster_name" => CLUSTER,
            "endpoints" => list![map! {
                "lb_endpoints" => list![map! {
                    "endpoint" => map! { "address" => socket_address(&address.host, address.port) },
                }],
            }],
        },
        "typed_extension_protocol_options" => map! {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions" => protocol(collector),
        },
        "transport_socket" => tls,
    }
}

fn protocol(collector: &Collector) -> Node {
    let version = match (&collector.protocol, collector.address.tls) {
        (Protocol::Grpc, _) => Some(map! { "http2_protocol_options" => map! {} }),
        (Protocol::Http(_), false) => Some(map! { "http_protocol_options" => map! {} }),
        (Protocol::Http(_), true) => None,
    };
    map! {
        "@type" => "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "common_http_protocol_options" => map! {
            "idle_timeout" => seconds(IDLE_SECONDS),
            // The gRPC logger has no time limit of its own (Envoy 1.40 ignores the one of `grpc_service`).
            "max_stream_duration" => duration(collector.timeout),
        },
        "auto_config" => version.is_none().then(|| map! {}),
        "explicit_http_config" => version,
        "http_filters" => list![headers(collector), codec()],
    }
}

/// Headers from variables of the Envoy process. A filter of the cluster does it because `initial_metadata` of a
/// `grpc_service` are sent as they are written (Envoy 1.40).
fn headers(collector: &Collector) -> Node {
    let removed = REMOVED_HEADERS.map(|name| map! { "remove" => name });
    let added = collector.headers.iter().map(|header| {
        map! {
            "append" => map! {
                "header" => map! {
                    "key" => header.name.as_str(),
                    "value" => format!("%ENVIRONMENT({})%", header.variable.0),
                },
                "append_action" => "OVERWRITE_IF_EXISTS_OR_ADD",
            },
        }
    });
    map! {
        "name" => "headers",
        "typed_config" => map! {
            "@type" => "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            "mutations" => map! { "request_mutations" => removed.into_iter().chain(added).collect::<Vec<_>>() },
        },
    }
}

fn codec() -> Node {
    map! {
        "name" => "codec",
        "typed_config" => map! {
            "@type" => "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
        },
    }
}

/// Attributes as OpenTelemetry writes them.
fn values<K: AsRef<str>, V: AsRef<str>>(attributes: &BTreeMap<K, V>) -> Node {
    let value = |(key, value): (&K, &V)| {
        map! { "key" => key.as_ref(), "value" => map! { "string_value" => value.as_ref() } }
    };
    map! { "values" => attributes.iter().map(value).collect::<Vec<_>>() }
}
