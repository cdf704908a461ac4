//! Placeholder so that the command can be written against it.

use crate::config::ModelSettings;

/// The sequences of region clusters that requests for `model` can take, each `attempts` long: one failover cluster
/// of the rendered configuration for each. The name of a failover cluster is [`failover_cluster`] of its sequence.
pub fn failover_sequences(model: &ModelSettings, attempts: u32) -> Vec<Vec<String>> {
    let clusters: Vec<String> = model.deployments.iter().map(|d| d.cluster.clone()).collect();
    vec![clusters.into_iter().cycle().take(attempts as usize).collect()]
}

/// Name of the failover cluster that tries `clusters` one after the other.
pub fn failover_cluster(clusters: &[String]) -> String {
    clusters.join("+")
}
