//! How the compiled filter spreads requests, with random bytes from the host.

use filter_tests::FaultPlan;

use crate::fixtures::{EAST, WEST, model, settings, settings_of};
use crate::scene::{Scene, clusters};

const DRAWS: usize = 4000;
/// The 99.9th percentile of chi-square with one degree of freedom. The seeds are fixed, so the
/// tests are deterministic.
const CHI_SQUARE_MAX: f64 = 10.83;

/// Whether the first attempt of each of `count` requests goes to WEST.
fn draws(scene: &Scene, alias: &str, count: usize) -> Vec<bool> {
    let draw = |_| {
        let exchange = scene.post(&format!("/model/{alias}/converse")).send().unwrap();
        let first = clusters(&exchange)[0] == WEST.cluster;
        exchange.finish().unwrap();
        first
    };
    (0..count).map(draw).collect()
}

fn chi_square(counts: &[usize], shares: &[f64]) -> f64 {
    let total: usize = counts.iter().sum();
    let term = |(count, share): (&usize, &f64)| {
        let expected = share * total as f64;
        (*count as f64 - expected).powi(2) / expected
    };
    counts.iter().zip(shares).map(term).sum()
}

#[test]
fn first_attempts_follow_the_weights() {
    let scene = Scene::new();
    for (alias, west) in [("weighted", 0.75), ("two", 0.5)] {
        let wests = draws(&scene, alias, DRAWS)
            .into_iter()
            .filter(|west| *west)
            .count();
        let statistic = chi_square(&[wests, DRAWS - wests], &[west, 1.0 - west]);
        assert!(
            statistic < CHI_SQUARE_MAX,
            "{alias}: {wests} of {DRAWS}, chi-square {statistic}"
        );
    }
}

#[test]
fn consecutive_draws_are_independent() {
    let scene = Scene::new();
    let draws = draws(&scene, "two", DRAWS);
    for lag in 1..=4 {
        let pairs = draws.iter().zip(&draws[lag..]);
        let same = pairs.clone().filter(|(a, b)| a == b).count();
        let statistic = chi_square(&[same, pairs.count() - same], &[0.5, 0.5]);
        assert!(
            statistic < CHI_SQUARE_MAX,
            "lag {lag}: {same} equal, chi-square {statistic}"
        );
    }
}

#[test]
fn workers_draw_differently_unless_they_have_the_same_seed() {
    let drawn = |seed| {
        draws(
            &Scene::start(&settings(), FaultPlan::default().random(seed)).unwrap(),
            "two",
            256,
        )
    };
    let sequences: Vec<_> = (1..=8).map(drawn).collect();
    for (index, sequence) in sequences.iter().enumerate() {
        for other in &sequences[..index] {
            let same = sequence.iter().zip(other).filter(|(a, b)| a == b).count();
            assert!((90..=166).contains(&same), "{same} of 256 are equal");
        }
    }
    assert_eq!(sequences[0], drawn(1));
}

#[test]
fn a_deployment_of_weight_zero_is_only_tried_after_another() {
    let scene = Scene::with(&settings_of(vec![model("m", &[(WEST, 0, 0), (EAST, 1, 0)])]));
    assert!(draws(&scene, "m", 500).iter().all(|west| !west));
    let exchange = scene.post("/model/m/converse").send().unwrap();
    assert_eq!(clusters(&exchange), ["us-east-1", "us-west-2", "us-east-1"]);
}
