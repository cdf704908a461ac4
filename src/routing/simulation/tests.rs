use std::fmt::Write as _;
use std::path::Path;

use super::region::RegionFate;
use super::scenarios::SimulatedCase;
use super::{SimulationOutcome, simulate};

/// The strategies, as the settings call them.
const STRATEGIES: [&str; 5] = [
    "simple-shuffle",
    "least-busy",
    "latency-based",
    "usage-based",
    "cost-based",
];
/// A minute, which is how long the scenarios take.
const END: u64 = 60_000;

fn assert_between(value: f64, least: f64, most: f64, what: &str) {
    assert!(
        (least..=most).contains(&value),
        "{what}: {value:.4} is not from {least} to {most}"
    );
}

#[test]
fn healthy_regions_share_the_requests_as_the_strategy_says() {
    for (strategy, least, most) in [
        ("simple-shuffle", 0.45, 0.55),
        ("least-busy", 0.40, 0.60),
        ("latency-based", 0.35, 0.65),
        ("usage-based", 0.48, 0.52),
        ("cost-based", 0.0, 0.0),
    ] {
        let mut scenario = SimulatedCase::healthy("healthy", strategy);
        // Without it, the fastest region gets everything, however little faster it is.
        scenario.routing = r#", "latency_buffer": 0.5"#;
        let outcome = simulate(&scenario);
        assert_between(outcome.success(), 1.0, 1.0, strategy);
        assert_between(outcome.attempts_per_request(), 1.0, 1.0, strategy);
        assert_between(outcome.share("west", 0, END), least, most, strategy);
    }
}

#[test]
fn a_slow_region_gets_few_requests_if_the_strategy_minds() {
    for (strategy, most) in [("least-busy", 0.20), ("latency-based", 0.10)] {
        let mut slow = SimulatedCase::healthy("slow", strategy);
        slow.regions[0].1 = 2000;
        let outcome = simulate(&slow);
        assert_between(outcome.success(), 1.0, 1.0, strategy);
        assert_between(outcome.share("west", 0, END), 0.0, most, strategy);
    }
}

/// LiteLLM's Bedrock route fails 7 to 17 % of the clients here.
#[test]
fn a_region_that_is_always_throttled_costs_no_client_an_error() {
    for strategy in STRATEGIES {
        let outcome = simulate(&SimulatedCase::west(
            "throttled",
            strategy,
            &[(0, RegionFate::Throttles)],
        ));
        assert_between(outcome.success(), 1.0, 1.0, strategy);
        assert_between(outcome.share("west", 1000, END), 0.0, 0.05, strategy);
        assert_between(outcome.attempts_per_request(), 1.0, 1.05, strategy);
    }
}

#[test]
fn a_region_with_little_room_is_used_for_what_it_has() {
    let fates = [(0, RegionFate::ThrottlesAbove(10))];
    let outcome = simulate(&SimulatedCase::west("little room", "simple-shuffle", &fates));
    assert_between(outcome.success(), 1.0, 1.0, "clients");
    assert_between(outcome.share("west", 0, END), 0.02, 0.30, "share");
}

#[test]
fn a_region_that_refuses_connections_costs_no_client_an_error() {
    for strategy in STRATEGIES {
        let outcome = simulate(&SimulatedCase::west(
            "refuses",
            strategy,
            &[(0, RegionFate::Refuses)],
        ));
        assert_between(outcome.success(), 1.0, 1.0, strategy);
        assert_between(outcome.share("west", 2000, END), 0.0, 0.05, strategy);
    }
}

#[test]
fn a_region_that_fails_at_random_costs_no_client_an_error() {
    let outcome = simulate(&SimulatedCase::west(
        "fails",
        "simple-shuffle",
        &[(0, RegionFate::Fails(90))],
    ));
    assert_between(outcome.success(), 0.999, 1.0, "clients");
    assert_between(outcome.share("west", 2000, END), 0.0, 0.10, "share");
}

