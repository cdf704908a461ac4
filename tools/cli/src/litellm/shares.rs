//! LiteLLM's simple-shuffle: the share of the first attempts that each deployment of a model group
//! gets.
//!
//! The first of `weight`, `rpm` and `tpm` that is positive for any deployment of the group decides.
//! A deployment without that number is only tried after another has failed, and one where it is 0
//! is drained: it gets no requests at all. If none is positive, all shares are equal.

/// Largest accepted value of a weight or rate: a sum of a million of them does not overflow.
pub(crate) const RATE_MAX: f64 = 1e12;
/// Factor that turns fractional weights, and those of their siblings, into whole numbers.
const SCALE: f64 = 1e6;

/// What the configuration of a deployment says about its share.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct StatedShare {
    /// `weight`.
    pub weight: Option<f64>,
    /// `rpm`.
    pub rpm: Option<f64>,
    /// `tpm`.
    pub tpm: Option<f64>,
}

/// The share that a deployment gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AssignedShare {
    /// This positive weight among its siblings.
    Weighted(u64),
    /// Only attempts after another deployment has failed: a sibling has a `.0`, this one has none.
    Backup(&'static str),
    /// Nothing: its `.0` is 0, and that of a sibling is positive.
    Drained(&'static str),
}

/// One of the numbers that can decide: its name and how to read it.
type ShareMetric = (&'static str, fn(&StatedShare) -> Option<f64>);

const METRICS: [ShareMetric; 3] = [
    ("weight", |stated| stated.weight),
    ("rpm", |stated| stated.rpm),
    ("tpm", |stated| stated.tpm),
];

/// The shares of deployments with the same model group and `order`. No number is negative or above
/// [`RATE_MAX`].
pub(crate) fn shares(siblings: &[StatedShare]) -> Vec<AssignedShare> {
    let decides = |(_, of): &&ShareMetric| siblings.iter().filter_map(of).any(|rate| rate > 0.0);
    let Some((name, of)) = METRICS.iter().find(decides) else {
        return vec![AssignedShare::Weighted(1); siblings.len()];
    };
    let is_fractional = siblings.iter().filter_map(of).any(|rate| rate.fract() != 0.0);
    let scale = if is_fractional { SCALE } else { 1.0 };
    let share = |stated: &StatedShare| match of(stated) {
        None => AssignedShare::Backup(name),
        Some(rate) if rate > 0.0 => AssignedShare::Weighted(((rate * scale).round() as u64).max(1)),
        Some(_) => AssignedShare::Drained(name),
    };
    siblings.iter().map(share).collect()
}

/// The shares of `siblings` next to `others`, which take part in the decision but cannot be served.
/// A drained deployment stays drained. If no sibling has a weight, the backups share the
/// requests.
pub(crate) fn shares_beside(
    siblings: &[StatedShare],
    others: impl Iterator<Item = StatedShare>,
) -> Vec<AssignedShare> {
    let all: Vec<StatedShare> = siblings.iter().copied().chain(others).collect();
    let mut decided = shares(&all);
    decided.truncate(siblings.len());
    if decided
        .iter()
        .any(|share| matches!(share, AssignedShare::Weighted(_)))
    {
        return decided;
    }
    let is_backup = |share: &AssignedShare| matches!(share, AssignedShare::Backup(_));
    let backups: Vec<StatedShare> = siblings
        .iter()
        .zip(&decided)
        .filter(|(_, share)| is_backup(share))
        .map(|(stated, _)| *stated)
        .collect();
    let mut among_backups = shares(&backups).into_iter();
    for share in decided.iter_mut().filter(|share| is_backup(share)) {
        if let Some(assigned) = among_backups.next() {
            *share = assigned;
        }
    }
    decided
}

#[cfg(test)]
mod tests {
    use super::AssignedShare::{Backup, Drained, Weighted};
    use super::*;

    fn weights(weights: &[Option<f64>]) -> Vec<AssignedShare> {
        let stated = |weight: &Option<f64>| StatedShare {
            weight: *weight,
            ..StatedShare::default()
        };
        shares(&weights.iter().map(stated).collect::<Vec<_>>())
    }

    #[test]
    fn weight_takes_precedence_over_rpm_and_rpm_over_tpm() {
        let all = StatedShare {
            weight: Some(9.0),
            rpm: Some(1.0),
            tpm: Some(2.0),
        };
        let bare = StatedShare {
            rpm: Some(3.0),
            tpm: Some(4.0),
            ..StatedShare::default()
        };
        assert_eq!(shares(&[all, bare]), [Weighted(9), Backup("weight")]);
        assert_eq!(shares(&[bare, bare]), [Weighted(3), Weighted(3)]);
        let tokens = StatedShare {
            tpm: Some(4.0),
            ..StatedShare::default()
        };
        assert_eq!(
            shares(&[tokens, StatedShare::default()]),
            [Weighted(4), Backup("tpm")]
        );
    }

    #[test]
    fn a_weight_of_zero_drains_and_a_missing_one_means_standby() {
        assert_eq!(
            weights(&[Some(2.0), Some(0.0), None]),
            [Weighted(2), Drained("weight"), Backup("weight")]
        );
    }

    #[test]
    fn without_a_positive_number_all_are_equal() {
        assert_eq!(weights(&[None, None]), [Weighted(1), Weighted(1)]);
        assert_eq!(weights(&[Some(0.0), Some(0.0)]), [Weighted(1), Weighted(1)]);
        assert_eq!(weights(&[Some(0.0), None]), [Weighted(1), Weighted(1)]);
    }

    #[test]
    fn zero_weights_leave_the_decision_to_rpm() {
        let stated = |rpm| StatedShare {
            weight: Some(0.0),
            rpm: Some(rpm),
            tpm: None,
        };
        assert_eq!(shares(&[stated(1.0), stated(3.0)]), [Weighted(1), Weighted(3)]);
    }

    #[test]
    fn fractions_scale_all_siblings() {
        assert_eq!(
            weights(&[Some(0.9), Some(0.1)]),
            [Weighted(900_000), Weighted(100_000)]
        );
        assert_eq!(
            weights(&[Some(1.5), Some(1.0)]),
            [Weighted(1_500_000), Weighted(1_000_000)]
        );
        assert_eq!(
            weights(&[Some(1e-9), Some(1.0)]),
            [Weighted(1), Weighted(1_000_000)]
        );
    }
}
