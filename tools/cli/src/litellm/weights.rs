//! LiteLLM's simple-shuffle: which share of the first attempts each deployment of a group gets.
//!
//! `weight` decides, else `rpm`, else `tpm`: the first of them that is positive for any deployment of the group.
//! Beside such a sibling, a deployment without the number is drawn never but tried after a failure, and one that says
//! 0 is drained: it gets nothing at all. If nothing is positive, all are equal.

/// Largest weight, request or token rate that is taken; a sum of a million of them still fits.
pub(crate) const RATE_MAX: f64 = 1e12;
/// What a fractional weight is multiplied by, with all its siblings, to become a whole number.
const SCALE: f64 = 1e6;

/// What a deployment says about its share.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rates {
    /// `weight`.
    pub weight: Option<f64>,
    /// `rpm`.
    pub rpm: Option<f64>,
    /// `tpm`.
    pub tpm: Option<f64>,
}

/// What a deployment gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// This weight among its siblings; positive.
    Drawn(u64),
    /// Only after another has failed: it has no `.0` beside a sibling that has.
    Standby(&'static str),
    /// Nothing: its `.0` is 0 beside a sibling's that is positive.
    Drained(&'static str),
}

type Metric = (&'static str, fn(&Rates) -> Option<f64>);
const METRICS: [Metric; 3] = [
    ("weight", |rates| rates.weight),
    ("rpm", |rates| rates.rpm),
    ("tpm", |rates| rates.tpm),
];

/// The shares of deployments of one group and one `order`. Rates are neither negative nor above [`RATE_MAX`].
pub(crate) fn shares(siblings: &[Rates]) -> Vec<Share> {
    let decides = |(_, of): &&Metric| siblings.iter().filter_map(of).any(|rate| rate > 0.0);
    let Some((name, of)) = METRICS.iter().find(decides) else {
        return vec![Share::Drawn(1); siblings.len()];
    };
    let is_fractional = siblings.iter().filter_map(of).any(|rate| rate.fract() != 0.0);
    let scale = if is_fractional { SCALE } else { 1.0 };
    let share = |rates: &Rates| match of(rates) {
        None => Share::Standby(name),
        Some(rate) if rate > 0.0 => Share::Drawn(((rate * scale).round() as u64).max(1)),
        Some(_) => Share::Drained(name),
    };
    siblings.iter().map(share).collect()
}

/// The shares of `siblings` beside others that take part in the decision but cannot be asked: what is drained stays
/// drained, and if nothing else is drawn, the standbys are.
pub(crate) fn shares_beside(siblings: &[Rates], others: impl Iterator<Item = Rates>) -> Vec<Share> {
    let all: Vec<Rates> = siblings.iter().copied().chain(others).collect();
    let mut decided = shares(&all);
    decided.truncate(siblings.len());
    if decided.iter().any(|share| matches!(share, Share::Drawn(_))) {
        return decided;
    }
    let is_standby = |share: &Share| matches!(share, Share::Standby(_));
    let standbys: Vec<Rates> = siblings
        .iter()
        .zip(&decided)
        .filter(|(_, share)| is_standby(share))
        .map(|(rates, _)| *rates)
        .collect();
    let mut among_them = shares(&standbys).into_iter();
    for share in decided.iter_mut().filter(|share| is_standby(share)) {
        if let Some(drawn) = among_them.next() {
            *share = drawn;
        }
    }
    decided
}

#[cfg(test)]
mod tests {
    use super::Share::{Drained, Drawn, Standby};
    use super::*;

    fn weights(weights: &[Option<f64>]) -> Vec<Share> {
        let rates = |weight: &Option<f64>| Rates {
            weight: *weight,
            ..Rates::default()
        };
        shares(&weights.iter().map(rates).collect::<Vec<_>>())
    }

    #[test]
    fn weight_goes_before_rpm_and_rpm_before_tpm() {
        let all = Rates {
            weight: Some(9.0),
            rpm: Some(1.0),
            tpm: Some(2.0),
        };
        let bare = Rates {
            rpm: Some(3.0),
            tpm: Some(4.0),
            ..Rates::default()
        };
        assert_eq!(shares(&[all, bare]), [Drawn(9), Standby("weight")]);
        assert_eq!(shares(&[bare, bare]), [Drawn(3), Drawn(3)]);
        let tokens = Rates {
            tpm: Some(4.0),
            ..Rates::default()
        };
        assert_eq!(shares(&[tokens, Rates::default()]), [Drawn(4), Standby("tpm")]);
    }

    #[test]
    fn a_weight_of_zero_drains_and_a_missing_one_stands_by() {
        assert_eq!(
            weights(&[Some(2.0), Some(0.0), None]),
            [Drawn(2), Drained("weight"), Standby("weight")]
        );
    }

    #[test]
    fn without_a_positive_number_all_are_equal() {
        assert_eq!(weights(&[None, None]), [Drawn(1), Drawn(1)]);
        assert_eq!(weights(&[Some(0.0), Some(0.0)]), [Drawn(1), Drawn(1)]);
        assert_eq!(weights(&[Some(0.0), None]), [Drawn(1), Drawn(1)]);
    }

    #[test]
    fn zero_weights_leave_the_decision_to_rpm() {
        let rates = |rpm| Rates {
            weight: Some(0.0),
            rpm: Some(rpm),
            tpm: None,
        };
        assert_eq!(shares(&[rates(1.0), rates(3.0)]), [Drawn(1), Drawn(3)]);
    }

    #[test]
    fn fractions_scale_all_siblings() {
        assert_eq!(weights(&[Some(0.9), Some(0.1)]), [Drawn(900_000), Drawn(100_000)]);
        assert_eq!(
            weights(&[Some(1.5), Some(1.0)]),
            [Drawn(1_500_000), Drawn(1_000_000)]
        );
        assert_eq!(weights(&[Some(1e-9), Some(1.0)]), [Drawn(1), Drawn(1_000_000)]);
    }
}
