//! Where clients connect: the same HTTP on a plain port and, with a certificate, on a TLS port. And where Prometheus does.

use super::bootstrap::{buffer_bytes, socket_address};
use super::failover::Failover;
use super::options::{RenderOptions, Tls};
use super::yaml::{Node, list, map};
use super::{http, metrics};
use crate::blueprint::Blueprint;

pub(crate) fn listeners(blueprint: &Blueprint, failovers: &[Failover], options: &RenderOptions) -> Vec<Node> {
    let listener = |name: &str, port: u16, tls: Option<&Tls>| {
        map! {
            "name" => name,
            "address" => socket_address(&options.listeners.bind.to_string(), port),
            "per_connection_buffer_limit_bytes" => buffer_bytes(blueprint),
            "filter_chains" => list![map! {
                "transport_socket" => tls.map(transport_socket),
                "filters" => list![http::connection_manager(blueprint, failovers, options)],
            }],
        }
    };
    let mut listeners = vec![listener("plain", options.listeners.port, None)];
    if let Some(tls) = &options.listeners.tls {
        listeners.push(listener("tls", tls.port, Some(tls)));
    }
    listeners.extend(options.metrics_port.map(|port| metrics::listener(port, options)));
    listeners
}

fn transport_socket(tls: &Tls) -> Node {
    map! {
        "name" => "envoy.transport_sockets.tls",
        "typed_config" => map! {
            "@type" => "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context" => map! {
                "tls_params" => map! { "tls_minimum_protocol_version" => "TLSv1_2" },
                "alpn_protocols" => list!["h2", "http/1.1"],
                "tls_certificates" => list![map! {
                    "certificate_chain" => map! { "filename" => tls.certificate.as_str() },
                    "private_key" => map! { "filename" => tls.key.as_str() },
                }],
            },
        },
    }
}
