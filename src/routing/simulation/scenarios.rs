//! What is simulated.

use super::region::{Region, RegionFate};

/// The name, latency in milliseconds and fates of a region.
type SimulatedRegion = (&'static str, u64, Vec<(u64, RegionFate)>);

/// A model group with one deployment in each region.
#[derive(Clone, Debug)]
pub(super) struct SimulatedCase {
    /// What it shows.
    pub(super) name: &'static str,
    pub(super) strategy: &'static str,
    pub(super) requests: u64,
    pub(super) per_second: u64,
    pub(super) workers: u64,
    pub(super) regions: Vec<SimulatedRegion>,
    /// Further members of `routing`.
    pub(super) routing: &'static str,
}

impl SimulatedCase {
    /// Two healthy regions, which take 200 ms for a response.
    pub(super) fn healthy(name: &'static str, strategy: &'static str) -> Self {
        Self {
            name,
            strategy,
            requests: 3000,
            per_second: 50,
            workers: 4,
            regions: vec![("west", 200, Vec::new()), ("east", 200, Vec::new())],
            routing: "",
        }
    }

    /// The same, in which the west has these fates.
    pub(super) fn west(name: &'static str, strategy: &'static str, fates: &[(u64, RegionFate)]) -> Self {
        let mut scenario = Self::healthy(name, strategy);
        scenario.regions[0].2 = fates.to_vec();
        scenario
    }

    pub(super) fn regions(&self) -> Vec<Region> {
        let regions = self.regions.iter();
        regions
            .map(|(name, latency, fates)| Region::new(name, *latency, fates))
            .collect()
    }

    /// The settings. The second region is the cheaper one.
    pub(super) fn settings(&self) -> String {
        let deployments = self.regions.iter().zip(1..).map(|((name, ..), number)| {
            let price = 1000 / number;
            format!(
                r#"{{"id": "{name}", "model": "a:0", "region": "{name}", "cluster": "{name}", "authority": "{name}",
                    "weight": 1, "credentials": {{"bearer": {{"api_key": "KEY"}}}},
                    "rates": {{"base": {{"input": {price}, "output": {price}}}}}}}"#
            )
        });
        let deployments: Vec<String> = deployments.collect();
        format!(
            r#"{{"master_key": "MASTER", "attempts": 3, "body_limit_bytes": 10,
                "routing": {{"strategy": "{}"{}}},
                "models": [{{"name": "m", "deployments": [{}]}}]}}"#,
            self.strategy,
            self.routing,
            deployments.join(",")
        )
    }
}
