//! Which deployment of a model group an attempt goes to.
//!
//! A deployment that can serve the request is better than one that is cooling down; then one that
//! the request has tried less often is better; then those of the lowest `order`, those with a
//! weight, and those in the region that the request has not tried for the longest time. Among
//! equals, the strategy decides, unless the request belongs to a session: then it is always the
//! same one.

use std::cmp::Ordering;
use std::rc::Rc;

use crate::contract::routing::Strategy;
use crate::random::Random;
use crate::routing::deployment::Deployment;
use crate::time::UnixTime;

/// What matters about a deployment at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    /// How often the request has tried it.
    pub(crate) tried: usize,
    /// Until when it cools down.
    pub(crate) cooling: Option<UnixTime>,
    /// The number of the request's last attempt in its region; 0 if there was none.
    pub(crate) region_tried: usize,
}

/// How to choose among deployments that are equally good.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiebreak {
    pub(crate) strategy: Strategy,
    /// For [`Strategy::LatencyBased`], see
    /// [`latency_buffer`](crate::contract::routing::RoutingSettings::latency_buffer).
    pub(crate) latency_buffer: f64,
    /// The digest of the session that the request belongs to.
    pub(crate) session: Option<u64>,
}

/// Chooses a deployment. `condition` is `None` for one that cannot be used. `load` is what the
/// strategy compares, the less the better; it is not called for
/// [`Strategy::SimpleShuffle`].
pub(crate) fn choose(
    deployments: &[Rc<Deployment>],
    condition: impl Fn(&Deployment) -> Option<Condition>,
    tiebreak: Tiebreak,
    load: impl Fn(&Deployment) -> u64,
    random: &mut Random,
) -> Option<usize> {
    let (mut best, mut equals) = (None, Vec::new());
    for (index, deployment) in deployments.iter().enumerate() {
        let Some(condition) = condition(deployment) else {
            continue;
        };
        let rank = rank(deployment, condition);
        match best.as_ref().map(|best| rank.cmp(best)) {
            Some(Ordering::Greater) => continue,
            Some(Ordering::Equal) => {}
            Some(Ordering::Less) | None => {
                equals.clear();
                best = Some(rank);
            }
        }
        equals.push(index);
    }
    if let [only] = equals[..] {
        return Some(only);
    }
    let weight = |index: usize| deployments.get(index).map_or(0, |deployment| deployment.weight);
    let load = |index: usize| {
        deployments
            .get(index)
            .map_or(u64::MAX, |deployment| load(deployment))
    };
    if let Some(session) = tiebreak.session {
        let digest = |index: usize| deployments.get(index).map_or(0, |deployment| deployment.digest.0);
        return equals.into_iter().min_by(|&one, &other| {
            let one = distance(session, digest(one), weight(one));
            one.total_cmp(&distance(session, digest(other), weight(other)))
        });
    }
    match tiebreak.strategy {
        Strategy::SimpleShuffle => by_weight(&equals, weight, random),
        Strategy::LatencyBased => any(&least(equals, load, tiebreak.latency_buffer), random),
        Strategy::LeastBusy | Strategy::UsageBased | Strategy::CostBased => {
            any(&least(equals, load, 0.0), random)
        }
    }
}

/// The lower, the better.
fn rank(deployment: &Deployment, condition: Condition) -> impl Ord {
    let Condition {
        tried,
        cooling,
        region_tried,
    } = condition;
    let until = cooling.map_or(0, UnixTime::nanoseconds);
    let has_no_weight = deployment.weight == 0;
    (
        cooling.is_some(),
        tried,
        until,
        deployment.order,
        has_no_weight,
        region_tried,
    )
}

/// Rendezvous hashing: the deployment with the smallest distance from the session keeps it as long
/// as it is there, and each gets sessions in proportion to its weight.
fn distance(session: u64, deployment: u64, weight: u64) -> f64 {
    let drawn = Random::new(session ^ deployment.rotate_left(32)).draw();
    // A fraction between 0 and 1, both excluded.
    let fraction = (to_f64(drawn >> 11) + 0.5) / to_f64(1 << 53);
    -fraction.ln() / to_f64(weight.max(1))
}

/// Exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "only compared")]
const fn to_f64(number: u64) -> f64 {
    number as f64
}

/// Those whose load is the least, or exceeds it by no more than the fraction `buffer`.
fn least(equals: Vec<usize>, load: impl Fn(usize) -> u64, buffer: f64) -> Vec<usize> {
    let loads: Vec<(usize, u64)> = equals.into_iter().map(|index| (index, load(index))).collect();
    let least = loads.iter().map(|(_, load)| *load).min().unwrap_or_default();
    let most = to_f64(least) * (1.0 + buffer);
    let is_least = |load: u64| load == least || to_f64(load).total_cmp(&most) != Ordering::Greater;
    let kept = loads.into_iter().filter(|(_, load)| is_least(*load));
    kept.map(|(index, _)| index).collect()
}

fn by_weight(equals: &[usize], weight: impl Fn(usize) -> u64, random: &mut Random) -> Option<usize> {
    let total = equals
        .iter()
        .fold(0u64, |total, &index| total.saturating_add(weight(index)));
    if total == 0 {
        return any(equals, random);
    }
    let mut left = random.below(total);
    for &index in equals {
        match left.checked_sub(weight(index)) {
            Some(rest) => left = rest,
            None => return Some(index),
        }
    }
    equals.last().copied()
}

fn any(equals: &[usize], random: &mut Random) -> Option<usize> {
    let drawn = random.below(u64::try_from(equals.len()).unwrap_or(0));
    equals.get(usize::try_from(drawn).ok()?).copied()
}

#[cfg(test)]
mod tests;
