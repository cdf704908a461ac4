use std::collections::BTreeSet;

use super::*;
use crate::contract::settings::{CredentialSettings, DeploymentSettings, EnvName};
use crate::routing::deployment::Credentials;
use crate::secret::Secret;

const SHUFFLE: Tiebreak = Tiebreak {
    strategy: Strategy::SimpleShuffle,
    latency_buffer: 0.0,
    session: None,
};

/// Deployments in a cluster, with a weight, an order and an account.
fn group(deployments: &[(&str, u64, i64, &str)]) -> Vec<Rc<Deployment>> {
    let deployments = (0..).zip(deployments);
    let deployments = deployments.map(|(index, &(cluster, weight, order, account))| {
        let settings = DeploymentSettings {
            id: format!("d{index}"),
            model: "anthropic.claude-v2".into(),
            region: "us-west-2".into(),
            cluster: cluster.into(),
            authority: "localhost".into(),
            base_path: String::new(),
            credentials: CredentialSettings::Bearer {
                api_key: EnvName(account.into()),
            },
            weight,
            order,
            rates: None,
            base_model: None,
            routing: Default::default(),
        };
        let credentials = Credentials::Bearer(Secret::new("Bearer k"));
        Rc::new(Deployment::new(index, &settings, credentials))
    });
    deployments.collect()
}

/// What a request knows of a deployment when it has tried these.
fn condition(group: &[Rc<Deployment>], tried: &[usize], deployment: &Deployment) -> Condition {
    let tried = tried.iter().map(|&index| &group[index]);
    Condition {
        tried: tried
            .clone()
            .filter(|other| other.digest == deployment.digest)
            .count(),
        cooling: None,
        region_tried: region_tried(tried, deployment),
    }
}

fn region_tried<'a>(tried: impl Iterator<Item = &'a Rc<Deployment>>, deployment: &Deployment) -> usize {
    let numbered = (1..).zip(tried);
    let here = numbered.filter(|(_, other)| other.cluster == deployment.cluster);
    here.map(|(number, _)| number).last().unwrap_or(0)
}

/// The clusters of a request whose attempts all fail, among the deployments that are `usable`.
fn sequence(
    group: &[Rc<Deployment>],
    attempts: usize,
    random: &mut Random,
    usable: impl Fn(&Deployment) -> bool,
) -> Vec<usize> {
    let mut tried = Vec::new();
    for _ in 0..attempts {
        let condition =
            |deployment: &Deployment| usable(deployment).then(|| condition(group, &tried, deployment));
        tried.extend(choose(group, condition, SHUFFLE, |_| 0, random));
    }
    tried
}

/// All sequences that can be drawn.
fn sequences(group: &[Rc<Deployment>], attempts: usize) -> BTreeSet<String> {
    let mut random = Random::new(1);
    let mut draw = || sequence(group, attempts, &mut random, |_| true);
    let join = |drawn: Vec<usize>| {
        let clusters: Vec<&str> = drawn.iter().map(|&index| &*group[index].cluster).collect();
        clusters.join("+")
    };
    (0..200).map(|_| join(draw())).collect()
}

