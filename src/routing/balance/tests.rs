use super::*;
use crate::contract::settings::{CredentialSettings, DeploymentSettings, EnvName};

fn deployment(cluster: &str, weight: u64, order: i64) -> DeploymentSettings {
    DeploymentSettings {
        id: String::new(),
        model: "anthropic.claude-v2".into(),
        region: "us-west-2".into(),
        cluster: cluster.into(),
        authority: "localhost".into(),
        base_path: String::new(),
        credentials: CredentialSettings::Bearer {
            api_key: EnvName("KEY".into()),
        },
        weight,
        order,
        rates: None,
        base_model: None,
        routing: Default::default(),
    }
}

/// Deployments with distinct credentials.
fn balance(deployments: &[(&str, u64, i64)], attempts: u32) -> Balance {
    let deployments = deployments.iter().enumerate();
    let deployments = deployments.map(|(index, &(cluster, weight, order))| {
        let api_key = EnvName(format!("KEY_{index}"));
        DeploymentSettings {
            credentials: CredentialSettings::Bearer { api_key },
            ..deployment(cluster, weight, order)
        }
    });
    balance_of(deployments, attempts)
}

fn balance_of(deployments: impl IntoIterator<Item = DeploymentSettings>, attempts: u32) -> Balance {
    Balance::new(
        &ModelSettings {
            guardrail: None,
            routing: Default::default(),
            name: "m".into(),
            deployments: deployments.into_iter().collect(),
        },
        attempts,
    )
}

fn names(balance: &Balance) -> Vec<String> {
    let join = |clusters: &Vec<String>| failover_cluster(clusters.iter().map(String::as_str));
    balance.sequences().iter().map(join).collect()
}

/// Draws many requests, asserts that each sequence is listed, and counts first attempts by
/// deployment.
fn first_attempts(balance: &Balance, deployments: usize, requests: u64) -> Vec<u64> {
    let listed = names(balance);
    let mut random = Random::new(42);
    let mut first = vec![0; deployments];
    for _ in 0..requests {
        let drawn = balance.draw(&mut random, |_| true);
        assert_eq!(drawn.len(), balance.attempts);
        assert!(
            listed.contains(&balance.cluster(&drawn)),
            "{drawn:?} is not among {listed:?}"
        );
        first[drawn[0]] += 1;
    }
    first
}

#[test]
fn two_regions_are_tried_in_both_orders() {
    let balance = balance(&[("west", 1, 0), ("east", 1, 0)], 3);
    assert_eq!(names(&balance), ["west+east+west", "east+west+east"]);
}

#[test]
fn a_single_region_is_tried_on_every_attempt() {
    assert_eq!(names(&balance(&[("west", 1, 0)], 3)), ["west+west+west"]);
    assert_eq!(names(&balance(&[("west", 1, 0)], 1)), ["west+"]);
}

#[test]
fn another_region_is_preferred_over_another_account_in_the_same() {
    let balance = balance(&[("west", 1, 0), ("west", 1, 0), ("east", 1, 0)], 3);
    assert_eq!(names(&balance), ["west+east+west", "east+west+west"]);
}

#[test]
fn every_deployment_is_tried_before_any_is_repeated() {
    let balance = balance(&[("a", 5, 0), ("a", 1, 0), ("b", 0, 0), ("c", 1, 1)], 6);
    let mut random = Random::new(3);
    for _ in 0..200 {
        let drawn = balance.draw(&mut random, |_| true);
        let mut once = drawn[..4].to_vec();
        once.sort_unstable();
        assert_eq!(once, [0, 1, 2, 3]);
        assert_eq!(drawn[4..], drawn[..2]);
    }
}

#[test]
fn identical_entries_count_as_one_deployment_with_their_total_weight() {
    let (west, east) = (deployment("west", 1, 0), deployment("east", 1, 0));
    let spread = balance_of([west.clone(), west.clone(), east], 3);
    assert_eq!(names(&spread), ["west+east+west", "east+west+east"]);
    let first = first_attempts(&spread, 3, 9_000);
    for share in first {
        assert!((2_800..3_200).contains(&share), "{share}");
    }
    assert_eq!(names(&balance_of([west.clone(), west], 2)), ["west+west"]);
}

#[test]
fn every_distinct_deployment_is_tried_first_within_a_region_too() {
    let account = |name: &str| DeploymentSettings {
        credentials: CredentialSettings::Bearer {
            api_key: EnvName(name.into()),
        },
        ..deployment("west", 1, 0)
    };
    // Entries 0, 1 and 3 are the same deployment.
    let spread = balance_of(["a", "a", "b", "a", "c"].map(account), 4);
    let mut random = Random::new(5);
    for _ in 0..200 {
        let kinds: Vec<usize> = spread
            .draw(&mut random, |_| true)
            .iter()
            .map(|&i| spread.shares[i].twin)
            .collect();
        let mut once = kinds[..3].to_vec();
        once.sort_unstable();
        assert_eq!(once, [0, 2, 4], "{kinds:?}");
        assert_eq!(kinds[3], kinds[0]);
    }
}

