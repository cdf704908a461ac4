//! How Envoy's route finds the region cluster of each attempt in the itinerary that the filter has
//! set.

use envoy_bedrock::contract::itinerary::{NEXT, NOWHERE, leg};
use envoy_bedrock::contract::names::{HEADER_ATTEMPT, HEADER_ROUTE, ROUTE_STREAM, ROUTE_UNARY, STATE_PLAN};
use serde_json::{Map, Value, json};

use crate::blueprint::Blueprint;

/// A cluster that does not exist. The names of others contain no spaces.
pub(super) const CLUSTER_NONE: &str = "not admitted";
/// The name of the cluster specifier plugin.
pub(super) const PLUGIN: &str = "itinerary";

/// Where the legs of itineraries can lead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Legs {
    clusters: Vec<String>,
    attempts: u32,
}

impl Legs {
    pub(super) fn of(blueprint: &Blueprint) -> Self {
        let endpoints = blueprint.endpoints.iter();
        Self {
            clusters: endpoints.map(|endpoint| endpoint.cluster.clone()).collect(),
            attempts: blueprint.settings.attempts_at_most(),
        }
    }

    /// Adds further clusters.
    pub(super) fn with(mut self, further: impl Iterator<Item = String>) -> Self {
        for cluster in further {
            if !self.clusters.contains(&cluster) {
                self.clusters.push(cluster);
            }
        }
        self
    }

    /// The plugin that all routes share.
    pub(super) fn plugin(&self) -> Value {
        let clusters: Vec<&str> = self.clusters.iter().map(String::as_str).collect();
        json!({
            "extension": {
                "name": PLUGIN,
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.router.cluster_specifiers.matcher.v3.MatcherClusterSpecifier",
                    "cluster_matcher": matcher(&clusters, self.attempts),
                },
            },
        })
    }
}

/// An attempt that failed before its filters ran is followed by the leg with the next number. Before
/// the first attempt, the request has the header that selects the route. After a signed attempt, it
/// has neither header.
fn matcher(clusters: &[&str], attempts: u32) -> Value {
    let first = legs("1", clusters);
    let begins: Map<_, _> = [ROUTE_UNARY, ROUTE_STREAM]
        .map(|kind| (kind.to_owned(), first.clone()))
        .into_iter()
        .collect();
    let signed = by_header(HEADER_ROUTE, begins, &legs(NEXT, clusters));
    let failed: Map<_, _> = (1..attempts)
        .map(|number| (number.to_string(), legs(&(number + 1).to_string(), clusters)))
        .collect();
    if failed.is_empty() {
        return signed["matcher"].clone();
    }
    by_header(HEADER_ATTEMPT, failed, &signed)["matcher"].clone()
}

fn by_header(name: &str, cases: Map<String, Value>, otherwise: &Value) -> Value {
    json!({
        "matcher": {
            "matcher_tree": {
                "input": {
                    "name": name,
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput",
                        "header_name": name,
                    },
                },
                "exact_match_map": { "map": cases },
            },
            "on_no_match": otherwise,
        },
    })
}

/// The cluster that the itinerary has in the leg with this label.
fn legs(label: &str, clusters: &[&str]) -> Value {
    let with_nowhere = clusters.iter().map(|cluster| (*cluster, *cluster));
    let with_nowhere = with_nowhere.chain([(NOWHERE, CLUSTER_NONE)]);
    let matchers: Vec<Value> = with_nowhere
        .map(|(written, cluster)| {
            json!({
                "predicate": {
                    "single_predicate": {
                        "input": {
                            "name": STATE_PLAN,
                            "typed_config": {
                                "@type": "type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.FilterStateInput",
                                "key": STATE_PLAN,
                            },
                        },
                        "value_match": { "contains": leg(label, written) },
                    },
                },
                "on_match": {
                    "action": {
                        "name": cluster,
                        "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction",
                            "cluster": cluster,
                        },
                    },
                },
            })
        })
        .collect();
    json!({ "matcher": { "matcher_list": { "matchers": matchers } } })
}
