//! Failover clusters: attempt n of a request goes to the n-th region of the sequence that its plan has drawn.

use std::collections::BTreeSet;

use envoy_bedrock::contract::settings::Settings;
use envoy_bedrock::routing::balance::{Balance, failover_cluster};

use super::bootstrap::buffer_bytes;
use super::options::RenderOptions;
use super::region::circuit_breakers;
use super::yaml::{Node, list, map};
use super::{duration, wasm};
use crate::blueprint::Blueprint;

/// A sequence of region clusters that some model's requests can take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failover {
    /// Name of its cluster.
    pub name: String,
    /// The region clusters, one for each attempt.
    pub sequence: Vec<String>,
}

impl Failover {
    /// Whether every attempt goes to the same place.
    pub(crate) fn has_one_region(&self) -> bool {
        self.sequence.windows(2).all(|pair| pair[0] == pair[1])
    }
}

/// The sequences of all models, each once, in the order of the models.
pub(crate) fn failovers(settings: &Settings) -> Vec<Failover> {
    let mut seen = BTreeSet::new();
    let mut failovers = Vec::new();
    for model in &settings.models {
        for sequence in Balance::new(model, settings.attempts).sequences() {
            let name = failover_cluster(sequence.iter().map(String::as_str));
            if seen.insert(name.clone()) {
                failovers.push(Failover {
                    name,
                    sequence: sequence.clone(),
                });
            }
        }
    }
    failovers
}

/// The composite cluster of a sequence, with the signer in front of its upstream codec.
pub(crate) fn cluster(failover: &Failover, blueprint: &Blueprint, options: &RenderOptions) -> Node {
    let regions: Vec<Node> = failover
        .sequence
        .iter()
        .map(|name| map! { "name" => name.as_str() })
        .collect();
    map! {
        "name" => failover.name.as_str(),
        "connect_timeout" => duration::seconds(super::region::CONNECT_TIMEOUT_SECONDS),
        "lb_policy" => "CLUSTER_PROVIDED",
        "per_connection_buffer_limit_bytes" => buffer_bytes(blueprint),
        "circuit_breakers" => circuit_breakers(),
        "cluster_type" => map! {
            "name" => "envoy.clusters.composite",
            "typed_config" => map! {
                "@type" => "type.googleapis.com/envoy.extensions.clusters.composite.v3.ClusterConfig",
                "clusters" => regions,
            },
        },
        "typed_extension_protocol_options" => map! {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions" => map! {
                "@type" => "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                // Envoy refuses ALPN on a cluster without a TLS socket; the region clusters negotiate for themselves.
                "explicit_http_config" => map! { "http_protocol_options" => map! {} },
                "http_filters" => list![wasm::signer(&blueprint.settings, options), upstream_codec()],
            },
        },
    }
}

fn upstream_codec() -> Node {
    map! {
        "name" => "envoy.filters.http.upstream_codec",
        "typed_config" => map! {
            "@type" => "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
        },
    }
}
