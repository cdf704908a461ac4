//! What the simulation must show.

use super::fleet::{Simulation, WORKERS};
use super::region::{Behavior, RegionModel};
use super::sightings::Sightings;
use super::table::{assert_documented, markdown};
use crate::contract::routing::{COOLDOWN_DEFAULT_MILLISECONDS, Strategy};

const STRATEGIES: [Strategy; 5] = [
    Strategy::SimpleShuffle,
    Strategy::LeastBusy,
    Strategy::LatencyBased,
    Strategy::UsageBased,
    Strategy::CostBased,
];
const SECONDS: u64 = 40;
const STORM_SECONDS: u64 = 15;
const END: u64 = SECONDS * 1000;
/// When a region that heals begins to fail, and when it has healed.
const BEGIN: u64 = 6;
const HEAL: u64 = 22;
/// The index of the region that fails.
const WEST: usize = 0;

const THROTTLES: Behavior = Behavior::Throttles { retry_after: None };
const WAITS: Behavior = Behavior::Throttles {
    retry_after: Some(20),
};

/// West is the one that every strategy prefers, if it has a preference.
fn pair(west: RegionModel, east: Behavior) -> [RegionModel; 2] {
    let mut east = RegionModel::new("east", east);
    east.milliseconds = 2 * west.milliseconds;
    east.price = 2 * west.price;
    [west, east]
}

fn west(behavior: Behavior) -> RegionModel {
    RegionModel::new("west", behavior)
}

fn run(strategy: Strategy, regions: [RegionModel; 2]) -> Sightings {
    let simulation = Simulation {
        strategy,
        regions: regions.into(),
        requests_per_second: 50,
        seconds: SECONDS,
    };
    simulation.run()
}

/// West always behaves like this, and east answers.
fn beside_healthy(strategy: Strategy, behavior: Behavior) -> Sightings {
    run(strategy, pair(west(behavior), Behavior::Answers))
}

/// West behaves like this for a while, and east answers.
fn healing(strategy: Strategy, behavior: Behavior) -> Sightings {
    let west = west(Behavior::Answers)
        .then(BEGIN, behavior)
        .then(HEAL, Behavior::Answers);
    run(strategy, pair(west, Behavior::Answers))
}

/// How long west takes to get its share again, in milliseconds.
fn recovery(seen: &Sightings) -> Option<u64> {
    let normal = seen.share(WEST, 0, BEGIN * 1000);
    seen.recovery(WEST, HEAL * 1000, normal)
}

/// Both behave like this, and there are many requests.
fn storm(behavior: Behavior) -> Sightings {
    let simulation = Simulation {
        strategy: Strategy::SimpleShuffle,
        regions: pair(west(behavior), behavior).into(),
        requests_per_second: 200,
        seconds: STORM_SECONDS,
    };
    simulation.run()
}

#[test]
fn while_one_of_two_regions_fails_clients_get_no_error_and_it_gets_single_probes() {
    let failures = [THROTTLES, WAITS, Behavior::Fails(100), Behavior::Refuses];
    for (strategy, behavior) in STRATEGIES.iter().flat_map(|s| failures.map(|f| (*s, f))) {
        let seen = beside_healthy(strategy, behavior);
        let told = format!("{strategy:?} {behavior:?}");
        assert_eq!(seen.errors(), 0, "{told}");
        let share = seen.share_once_cool(WEST, END).unwrap();
        assert!(share < 10, "{told}: {share} thousandths");
        assert_eq!(seen.rush[&WEST], 1, "{told}");
        // A probe for each cooldown: after 5 seconds, or 20 seconds if the region says so.
        let cooldown = if matches!(behavior, Behavior::Throttles { retry_after: Some(_) }) {
            20
        } else {
            5
        };
        let probes = seen.probes[&WEST];
        let most = SECONDS / cooldown;
        assert!((most - 1..=most).contains(&probes), "{told}: {probes} probes");
        assert!(seen.attempts_per_request() <= 102, "{told}");
    }
}

