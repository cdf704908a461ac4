//! Which deployments a request tries, and in which order.
//!
//! As in LiteLLM's simple-shuffle, the first attempt is drawn by weight among the deployments of
//! the lowest `order`. Each retry goes to a deployment that has not been tried; once all have been,
//! the sequence repeats. Entries with the same endpoint, model id and credentials count as one
//! deployment. An `order` whose deployments all lack credentials at the moment is left out.
//!
//! Envoy's composite cluster sends attempt *n* to its *n*-th sub-cluster, so every sequence of
//! region clusters that can be drawn must exist as a cluster. [`Balance::sequences`] lists them for
//! the rendered configuration, and [`Balance::draw`] stays within that list because both use
//! [`Balance::candidates`]. If there are too many sequences, only the first attempt is drawn
//! and the others follow in the order of the configuration.

use std::collections::BTreeSet;

use crate::contract::names::FAILOVER_SEPARATOR;
use crate::contract::settings::{CredentialSettings, ModelSettings};
use crate::random::Random;

/// Maximum number of sequences of a model group, beyond which its order becomes a rotation: enough
/// for all orders of four regions with three attempts. Each failover cluster takes memory in every
/// Envoy worker. A rotation still respects the weights for the first attempt.
pub const SEQUENCES_MAX: usize = 24;

/// Limit on the draws examined to list the sequences: many deployments on few clusters have few
/// sequences but many draws.
const DRAWS_EXAMINED_MAX: usize = 20_000;

/// Maximum number of tiers that can be left out, because each combination has its own sequences.
const OPTIONAL_TIERS_MAX: usize = 3;

/// Distributes the requests of a model group.
#[derive(Clone, Debug)]
pub struct Balance {
    shares: Vec<Share>,
    attempts: usize,
    order: Order,
    /// The tiers that can be left out, lowest first.
    optional: Vec<i64>,
    sequences: Vec<Vec<String>>,
}

#[derive(Clone, Debug)]
struct Share {
    cluster: String,
    weight: u64,
    tier: i64,
    /// Index of the first share with the same deployment.
    twin: usize,
    /// Whether its credentials come from the broker, which may have none.
    is_brokered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    Drawn,
    Rotation,
}

impl Balance {
    /// Creates the balance for `model`, whose requests may make `attempts` attempts (at least 1).
    pub fn new(model: &ModelSettings, attempts: u32) -> Self {
        let deployments = model.deployments.iter().enumerate();
        let shares = deployments.map(|(index, deployment)| Share {
            cluster: deployment.cluster.clone(),
            weight: deployment.weight,
            tier: deployment.order,
            twin: model.twin(index),
            is_brokered: matches!(deployment.credentials, CredentialSettings::Brokered { .. }),
        });
        let attempts = usize::try_from(attempts).unwrap_or(usize::MAX).max(1);
        let mut balance = Self {
            shares: shares.collect(),
            attempts,
            order: Order::Drawn,
            optional: Vec::new(),
            sequences: Vec::new(),
        };
        balance.optional = balance.optional_tiers();
        balance.sequences = balance.list().unwrap_or_else(|| {
            balance.order = Order::Rotation;
            balance.list().unwrap_or_default()
        });
        balance
    }

    /// All sequences of region clusters that can be drawn, with one cluster per attempt.
    pub fn sequences(&self) -> &[Vec<String>] {
        &self.sequences
    }

    /// Draws the deployments for one request: one index into the model group per attempt. Those that
    /// are not `usable` are passed over if they can be, and so is a tier in which none is. In a
    /// rotation, only tiers are, because another order of the rest would have no cluster.
    pub fn draw(&self, random: &mut Random, usable: impl Fn(usize) -> bool) -> Vec<usize> {
        let without = self.unusable_tiers(&usable);
        let mut chosen = Vec::with_capacity(self.attempts);
        for _ in 0..self.picks(&without) {
            let mut candidates = self.candidates(&chosen, &without);
            if self.order == Order::Drawn && candidates.iter().any(|&index| usable(index)) {
                candidates.retain(|&index| usable(index));
            }
            match self.pick(&candidates, random) {
                Some(next) => chosen.push(next),
                None => break,
            }
        }
        self.repeat(chosen)
    }

    /// The name of the failover cluster that tries the clusters of `deployments` in order.
    pub fn cluster(&self, deployments: &[usize]) -> String {
        failover_cluster(self.shares_of(deployments).map(|share| share.cluster.as_str()))
    }

    /// The tiers that can be left out.
    fn optional_tiers(&self) -> Vec<i64> {
        let tiers: BTreeSet<i64> = self.shares.iter().map(|share| share.tier).collect();
        if tiers.len() == 1 {
            return Vec::new();
        }
        let is_optional = |tier: &i64| self.tier(*tier).all(|(_, share)| share.is_brokered);
        tiers
            .into_iter()
            .filter(is_optional)
            .take(OPTIONAL_TIERS_MAX)
            .collect()
    }

    /// The optional tiers without a `usable` deployment; none if nothing would be left.
    fn unusable_tiers(&self, usable: impl Fn(usize) -> bool) -> Vec<i64> {
        let is_unusable = |tier: &i64| !self.tier(*tier).any(|(index, _)| usable(index));
        let tiers: Vec<i64> = self.optional.iter().copied().filter(is_unusable).collect();
        if self.picks(&tiers) == 0 {
            Vec::new()
        } else {
            tiers
        }
    }

    fn tier(&self, tier: i64) -> impl Iterator<Item = (usize, &Share)> {
        self.shares
            .iter()
            .enumerate()
            .filter(move |(_, share)| share.tier == tier)
    }

