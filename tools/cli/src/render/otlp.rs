//! The spend log over OTLP: a second access logger next to the local one, and the cluster of its
//! collector.
//!
//! Each worker collects records and sends them in batches, outside of any request. A batch that the
//! collector does not accept in time is dropped and never sent again; the local log still has its
//! rows. What can wait for a collector is therefore bounded: `BATCHES_MAX` batches, as many again
//! per connection over HTTP/1.1, and the batch that each worker is filling.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::duration::{duration, seconds};
use super::upstream::{
    CONNECT_TIMEOUT_SECONDS, IDLE_TIMEOUT_SECONDS, codec, connection_options, resolved_by_dns,
    single_endpoint, transport_socket,
};
use crate::otlp::{Collector, Protocol};

/// No other cluster can have this name: they are named after regions, or end in a port or in a plus
/// and a name.
const CLUSTER: &str = "otlp";
/// How old a record may get before its batch is sent.
const FLUSH_SECONDS: u64 = 1;
/// Size at which a batch is sent earlier; about fifty records.
const BATCH_BYTES: u32 = 64 * 1024;
/// Batches in flight or queued, from all workers, which tend to send at the same moment.
const BATCHES_MAX: u32 = 128;
/// Headers that Envoy adds to requests of its own and that do not concern a collector.
const REMOVED_HEADERS: [&str; 3] = [
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-internal",
    "x-forwarded-for",
];
/// Distinguishes the records from other logs of the same collector.
const EVENT_NAME: &str = "envoy_bedrock.request";

/// The logger, with `body` as the format of a record's body.
pub(super) fn access_logger(collector: &Collector, body: &str) -> Value {
    let attributes = [
        ("event.name", EVENT_NAME),
        ("http.response.status_code", "%RESPONSE_CODE%"),
    ];
    let grpc = || {
        json!({
            "envoy_grpc": { "cluster_name": CLUSTER, "authority": collector.address.authority() },
        })
    };
    let http = || {
        json!({
            "http_uri": { "uri": collector.url(), "cluster": CLUSTER, "timeout": duration(collector.timeout) },
        })
    };
    let is_grpc = collector.protocol == Protocol::Grpc;
    json!({
        "name": "envoy.access_loggers.open_telemetry",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig",
            "grpc_service": is_grpc.then(grpc),
            "http_service": (!is_grpc).then(http),
            "buffer_flush_interval": seconds(FLUSH_SECONDS),
            "buffer_size_bytes": BATCH_BYTES,
            // Envoy's names for itself, for which `service.name` is the standard attribute.
            "disable_builtin_labels": true,
            "resource_attributes": values(&collector.resource),
            "body": { "string_value": body },
            "attributes": values(&BTreeMap::from(attributes)),
        },
    })
}

pub(super) fn cluster(collector: &Collector) -> Value {
    let address = &collector.address;
    let tls = collector.ca.as_deref().map(|ca| {
        let alpn: Option<&[&str]> = match collector.protocol {
            Protocol::Grpc => Some(&["h2"]),
            Protocol::Http(_) => None,
        };
        transport_socket(&address.host, ca, alpn)
    });
    json!({
        "name": CLUSTER,
        "connect_timeout": seconds(CONNECT_TIMEOUT_SECONDS),
        "cluster_type": resolved_by_dns(),
        // A collector that does not resolve must not delay the start.
        "wait_for_warm_on_init": false,
        "upstream_connection_options": connection_options(),
        "circuit_breakers": {
            "thresholds": [{
                "max_connections": BATCHES_MAX,
                "max_pending_requests": BATCHES_MAX,
                "max_requests": BATCHES_MAX,
            }],
        },
        "load_assignment": single_endpoint(CLUSTER, &address.host, address.port),
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protocol(collector),
        },
        "transport_socket": tls,
    })
}

fn protocol(collector: &Collector) -> Value {
    let version = match (&collector.protocol, collector.address.tls) {
        (Protocol::Grpc, _) => Some(json!({ "http2_protocol_options": {} })),
        (Protocol::Http(_), false) => Some(json!({ "http_protocol_options": {} })),
        (Protocol::Http(_), true) => None,
    };
    json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "common_http_protocol_options": {
            "idle_timeout": seconds(IDLE_TIMEOUT_SECONDS),
            // The only time limit of the gRPC logger: Envoy 1.40 ignores the timeout of a
            // `grpc_service`.
            "max_stream_duration": duration(collector.timeout),
        },
        "auto_config": version.is_none().then(|| json!({})),
        "explicit_http_config": version,
        "http_filters": [headers(collector), codec()],
    })
}

/// Headers whose values come from variables of the Envoy process. A filter of the cluster sets them
/// because Envoy 1.40 sends the `initial_metadata` of a `grpc_service` without substitution.
fn headers(collector: &Collector) -> Value {
    let removed = REMOVED_HEADERS.map(|name| json!({ "remove": name }));
    let added = collector.headers.iter().map(|header| {
        json!({
            "append": {
                "header": {
                    "key": header.name,
                    "value": format!("%ENVIRONMENT({})%", header.variable.0),
                },
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            },
        })
    });
    json!({
        "name": "headers",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            "mutations": { "request_mutations": removed.into_iter().chain(added).collect::<Vec<_>>() },
        },
    })
}

/// Attributes as OpenTelemetry writes them.
fn values<K: AsRef<str>, V: AsRef<str>>(attributes: &BTreeMap<K, V>) -> Value {
    let value =
        |(key, value): (&K, &V)| json!({ "key": key.as_ref(), "value": { "string_value": value.as_ref() } });
    json!({ "values": attributes.iter().map(value).collect::<Vec<_>>() })
}