#[test]
fn a_region_that_fails_now_and_then_costs_attempts_and_no_errors() {
    for strategy in STRATEGIES {
        let seen = beside_healthy(strategy, Behavior::Fails(30));
        assert_eq!(seen.errors(), 0, "{strategy:?}");
        // A request that fails there goes to the other region, and at most all begin there.
        let attempts = seen.attempts_per_request();
        assert!((102..=133).contains(&attempts), "{strategy:?}: {attempts}");
    }
}

#[test]
fn a_region_that_throttles_above_a_rate_serves_up_to_it_between_cooldowns() {
    for strategy in STRATEGIES {
        let seen = beside_healthy(strategy, Behavior::ThrottlesAbove(10));
        assert_eq!(seen.errors(), 0, "{strategy:?}");
        let share = seen.share_once_cool(WEST, END).unwrap();
        assert!((10..=100).contains(&share), "{strategy:?}: {share} thousandths");
        assert_eq!(seen.rush[&WEST], 1, "{strategy:?}");
    }
}

#[test]
fn a_region_that_heals_has_its_share_again_within_two_cooldowns() {
    let failures = [THROTTLES, Behavior::Fails(100), Behavior::Refuses];
    for (strategy, behavior) in STRATEGIES.iter().flat_map(|s| failures.map(|f| (*s, f))) {
        let seen = healing(strategy, behavior);
        let told = format!("{strategy:?} {behavior:?}");
        assert_eq!(seen.errors(), 0, "{told}");
        assert!(seen.first_cooled[&WEST] >= BEGIN * 1000, "{told}");
        let failed = seen.share(WEST, (HEAL - 5) * 1000, HEAL * 1000);
        assert!(failed < 20, "{told}: it still gets {failed} thousandths");
        let recovery = recovery(&seen);
        let is_soon = recovery.is_some_and(|taken| taken <= 2 * COOLDOWN_DEFAULT_MILLISECONDS);
        assert!(is_soon, "{told}: {recovery:?}");
        assert_eq!(seen.rush[&WEST], 1, "{told}");
    }
}

#[test]
fn while_all_regions_fail_clients_get_their_answer_and_the_budget_bounds_retries() {
    for (behavior, status) in [(THROTTLES, 429), (Behavior::Fails(100), 500)] {
        let seen = storm(behavior);
        let requests = seen.requests();
        assert_eq!(seen.answers[&status], requests, "{behavior:?}");
        let extra = u64::try_from(seen.attempts.len()).unwrap() - requests;
        // Each worker's reserve, ten a second, and a fifth of the requests. Retries are free until
        // both regions cool down.
        let until_cool = *seen.first_cooled.values().max().unwrap();
        let begun = seen.attempts.iter().filter(|attempt| attempt.at <= until_cool);
        let free = u64::try_from(begun.count()).unwrap();
        let budget = WORKERS * (100 + 10 * (STORM_SECONDS + 1)) + requests / 5 + free;
        assert!(extra <= budget, "{behavior:?}: {extra} of {budget} retries");
        assert!(budget < requests, "without a budget there are two per request");
    }
}

#[test]
fn while_no_region_can_be_reached_the_budget_bounds_connections_too() {
    let seen = storm(Behavior::Refuses);
    assert_eq!(seen.answers[&503], seen.requests());
    assert!(
        seen.attempts_per_request() <= 200,
        "without a budget there are 300"
    );
}

/// West is faster, and east is cheaper.
fn healthy(strategy: Strategy) -> Sightings {
    let mut regions = pair(west(Behavior::Answers), Behavior::Answers);
    regions[WEST].price = 3;
    run(strategy, regions)
}

#[test]
fn each_strategy_shares_requests_in_its_own_way() {
    let expected = [450..=550, 600..=730, 980..=1000, 480..=520, 0..=0];
    for (strategy, expected) in STRATEGIES.into_iter().zip(expected) {
        let seen = healthy(strategy);
        assert_eq!(
            (seen.errors(), seen.attempts_per_request()),
            (0, 100),
            "{strategy:?}"
        );
        let share = seen.share(WEST, 0, END);
        assert!(expected.contains(&share), "{strategy:?}: {share} thousandths");
    }
}