#[test]
fn a_region_that_heals_has_its_share_again_after_a_few_cooldowns() {
    // Refused connections cool a region down when they are most of the requests of the last minute.
    for (fate, down) in [(RegionFate::Throttles, 13_000), (RegionFate::Refuses, 24_000)] {
        let fates = [(10_000, fate), (30_000, RegionFate::Healthy)];
        let outcome = simulate(&SimulatedCase::west("heals", "simple-shuffle", &fates));
        assert_between(outcome.success(), 1.0, 1.0, "clients");
        assert_between(outcome.share("west", down, 30_000), 0.0, 0.05, "while it is down");
        assert_between(outcome.share("west", 40_000, END), 0.45, 0.55, "when it is back");
    }
}

#[test]
fn a_cooldown_that_is_over_is_probed_by_one_request_at_a_time() {
    let outcome = simulate(&SimulatedCase::west(
        "probes",
        "simple-shuffle",
        &[(0, RegionFate::Throttles)],
    ));
    let mut times = outcome
        .log
        .iter()
        .filter(|(_, region)| region == "west")
        .map(|(at, _)| *at);
    let mut last = times.next().unwrap();
    let mut probes = 0;
    for at in times.filter(|at| *at > 1000) {
        assert!(at - last >= 5000, "{last} {at}");
        last = at;
        probes += 1;
    }
    assert!((8..=12).contains(&probes), "{probes}");
}

#[test]
fn with_all_regions_throttled_clients_get_429_and_retries_are_bounded() {
    let mut scenario = SimulatedCase::west("all throttled", "simple-shuffle", &[(0, RegionFate::Throttles)]);
    scenario.regions[1].2 = vec![(0, RegionFate::Throttles)];
    scenario.requests = 30_000;
    scenario.per_second = 500;
    let outcome = simulate(&scenario);
    assert_eq!(outcome.statuses.keys().collect::<Vec<_>>(), [&429]);
    // Without the retry budget, each request makes three attempts.
    assert_between(outcome.attempts_per_request(), 1.0, 1.35, "attempts per request");
}

/// A row of the table: clients with an error, attempts per request, and the west's share.
fn row(table: &mut String, scenario: &SimulatedCase, outcome: &SimulationOutcome) {
    let errors = 100.0 * (1.0 - outcome.success());
    let west = 100.0 * outcome.share("west", 0, END);
    let last = 100.0 * outcome.share("west", END - 15_000, END);
    writeln!(
        table,
        "| {} | {} | {errors:.1} % | {:.2} | {west:.0} % | {last:.0} % |",
        scenario.name,
        scenario.strategy,
        outcome.attempts_per_request()
    )
    .unwrap();
}

fn table() -> String {
    let mut table = "\
| west | strategy | clients with an error | attempts per request | west's share | in the last 15 s |
| --- | --- | ---: | ---: | ---: | ---: |
"
    .to_owned();
    let heals = [(10_000, RegionFate::Throttles), (30_000, RegionFate::Healthy)];
    let fates: [(&str, &[(u64, RegionFate)]); 5] = [
        ("healthy", &[]),
        ("always throttled", &[(0, RegionFate::Throttles)]),
        ("10 of 50 requests/s", &[(0, RegionFate::ThrottlesAbove(10))]),
        ("refuses connections", &[(0, RegionFate::Refuses)]),
        ("throttled from 10 s to 30 s", &heals),
    ];
    for (name, fates) in fates {
        for strategy in STRATEGIES {
            let scenario = SimulatedCase::west(name, strategy, fates);
            row(&mut table, &scenario, &simulate(&scenario));
        }
    }
    table
}

#[test]
fn the_table_in_the_design_is_that_of_this_simulation() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("DESIGN.md");
    let design = std::fs::read_to_string(&path).unwrap();
    let begin = "<!-- the table of src/routing/simulation -->\n\n";
    let (before, rest) = design.split_once(begin).expect("a place for the table");
    let end = rest.find("\n\n").unwrap() + 1;
    let table = table();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        let text = format!("{before}{begin}{table}{}", &rest[end..]);
        std::fs::write(&path, text).unwrap();
    } else {
        assert_eq!(&rest[..end], table, "update it with UPDATE_SNAPSHOTS=1");
    }
}