/// How often each deployment is the first one of `requests`.
fn first_attempts(group: &[Rc<Deployment>], requests: u64) -> Vec<u64> {
    let mut random = Random::new(42);
    let mut first = vec![0; group.len()];
    for _ in 0..requests {
        first[sequence(group, 1, &mut random, |_| true)[0]] += 1;
    }
    first
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[test]
fn two_regions_are_tried_in_both_orders() {
    let pair = group(&[("west", 1, 0, "a"), ("east", 1, 0, "a")]);
    assert_eq!(sequences(&pair, 3), set(["west+east+west", "east+west+east"]));
    assert_eq!(
        sequences(&group(&[("west", 1, 0, "a")]), 3),
        set(["west+west+west"])
    );
}

#[test]
fn another_region_is_preferred_over_another_account_in_the_same() {
    let accounts = group(&[("west", 1, 0, "a"), ("west", 1, 0, "b"), ("east", 1, 0, "a")]);
    assert_eq!(sequences(&accounts, 3), set(["west+east+west", "east+west+west"]));
}

#[test]
fn every_deployment_is_tried_before_any_is_repeated() {
    let group = group(&[
        ("a", 5, 0, "x"),
        ("a", 1, 0, "y"),
        ("b", 0, 0, "x"),
        ("c", 1, 1, "x"),
    ]);
    let mut random = Random::new(3);
    for _ in 0..200 {
        let drawn = sequence(&group, 8, &mut random, |_| true);
        for round in drawn.chunks(4) {
            assert_eq!(
                BTreeSet::from_iter(round),
                BTreeSet::from([&0, &1, &2, &3]),
                "{drawn:?}"
            );
        }
    }
}

#[test]
fn equal_entries_count_as_one_deployment_with_their_total_weight() {
    let group = group(&[("west", 1, 0, "a"), ("west", 1, 0, "a"), ("east", 1, 0, "a")]);
    assert_eq!(sequences(&group, 2), set(["west+east", "east+west"]));
    for share in first_attempts(&group, 9_000) {
        assert!((2_800..3_200).contains(&share), "{share}");
    }
}

#[test]
fn first_attempts_follow_the_weights() {
    let weighted = group(&[("west", 9, 0, "a"), ("east", 1, 0, "a")]);
    let first = first_attempts(&weighted, 10_000);
    assert!((8_850..9_150).contains(&first[0]), "{first:?}");
    let equal = group(&[("a", 0, 0, "a"), ("b", 0, 0, "a"), ("c", 0, 0, "a")]);
    for share in first_attempts(&equal, 9_000) {
        assert!((2_800..3_200).contains(&share), "{share}");
    }
}

#[test]
fn a_deployment_of_weight_zero_is_only_used_for_retries() {
    let group = group(&[("west", 3, 0, "a"), ("east", 0, 0, "a")]);
    assert_eq!(first_attempts(&group, 500), [500, 0]);
    assert_eq!(sequences(&group, 2), set(["west+east"]));
}

#[test]
fn a_higher_order_is_only_tried_after_a_lower_one() {
    let group = group(&[("late", 9, 2, "a"), ("a", 1, 1, "a"), ("b", 1, 1, "a")]);
    assert_eq!(sequences(&group, 3), set(["a+b+late", "b+a+late"]));
}

#[test]
fn deployments_that_cannot_be_used_are_left_out_of_all_attempts() {
    let group = group(&[("west", 1, 1, "a"), ("east", 1, 2, "a"), ("north", 1, 3, "a")]);
    let without = |gone: &str| {
        let mut random = Random::new(1);
        let drawn = sequence(&group, 3, &mut random, |deployment| deployment.cluster != gone);
        drawn
            .iter()
            .map(|&index| group[index].cluster.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(without("west"), ["east", "north", "east"]);
    assert_eq!(without("east"), ["west", "north", "west"]);
    assert_eq!(sequence(&group, 3, &mut Random::new(1), |_| false), [0usize; 0]);
}

/// The deployment that is chosen if these cool down until then.
fn chosen(group: &[Rc<Deployment>], cooling: &[Option<u64>], tried: &[usize]) -> usize {
    let condition = |deployment: &Deployment| {
        let until = cooling[deployment.index as usize].map(UnixTime::from_seconds);
        Some(Condition {
            cooling: until,
            ..condition(group, tried, deployment)
        })
    };
    choose(group, condition, SHUFFLE, |_| 0, &mut Random::new(1)).unwrap()
}

#[test]
fn one_that_cools_down_is_the_last_resort_whatever_its_order() {
    let group = group(&[("west", 1, 1, "a"), ("east", 1, 2, "a"), ("north", 1, 3, "a")]);
    assert_eq!(chosen(&group, &[Some(9), None, None], &[]), 1);
    assert_eq!(chosen(&group, &[Some(9), Some(1), None], &[2]), 2);
    // Of those that cool down, one that this request has not tried, then the one that is ready first.
    assert_eq!(chosen(&group, &[Some(9), Some(7), Some(8)], &[]), 1);
    assert_eq!(chosen(&group, &[Some(9), Some(7), Some(8)], &[1]), 2);
}

#[test]
fn strategies_choose_the_least_load() {
    let group = group(&[("a", 1, 0, "x"), ("b", 9, 0, "x"), ("c", 9, 0, "x")]);
    let drawn = |strategy, latency_buffer| {
        let tiebreak = Tiebreak {
            strategy,
            latency_buffer,
            session: None,
        };
        let load = |deployment: &Deployment| [100, 109, 120][deployment.index as usize];
        let mut random = Random::new(1);
        let mut draw = || {
            choose(
                &group,
                |_| Some(Condition::default()),
                tiebreak,
                load,
                &mut random,
            )
            .unwrap()
        };
        (0..100).map(|_| draw()).collect::<BTreeSet<_>>()
    };
    for strategy in [Strategy::LeastBusy, Strategy::UsageBased, Strategy::CostBased] {
        assert_eq!(drawn(strategy, 0.5), [0].into(), "{strategy:?}");
    }
    assert_eq!(drawn(Strategy::LatencyBased, 0.0), [0].into());
    assert_eq!(drawn(Strategy::LatencyBased, 0.1), [0, 1].into());
    assert_eq!(drawn(Strategy::LatencyBased, 0.2), [0, 1, 2].into());
}

#[test]
fn a_session_keeps_its_deployment_and_sessions_follow_the_weights() {
    let group = group(&[("a", 3, 0, "x"), ("b", 1, 0, "x"), ("c", 1, 0, "x")]);
    let of = |session: u64, gone: &[usize], seed| {
        let tiebreak = Tiebreak {
            session: Some(Random::new(session).draw()),
            ..SHUFFLE
        };
        let condition =
            |deployment: &Deployment| (!gone.contains(&(deployment.index as usize))).then(Condition::default);
        choose(&group, condition, tiebreak, |_| 0, &mut Random::new(seed)).unwrap()
    };
    let mut shares = [0; 3];
    for session in 0..5_000 {
        let home = of(session, &[], 1);
        shares[home] += 1;
        assert_eq!(of(session, &[], session), home);
        // Only the sessions of a deployment that is gone move.
        let other = (home + 1) % 3;
        assert_eq!(of(session, &[other], 7), home);
    }
    assert!((2_850..3_150).contains(&shares[0]), "{shares:?}");
    assert!((900..1_100).contains(&shares[1]), "{shares:?}");
}