#[test]
fn first_attempts_follow_the_weights() {
    let spread = balance(&[("west", 9, 0), ("east", 1, 0)], 2);
    let first = first_attempts(&spread, 2, 10_000);
    assert!((8_850..9_150).contains(&first[0]), "{first:?}");
}

#[test]
fn deployments_without_weights_are_drawn_equally() {
    let spread = balance(&[("a", 0, 0), ("b", 0, 0), ("c", 0, 0)], 2);
    for share in first_attempts(&spread, 3, 9_000) {
        assert!((2_800..3_200).contains(&share), "{share}");
    }
}

#[test]
fn a_deployment_of_weight_zero_is_only_used_for_retries() {
    let spread = balance(&[("west", 3, 0), ("east", 0, 0)], 2);
    assert_eq!(first_attempts(&spread, 2, 500), [500, 0]);
    assert_eq!(names(&spread), ["west+east"]);
}

#[test]
fn a_higher_order_is_only_tried_after_a_lower_one() {
    let spread = balance(&[("late", 9, 2), ("a", 1, 1), ("b", 1, 1)], 3);
    assert_eq!(names(&spread), ["a+b+late", "b+a+late"]);
}

#[test]
fn many_regions_rotate_but_keep_the_weights_of_the_first_attempt() {
    let regions: Vec<String> = (0..10).map(|n| format!("r{n}")).collect();
    let deployments: Vec<(&str, u64, i64)> = regions.iter().map(|name| (name.as_str(), 1, 0)).collect();
    let spread = balance(&deployments, 3);
    assert_eq!(spread.sequences().len(), 10);
    assert!(names(&spread).contains(&"r9+r0+r1".to_string()));
    for share in first_attempts(&spread, 10, 10_000) {
        assert!((850..1_150).contains(&share), "{share}");
    }
}

#[test]
fn four_regions_are_drawn_in_all_orders_and_five_rotate() {
    let four = balance(&[("a", 1, 0), ("b", 1, 0), ("c", 1, 0), ("d", 1, 0)], 3);
    assert_eq!(four.sequences().len(), SEQUENCES_MAX);
    let five = balance(
        &[("a", 1, 0), ("b", 1, 0), ("c", 1, 0), ("d", 1, 0), ("e", 1, 0)],
        3,
    );
    assert_eq!(five.sequences().len(), 5);
}

#[test]
fn listing_many_accounts_in_few_regions_takes_bounded_time() {
    let deployments: Vec<(&str, u64, i64)> = (0..40)
        .map(|n| (if n % 2 == 0 { "west" } else { "east" }, 1, 0))
        .collect();
    let spread = balance(&deployments, 11);
    first_attempts(&spread, 40, 200);
}

/// Deployments in a cluster and a tier, with a credential of the broker or, without a name, with an
/// API key.
fn brokered(deployments: &[(&str, i64, &str)], attempts: u32) -> Balance {
    let deployments = deployments.iter().map(|&(cluster, order, id)| {
        let credentials = match id {
            "" => CredentialSettings::Bearer {
                api_key: EnvName("KEY".into()),
            },
            id => CredentialSettings::Brokered {
                id: id.into(),
                bearer: false,
                environment: None,
            },
        };
        DeploymentSettings {
            credentials,
            ..deployment(cluster, 1, order)
        }
    });
    balance_of(deployments, attempts)
}