    /// Number of attempts before the sequence repeats: at most one per distinct deployment that is
    /// not in the tiers `without`.
    fn picks(&self, without: &[i64]) -> usize {
        let shares = self.shares.iter().filter(|share| !without.contains(&share.tier));
        let distinct: BTreeSet<usize> = shares.map(|share| share.twin).collect();
        self.attempts.min(distinct.len())
    }

    fn repeat(&self, chosen: Vec<usize>) -> Vec<usize> {
        chosen.iter().copied().cycle().take(self.attempts).collect()
    }

    fn pick(&self, candidates: &[usize], random: &mut Random) -> Option<usize> {
        let weight = |&index: &usize| self.shares.get(index).map_or(0, |share| share.weight);
        let total = candidates.iter().map(weight).fold(0u64, u64::saturating_add);
        if total == 0 {
            let any = random.below(u64::try_from(candidates.len()).unwrap_or(0));
            return candidates.get(usize::try_from(any).ok()?).copied();
        }
        let mut left = random.below(total);
        for index in candidates {
            match left.checked_sub(weight(index)) {
                Some(rest) => left = rest,
                None => return Some(*index),
            }
        }
        candidates.last().copied()
    }

    /// The deployments that may follow `chosen`: among the untried ones that are not in the tiers
    /// `without`, those of the lowest order; among these, preferably those with a weight; among
    /// these, preferably those in an untried region. Never empty while such a deployment is untried.
    fn candidates(&self, chosen: &[usize], without: &[i64]) -> Vec<usize> {
        let tried: BTreeSet<usize> = self.shares_of(chosen).map(|share| share.twin).collect();
        let shares = || {
            self.shares
                .iter()
                .enumerate()
                .filter(|(_, share)| !tried.contains(&share.twin) && !without.contains(&share.tier))
        };
        let Some(tier) = shares().map(|(_, share)| share.tier).min() else {
            return Vec::new();
        };
        let mut candidates: Vec<usize> = shares()
            .filter(|(_, share)| share.tier == tier)
            .map(|(index, _)| index)
            .collect();
        self.prefer(&mut candidates, |share| share.weight > 0);
        let tried: BTreeSet<&str> = self
            .shares_of(chosen)
            .map(|share| share.cluster.as_str())
            .collect();
        self.prefer(&mut candidates, |share| !tried.contains(share.cluster.as_str()));
        if self.order == Order::Rotation
            && let Some(&last) = chosen.last()
        {
            let next = candidates
                .iter()
                .find(|&&index| index > last)
                .or(candidates.first())
                .copied();
            return next.into_iter().collect();
        }
        candidates
    }

    /// Keeps only the candidates that match `wanted`, if any do.
    fn prefer(&self, candidates: &mut Vec<usize>, wanted: impl Fn(&Share) -> bool) {
        let is_wanted = |index: &usize| self.shares.get(*index).is_some_and(&wanted);
        if candidates.iter().any(is_wanted) {
            candidates.retain(is_wanted);
        }
    }

    /// Lists every sequence that can be drawn, or returns `None` if there are too many.
    fn list(&self) -> Option<Vec<Vec<String>>> {
        let mut sequences = Vec::new();
        let mut examined = 0usize;
        let absences = self.absences();
        let begin = |without| (Vec::new(), without);
        let mut open: Vec<(Vec<usize>, &[i64])> = absences.iter().map(Vec::as_slice).map(begin).collect();
        while let Some((chosen, without)) = open.pop() {
            examined = examined.saturating_add(1);
            if chosen.len() < self.picks(without) {
                for next in self.candidates(&chosen, without).into_iter().rev() {
                    let mut longer = chosen.clone();
                    longer.push(next);
                    open.push((longer, without));
                }
            } else {
                let sequence = self.clusters(&self.repeat(chosen));
                if !sequences.contains(&sequence) {
                    sequences.push(sequence);
                }
            }
            let too_many = sequences.len() > SEQUENCES_MAX || examined > DRAWS_EXAMINED_MAX;
            if too_many && self.order == Order::Drawn {
                return None;
            }
        }
        Some(sequences)
    }

    /// The sets of tiers that a request may leave out. The empty set is last, so that its sequences
    /// are listed first.
    fn absences(&self) -> Vec<Vec<i64>> {
        let mut sets = vec![Vec::new()];
        for &tier in &self.optional {
            let with_tier = |set: &Vec<i64>| set.iter().copied().chain([tier]).collect();
            let more: Vec<Vec<i64>> = sets.iter().map(with_tier).collect();
            sets.extend(more);
        }
        sets.retain(|set| self.picks(set) > 0 || set.is_empty());
        sets.reverse();
        sets
    }

    fn clusters(&self, deployments: &[usize]) -> Vec<String> {
        self.shares_of(deployments)
            .map(|share| share.cluster.clone())
            .collect()
    }

    fn shares_of(&self, deployments: &[usize]) -> impl Iterator<Item = &Share> {
        deployments.iter().filter_map(|&index| self.shares.get(index))
    }
}

/// The name of the failover cluster that tries `clusters` in order: `us-west-2+us-east-1`. For a
/// single attempt it is `us-west-2+`, because `us-west-2` is the region cluster.
pub fn failover_cluster<'a>(clusters: impl IntoIterator<Item = &'a str>) -> String {
    let mut name = String::new();
    for cluster in clusters {
        if !name.is_empty() {
            name.push(FAILOVER_SEPARATOR);
        }
        name.push_str(cluster);
    }
    if !name.contains(FAILOVER_SEPARATOR) {
        name.push(FAILOVER_SEPARATOR);
    }
    name
}

#[cfg(test)]
mod tests;
