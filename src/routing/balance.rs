//! Which deployments a request tries, and in which order.
//!
//! As in LiteLLM's simple-shuffle, the first attempt is drawn by weight among the deployments of
//! the lowest `order`. Each retry goes to a deployment that has not been tried; once all have been,
//! the sequence repeats. Entries with the same endpoint, model id and credentials count as one
//! deployment. Deployments that lack credentials at the moment are left out, as if they were not
//! configured: see [`Pool`].
//!
//! Envoy's composite cluster sends attempt *n* to its *n*-th sub-cluster, so every sequence of
//! region clusters that can be drawn must exist as a cluster. [`Balance::sequences`] lists them for
//! the rendered configuration, and [`Balance::draw`] stays within that list because both use
//! [`Balance::candidates`]. If there are too many sequences, only the first attempt is drawn
//! and the others follow in the order of the configuration.

use std::collections::{BTreeMap, BTreeSet};

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

/// Maximum number of sets of credentials whose combinations have sequences of their own.
const ABSENCES_MAX: usize = 3;

/// Distributes the requests of a model group.
#[derive(Clone, Debug)]
pub struct Balance {
    shares: Vec<Share>,
    attempts: usize,
    /// The first has all deployments.
    pools: Vec<Pool>,
    sequences: Vec<Vec<String>>,
}

/// The deployments that remain while some credentials of the broker are missing.
#[derive(Clone, Debug)]
struct Pool {
    /// The missing credentials.
    without: BTreeSet<String>,
    order: Order,
}