/// The sequences that are drawn while these credentials are missing. Asserts that each is listed.
fn drawn_without(balance: &Balance, missing: &[&str]) -> BTreeSet<String> {
    let usable = |index: usize| {
        let id = balance.shares[index].credential.as_deref();
        id.is_none_or(|id| !missing.contains(&id))
    };
    let listed = names(balance);
    let draw = |seed| balance.cluster(&balance.draw(&mut Random::new(seed), usable));
    let drawn: BTreeSet<String> = (0..100).map(draw).collect();
    for name in &drawn {
        assert!(listed.contains(name), "{name} is not among {listed:?}");
    }
    drawn
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[test]
fn an_order_without_credentials_is_left_out() {
    let tiers = brokered(&[("west", 1, "a"), ("east", 2, "b"), ("north", 3, "c")], 3);
    for (missing, expected) in [
        (&[][..], "west+east+north"),
        (&["a"], "east+north+east"),
        (&["b"], "west+north+west"),
        (&["a", "b"], "north+north+north"),
    ] {
        assert_eq!(drawn_without(&tiers, missing), set([expected]), "{missing:?}");
    }
    drawn_without(&tiers, &["a", "b", "c"]);
    assert_eq!(names(&tiers)[0], "west+east+north");
    assert_eq!(tiers.sequences().len(), 7);
}

#[test]
fn a_retry_never_waits_for_credentials_of_its_order() {
    let mixed = [("west", 1, "a"), ("east", 1, ""), ("north", 2, "")];
    let mixed = brokered(&mixed, 2);
    assert_eq!(drawn_without(&mixed, &["a"]), set(["east+north"]));
    let accounts = [("west", 1, "a"), ("east", 1, "b"), ("north", 2, "")];
    let accounts = brokered(&accounts, 3);
    assert_eq!(drawn_without(&accounts, &["a"]), set(["east+north+east"]));
    assert_eq!(drawn_without(&accounts, &["b"]), set(["west+north+west"]));
    assert_eq!(drawn_without(&accounts, &["a", "b"]), set(["north+north+north"]));
    assert_eq!(
        drawn_without(&accounts, &[]),
        set(["west+east+north", "east+west+north"])
    );
}

#[test]
fn remaining_attempts_repeat_the_deployments_with_credentials() {
    let accounts = brokered(&[("west", 0, "a"), ("east", 0, "b")], 3);
    assert_eq!(drawn_without(&accounts, &["a"]), set(["east+east+east"]));
    let shared = brokered(&[("west", 0, "a"), ("east", 0, "a"), ("north", 0, "b")], 3);
    assert_eq!(drawn_without(&shared, &["a"]), set(["north+north+north"]));
    assert_eq!(
        drawn_without(&shared, &["b"]),
        set(["west+east+west", "east+west+east"])
    );
}

#[test]
fn a_shared_credential_or_one_that_cannot_be_missing_adds_no_sequences() {
    let shared = brokered(&[("west", 0, "a"), ("east", 0, "a")], 2);
    assert_eq!(names(&shared), ["west+east", "east+west"]);
    let api_keys = brokered(&[("west", 1, ""), ("east", 2, "")], 2);
    assert_eq!(names(&api_keys), ["west+east"]);
}

#[test]
fn a_credential_that_only_some_regions_lack_is_not_left_out() {
    let shared = brokered(&[("west", 1, "a"), ("west", 1, "b"), ("east", 1, "a")], 2);
    let mut first = BTreeSet::new();
    for seed in 0..20 {
        let drawn = shared.draw(&mut Random::new(seed), |index| index != 0);
        assert!(names(&shared).contains(&shared.cluster(&drawn)));
        first.insert(drawn[0]);
    }
    assert_eq!(first, BTreeSet::from([1, 2]));
}

#[test]
fn whatever_is_missing_the_first_attempt_has_credentials_and_a_cluster() {
    let ids = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let one_order = |count: usize| ids.iter().take(count).map(|id| (*id, 1, *id));
    let static_last = [("i", 2, "i"), ("j", 3, "")];
    let rising = (1..).zip(ids).map(|(order, id)| (id, order, id));
    for (deployments, order) in [
        (one_order(4).collect::<Vec<_>>(), Order::Drawn),
        (one_order(4).chain(static_last).collect(), Order::Drawn),
        (one_order(8).collect(), Order::Rotation),
        (one_order(8).chain(static_last).collect(), Order::Rotation),
        (rising.collect(), Order::Drawn),
    ] {
        let balance = brokered(&deployments, 3);
        assert_eq!(balance.pools[0].order, order);
        first_attempts_are_usable(&balance);
    }
    let backups = (0..).zip(ids).map(|(index, id)| DeploymentSettings {
        credentials: CredentialSettings::Brokered {
            id: id.into(),
            bearer: false,
            environment: None,
        },
        ..deployment(id, u64::from(index < 6), 0)
    });
    first_attempts_are_usable(&balance_of(backups, 3));
}

/// Draws with every subset of the deployments, whose credentials differ.
fn first_attempts_are_usable(balance: &Balance) {
    let listed = names(balance);
    assert!(listed.len() <= 2 * SEQUENCES_MAX, "{}", listed.len());
    for mask in 0u64..1 << balance.shares.len() {
        let usable = |index: usize| balance.shares[index].credential.is_none() || mask >> index & 1 == 1;
        let drawn = balance.draw(&mut Random::new(mask), usable);
        assert!(listed.contains(&balance.cluster(&drawn)), "{mask:b}: {drawn:?}");
        let is_any_usable = (0..balance.shares.len()).any(usable);
        assert_eq!(usable(drawn[0]), is_any_usable, "{mask:b}: {drawn:?}");
    }
}
