//! Failover clusters: attempt n of a request goes to the n-th region of the sequence that its plan
//! chose.

use std::collections::BTreeSet;

use envoy_bedrock::contract::settings::Settings;
use envoy_bedrock::routing::balance::{Balance, failover_cluster};
use serde_json::{Value, json};

use super::common::CONNECTION_BUFFER_BYTES;
use super::options::RenderOptions;
use super::upstream::{CONNECT_TIMEOUT_SECONDS, circuit_breakers, codec};
use super::{duration, wasm};
use crate::blueprint::Blueprint;

/// A sequence of region clusters that requests of some model can take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failover {
    /// Name of its cluster.
    pub(super) name: String,
    /// The region clusters, one for each attempt.
    pub(super) sequence: Vec<String>,
}

impl Failover {
    /// Whether every attempt goes to the same region cluster.
    pub(super) fn has_one_region(&self) -> bool {
        self.sequence.windows(2).all(|pair| pair[0] == pair[1])
    }
}

/// The sequences of all models, each once, in the order of the models.
pub(super) fn failovers(settings: &Settings) -> Vec<Failover> {
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

/// The composite cluster of a sequence, with the signer role before its upstream codec.
pub(super) fn cluster(failover: &Failover, blueprint: &Blueprint, options: &RenderOptions) -> Value {
    let regions: Vec<Value> = failover
        .sequence
        .iter()
        .map(|name| json!({ "name": name }))
        .collect();
    json!({
        "name": failover.name,
        "connect_timeout": duration::seconds(CONNECT_TIMEOUT_SECONDS),
        "lb_policy": "CLUSTER_PROVIDED",
        "per_connection_buffer_limit_bytes": CONNECTION_BUFFER_BYTES,
        "circuit_breakers": circuit_breakers(),
        "cluster_type": {
            "name": "envoy.clusters.composite",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.clusters.composite.v3.ClusterConfig",
                "clusters": regions,
            },
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                // Envoy rejects ALPN on a cluster without a TLS transport socket. The region
                // clusters negotiate themselves.
                "explicit_http_config": { "http_protocol_options": {} },
                "http_filters": [wasm::signer(&blueprint.settings, options), codec()],
            },
        },
    })
}