#[derive(Clone, Debug)]
struct Share {
    cluster: String,
    weight: u64,
    tier: i64,
    /// Index of the first share with the same deployment.
    twin: usize,
    /// The id of its credentials, if they come from the broker, which may have none.
    credential: Option<String>,
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
            credential: match &deployment.credentials {
                CredentialSettings::Brokered { id, .. } => Some(id.clone()),
                CredentialSettings::Sigv4(_) | CredentialSettings::Bearer { .. } => None,
            },
        });
        let attempts = usize::try_from(attempts).unwrap_or(usize::MAX).max(1);
        let mut balance = Self {
            shares: shares.collect(),
            attempts,
            pools: Vec::new(),
            sequences: Vec::new(),
        };
        let mut examined = 0;
        for without in balance.absences() {
            let mut pool = Pool {
                without,
                order: Order::Drawn,
            };
            balance.sequences = balance.list(&pool, &mut examined).unwrap_or_else(|| {
                pool.order = Order::Rotation;
                balance.list(&pool, &mut examined).unwrap_or_default()
            });
            balance.pools.push(pool);
        }
        balance
    }

    /// All sequences of region clusters that can be drawn, with one cluster per attempt.
    pub fn sequences(&self) -> &[Vec<String>] {
        &self.sequences
    }

    /// Draws the deployments for one request: one index into the model group per attempt. Those
    /// that are not `usable`, because they lack credentials, are left out, if a [`Pool`] without
    /// them exists. Otherwise they are passed over where another one may be drawn.
    pub fn draw(&self, random: &mut Random, usable: impl Fn(usize) -> bool) -> Vec<usize> {
        let Some(pool) = self.pool(&usable) else {
            return Vec::new();
        };
        let mut chosen = Vec::with_capacity(self.attempts);
        for _ in 0..self.picks(pool) {
            let mut candidates = self.candidates(&chosen, pool);
            // Another order of a rotation would have no cluster.
            let is_free = pool.order == Order::Drawn || chosen.is_empty();
            if is_free && candidates.iter().any(|&index| usable(index)) {
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

    /// Of the pools that have every `usable` deployment, the one with the fewest others.
    fn pool(&self, usable: impl Fn(usize) -> bool) -> Option<&Pool> {
        let (mut held, mut missing) = (BTreeSet::new(), BTreeSet::new());
        for (index, share) in self.shares.iter().enumerate() {
            let set = if usable(index) { &mut held } else { &mut missing };
            set.extend(&share.credential);
        }
        let fits = |pool: &&Pool| {
            let mut without = pool.without.iter();
            without.all(|id| missing.contains(id) && !held.contains(id))
        };
        let pools = self.pools.iter().filter(fits);
        pools.max_by_key(|pool| pool.without.len())
    }

    /// The sets of missing credentials that have a [`Pool`]: none, combinations of those of a whole
    /// level and of single ones, and those of all levels up to each, so that a first attempt always
    /// has credentials. A level is what a first attempt is drawn from: the deployments of a tier
    /// that have a weight, then those that have none.
    fn absences(&self) -> Vec<BTreeSet<String>> {
        let mut levels: BTreeMap<(i64, bool), BTreeSet<String>> = BTreeMap::new();
        for share in &self.shares {
            let level = levels.entry((share.tier, share.weight == 0)).or_default();
            level.extend(share.credential.clone());
        }
        let mut up_to = BTreeSet::new();
        let mut all_up_to = Vec::new();
        for level in levels.values() {
            up_to.extend(level.iter().cloned());
            all_up_to.push(up_to.clone());
        }
        let single = up_to.into_iter().map(|id| BTreeSet::from([id]));
        let mut parts: Vec<BTreeSet<String>> = Vec::new();
        for part in levels.into_values().chain(single) {
            if parts.len() < ABSENCES_MAX && !parts.contains(&part) && !part.is_empty() {
                parts.push(part);
            }
        }
        let mut sets = vec![BTreeSet::new()];
        for part in &parts {
            let more: Vec<BTreeSet<String>> = sets.iter().map(|set| set | part).collect();
            sets.extend(more);
        }
        let mut absences = Vec::new();
        for without in sets.into_iter().chain(all_up_to) {
            let leaves_one = without.is_empty() || self.shares.iter().any(|share| share.is_left(&without));
            if leaves_one && !absences.contains(&without) {
                absences.push(without);
            }
        }
        absences
    }

    /// Number of attempts before the sequence repeats: at most one per distinct deployment.
    fn picks(&self, pool: &Pool) -> usize {
        let shares = self.shares.iter().filter(|share| share.is_left(&pool.without));
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

    /// The deployments that may follow `chosen`: among the untried ones in `pool`, those of the
    /// lowest order; among these, preferably those with a weight; among these, preferably those in
    /// an untried region. Never empty while such a deployment is untried.
    fn candidates(&self, chosen: &[usize], pool: &Pool) -> Vec<usize> {
        let tried: BTreeSet<usize> = self.shares_of(chosen).map(|share| share.twin).collect();
        let shares = || {
            self.shares
                .iter()
                .enumerate()
                .filter(|(_, share)| !tried.contains(&share.twin) && share.is_left(&pool.without))
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
        if pool.order == Order::Rotation
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

    /// Adds every sequence that can be drawn from `pool` to the known ones. Returns `None` if there
    /// are too many.
    fn list(&self, pool: &Pool, examined: &mut usize) -> Option<Vec<Vec<String>>> {
        let mut sequences = self.sequences.clone();
        let mut open: Vec<Vec<usize>> = vec![Vec::new()];
        while let Some(chosen) = open.pop() {
            *examined = examined.saturating_add(1);
            if chosen.len() < self.picks(pool) {
                for next in self.candidates(&chosen, pool).into_iter().rev() {
                    let mut longer = chosen.clone();
                    longer.push(next);
                    open.push(longer);
                }
            } else {
                let sequence = self.clusters(&self.repeat(chosen));
                if !sequences.contains(&sequence) {
                    sequences.push(sequence);
                }
            }
            let too_many = sequences.len() > SEQUENCES_MAX || *examined > DRAWS_EXAMINED_MAX;
            if too_many && pool.order == Order::Drawn {
                return None;
            }
        }
        Some(sequences)
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

impl Share {
    /// Whether it is left `without` some credentials.
    fn is_left(&self, without: &BTreeSet<String>) -> bool {
        self.credential.as_ref().is_none_or(|id| !without.contains(id))
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
