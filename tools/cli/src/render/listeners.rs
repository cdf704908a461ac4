//! The listeners: HTTP for clients on a plain port and, with a certificate, on a TLS port; and one
//! for Prometheus.

use serde_json::{Value, json};

use super::common::{CONNECTION_BUFFER_BYTES, socket_address};
use super::options::{RenderOptions, Tls};
use super::{edge, http, metrics};
use crate::blueprint::Blueprint;

pub(super) fn listeners(blueprint: &Blueprint, options: &RenderOptions) -> Vec<Value> {
    let listener = |name: &str, port: u16, tls: Option<&Tls>| {
        let mut listener = json!({
            "name": name,
            "address": socket_address(&options.listeners.bind.to_string(), port),
            "per_connection_buffer_limit_bytes": CONNECTION_BUFFER_BYTES,
            "filter_chains": [{
                "transport_socket": tls.map(transport_socket),
                "filters": [http::connection_manager(blueprint, options)],
            }],
        });
        edge::limit_connections(&mut listener);
        listener
    };
    let tls = options.listeners.tls.as_ref();
    std::iter::once(listener("plain", options.listeners.port, None))
        .chain(tls.map(|tls| listener("tls", tls.port, Some(tls))))
        .chain(options.metrics_port.map(|port| metrics::listener(port, options)))
        .collect()
}

/// A configuration with nothing but a listener for this certificate, with which Envoy can check it.
pub(crate) fn tls_listener_only(tls: &Tls) -> Value {
    json!({
        "static_resources": {
            "listeners": [{
                "name": "tls",
                "address": socket_address("127.0.0.1", 0),
                "filter_chains": [{ "transport_socket": transport_socket(tls) }],
            }],
        },
    })
}

fn transport_socket(tls: &Tls) -> Value {
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "tls_params": { "tls_minimum_protocol_version": "TLSv1_2" },
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_certificates": [{
                    "certificate_chain": { "filename": tls.certificate },
                    "private_key": { "filename": tls.key },
                }],
            },
        },
    })
}