fn percent(thousandths: u64) -> String {
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

fn hundredths(number: u64) -> String {
    format!("{}.{:02}", number / 100, number % 100)
}

fn seconds(milliseconds: Option<u64>) -> String {
    let text = |taken| format!("{}.{} s", taken / 1000, taken % 1000 / 100);
    milliseconds.map_or_else(|| "–".to_owned(), text)
}

#[test]
fn the_table_of_failures_is_current() {
    let alone = |behavior| (beside_healthy(Strategy::SimpleShuffle, behavior), Some(END));
    let healed = |behavior| (healing(Strategy::SimpleShuffle, behavior), Some(HEAL * 1000));
    let both = |behavior| (storm(behavior), None);
    let never = "never cools down";
    let rows = [
        ("both answer", alone(Behavior::Answers), "by weight, too"),
        (
            "west: always 429",
            alone(THROTTLES),
            "7–17 % errors; never cools down",
        ),
        ("west: 429, `retry-after: 20`", alone(WAITS), never),
        ("west: 429 above 10/s", alone(Behavior::ThrottlesAbove(10)), never),
        ("west: 30 % are 500", alone(Behavior::Fails(30)), never),
        ("west: always 500", alone(Behavior::Fails(100)), never),
        ("west: no connection", alone(Behavior::Refuses), "cools down"),
        ("west: 429 for 16 s", healed(THROTTLES), never),
        (
            "west: no connection for 16 s",
            healed(Behavior::Refuses),
            "cools down",
        ),
        ("both: 429, 200/s", both(THROTTLES), never),
        ("both: 500, 200/s", both(Behavior::Fails(100)), never),
        (
            "both: no connection, 200/s",
            both(Behavior::Refuses),
            "400 once both cool down",
        ),
    ];
    // `end` is when west ceases to be the only one that fails.
    let rows = rows.map(|(name, (seen, end), litellm)| {
        let cool = end.and_then(|end| seen.share_once_cool(WEST, end));
        let is_healed = end.is_some_and(|end| end < END);
        vec![
            name.to_owned(),
            percent(seen.share(WEST, 0, END)),
            percent(seen.errors() * 1000 / seen.requests()),
            hundredths(seen.attempts_per_request()),
            cool.map_or_else(|| "–".to_owned(), percent),
            seconds(is_healed.then(|| recovery(&seen)).flatten()),
            litellm.to_owned(),
        ]
    });
    let head = [
        "simple-shuffle",
        "attempts in west",
        "client errors",
        "attempts per request",
        "in west once it cools",
        "recovery",
        "LiteLLM, measured",
    ];
    assert_documented(&markdown(&head, &rows));
}

#[test]
fn the_table_of_strategies_is_current() {
    let rows = STRATEGIES.map(|strategy| {
        let throttled = beside_healthy(strategy, THROTTLES);
        let name = serde_json::to_value(strategy).unwrap();
        let slow = healing(strategy, Behavior::Slow(1000));
        vec![
            name.as_str().unwrap().to_owned(),
            percent(healthy(strategy).share(WEST, 0, END)),
            percent(throttled.errors() * 1000 / throttled.requests()),
            percent(throttled.share_once_cool(WEST, END).unwrap()),
            seconds(recovery(&healing(strategy, THROTTLES))),
            seconds(recovery(&healing(strategy, Behavior::Refuses))),
            percent(slow.share(WEST, (HEAL - 10) * 1000, HEAL * 1000)),
            seconds(recovery(&slow)),
        ]
    });
    let head = [
        "strategy",
        "west's share",
        "client errors while west throttles",
        "in west once it cools",
        "recovery from 429",
        "from no connection",
        "west's share while slow",
        "recovery from it",
    ];
    assert_documented(&markdown(&head, &rows));
}
