use proptest::prelude::*;

use super::*;
use crate::usage::{LatencyTier, ServiceTier, Usage};

fn pico(text: &str) -> (u128, bool) {
    let parsed = PicoUsd::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    (parsed.amount.pico(), parsed.exact)
}

#[test]
fn amounts_are_parsed_exactly() {
    for (text, expected) in [
        ("1.3125e-07", 131_250),
        ("3e-06", 3_000_000),
        ("3E-6", 3_000_000),
        ("0.000003", 3_000_000),
        ("0", 0),
        ("0.0", 0),
        ("-0.0", 0),
        ("0e-9999999999999", 0),
        ("1", 1_000_000_000_000),
        ("+1.50e+1", 15_000_000_000_000),
        (".5", 500_000_000_000),
        ("5.", 5_000_000_000_000),
        ("1e-12", 1),
        (" 2 ", 2_000_000_000_000),
    ] {
        assert_eq!(pico(text), (expected, true), "{text}");
    }
}

#[test]
fn amounts_with_too_many_decimals_are_rounded_and_inexact() {
    for (text, expected) in [
        ("8.799999999999999e-07", 880_000),
        ("1.4e-12", 1),
        ("1.5e-12", 2),
        ("2.5e-12", 2),
        ("2.500000000000000000000000000000000000000000001e-12", 2),
        ("4.9e-13", 0),
        ("1e-99999999999", 0),
        ("0.00000000000000000000000000000000000000000000000000001", 0),
        (
            "123456789012345678901234567890.123456789012e-20",
            1_234_567_890_123_456_789_012,
        ),
    ] {
        assert_eq!(pico(text), (expected, false), "{text}");
    }
}

#[test]
fn invalid_amounts_are_refused() {
    for text in [
        "", " ", ".", "e5", "1e", "1e+", "1e5.0", "1.2.3", "0x10", "1_000", "NaN", "inf", "--1", "1 2", "١",
    ] {
        assert_eq!(PicoUsd::parse(text), Err(UsdError::NotANumber), "{text}");
    }
    for text in ["-1", "-1e-12", "-1e-13"] {
        assert_eq!(PicoUsd::parse(text), Err(UsdError::Negative), "{text}");
    }
    let digits = "9".repeat(50);
    for text in ["1e99999999999", "1e27", digits.as_str()] {
        assert_eq!(PicoUsd::parse(text), Err(UsdError::TooLarge), "{text}");
    }
    assert_eq!(
        pico("340282366920938463463374607.431768211455"),
        (u128::MAX, true)
    );
    assert_eq!(PicoUsd::parse("1e26").unwrap().amount.pico(), 10u128.pow(38));
}

#[test]
fn amounts_are_displayed_as_decimals() {
    for (pico, shown) in [
        (0, "0"),
        (1, "0.000000000001"),
        (2_310_000_000, "0.00231"),
        (1_000_000_000_000, "1"),
        (12_500_000_000_000, "12.5"),
        (u128::MAX, "340282366920938463463374607.431768211455"),
    ] {
        assert_eq!(PicoUsd::new(pico).to_string(), shown);
    }
    let amount = PicoUsd::new(2_345_000_000_500);
    assert_eq!(format!("{amount:.2}"), "2.35");
    assert_eq!(
        format!("{:.2}", PicoUsd::new(2_345_000_000_000)),
        "2.34",
        "ties to even"
    );
    assert_eq!(format!("{:.2}", PicoUsd::new(2_355_000_000_000)), "2.36");
    assert_eq!(format!("{amount:.0}"), "2");
    assert_eq!(format!("{amount:.9}"), "2.345000000");
    assert_eq!(format!("{amount:.14}"), "2.34500000050000");
    assert_eq!(format!("{:.3}", PicoUsd::new(999_999_999_999)), "1.000");
}

proptest! {
    #[test]
    fn displayed_amounts_parse_to_themselves(pico: u128) {
        let amount = PicoUsd::new(pico);
        prop_assert_eq!(PicoUsd::parse(&amount.to_string()), Ok(Parsed { amount, exact: true }));
    }

    #[test]
    fn rounding_is_to_nearest_with_ties_to_even(pico in 0..u128::MAX / 2, decimals in 0u32..14) {
        let unit = 10u128.pow(12u32.saturating_sub(decimals));
        let rounded = PicoUsd::new(pico).rounded(decimals).pico();
        prop_assert_eq!(rounded % unit, 0);
        prop_assert!(rounded.abs_diff(pico) * 2 <= unit);
        prop_assert!(rounded.abs_diff(pico) * 2 < unit || (rounded / unit).is_multiple_of(2) || unit == 1);
    }

    #[test]
    fn parsing_never_panics(text in "[-+.0-9eE]{0,60}") {
        _ = PicoUsd::parse(&text);
    }

    #[test]
    fn parts_add_up_to_the_total_for_any_usage(
        tokens: [u64; 5],
        rates: [Option<u64>; 5],
    ) {
        let [input, output, cache_read, cache_write_5m, cache_write_1h] = tokens;
        let usage = Usage { input, output, cache_read, cache_write_5m, cache_write_1h };
        let [input, output, cache_read, cache_write, cache_write_1h] = rates.map(|rate| rate.map(Rate));
        let base = RateSet { input, output, cache_read, cache_write, cache_write_1h };
        let rates = Rates { base, ..Rates::default() };
        if let Some(cost) = Cost::of(&usage, None, None, &rates) {
            let parts = [cost.input, cost.output, cost.cache_read, cost.cache_creation];
            let sum = parts.into_iter().try_fold(PicoUsd::ZERO, PicoUsd::checked_add);
            prop_assert_eq!(sum, Some(cost.total()));
        }
    }
}

fn rates(json: &str) -> Rates {
    serde_json::from_str(json).unwrap()
}

const USAGE: Usage = Usage {
    input: 1,
    output: 10,
    cache_read: 100,
    cache_write_5m: 1000,
    cache_write_1h: 10000,
};

fn parts(usage: &Usage, tier: Option<ServiceTier>, rates: &Rates) -> [u128; 4] {
    let cost = Cost::of(usage, tier, None, rates).unwrap();
    [cost.input, cost.output, cost.cache_read, cost.cache_creation].map(PicoUsd::pico)
}

#[test]
fn missing_rates_fall_back_and_zero_is_a_rate() {
    assert_eq!(
        parts(&USAGE, None, &rates(r#"{"base":{"input":3,"output":0}}"#)),
        [3, 0, 300, 33000]
    );
    assert_eq!(
        parts(
            &USAGE,
            None,
            &rates(r#"{"base":{"input":3,"output":0,"cache_write":4}}"#)
        ),
        [3, 0, 300, 44000]
    );
    let zeros = rates(r#"{"base":{"input":3,"output":5,"cache_read":0,"cache_write":0}}"#);
    assert_eq!(parts(&USAGE, None, &zeros), [3, 50, 0, 0]);
    let all = rates(r#"{"base":{"input":3,"output":5,"cache_read":1,"cache_write":4,"cache_write_1h":6}}"#);
    assert_eq!(parts(&USAGE, None, &all), [3, 50, 100, 64000]);
}

#[test]
fn only_tokens_that_were_used_need_a_price() {
    let cost =
        |usage: &Usage, json| Cost::of(usage, None, None, &rates(json)).map(|cost| cost.total().pico());
    let embedded = Usage {
        input: 7,
        ..Usage::default()
    };
    let written = Usage {
        output: 7,
        ..Usage::default()
    };
    assert_eq!(cost(&embedded, r#"{"base":{"input":3}}"#), Some(21));
    assert_eq!(cost(&written, r#"{"base":{"input":3}}"#), None);
    assert_eq!(cost(&USAGE, r#"{"base":{"input":3}}"#), None);
    assert_eq!(cost(&written, r#"{"base":{"output":3}}"#), Some(21));
    assert_eq!(cost(&embedded, r#"{"base":{"output":3}}"#), None);
    // A cache rate does not require an input rate.
    let cached = Usage {
        cache_read: 2,
        ..Usage::default()
    };
    assert_eq!(cost(&cached, r#"{"base":{"cache_read":3}}"#), Some(6));
    assert_eq!(cost(&cached, r#"{"base":{"output":3}}"#), None);
    assert_eq!(cost(&Usage::default(), r#"{"base":{}}"#), Some(0));
}

#[test]
fn an_unmeasured_unit_makes_every_cost_unknown() {
    let rates = rates(r#"{"base":{"input":0,"output":0},"unmeasured":true}"#);
    for usage in [USAGE, Usage::default()] {
        assert_eq!(Cost::of(&usage, None, None, &rates), None);
    }
}

#[test]
fn standard_rates_do_not_apply_to_latency_optimized_responses() {
    let listed = rates(r#"{"base":{"input":3,"output":5}}"#);
    let own = rates(r#"{"base":{"input":3,"output":5},"any_latency":true}"#);
    let standard = Cost::of(&USAGE, None, None, &listed);
    assert!(standard.is_some());
    for (latency, listed_cost) in [
        (Some(LatencyTier::Standard), standard),
        (Some(LatencyTier::Optimized), None),
        (Some(LatencyTier::Other), None),
    ] {
        assert_eq!(
            Cost::of(&USAGE, None, latency, &listed),
            listed_cost,
            "{latency:?}"
        );
        assert_eq!(Cost::of(&USAGE, None, latency, &own), standard, "{latency:?}");
    }
}

#[test]
fn a_threshold_must_be_exceeded_by_the_whole_prompt() {
    let rates =
        rates(r#"{"base":{"input":1,"output":1},"variants":[{"above_tokens":1000,"rates":{"input":2}}]}"#);
    let usage = |input| Usage {
        input,
        cache_read: 400,
        cache_write_5m: 300,
        cache_write_1h: 200,
        output: 5000,
    };
    assert_eq!(parts(&usage(99), None, &rates)[0], 99);
    assert_eq!(parts(&usage(100), None, &rates)[0], 100);
    assert_eq!(parts(&usage(101), None, &rates), [202, 5000, 800, 1000]);
}

#[test]
fn the_highest_exceeded_threshold_counts_in_any_order() {
    let rates = rates(
        r#"{"base":{"input":1,"output":7},"variants":[
            {"above_tokens":300,"rates":{"input":3}},{"above_tokens":200,"rates":{"input":2,"output":8}}]}"#,
    );
    let cost = |input| {
        parts(
            &Usage {
                input,
                output: 1,
                ..Usage::default()
            },
            None,
            &rates,
        )
    };
    assert_eq!(
        (cost(200), cost(201), cost(301)),
        ([200, 7, 0, 0], [402, 8, 0, 0], [903, 8, 0, 0])
    );
}

#[test]
fn a_tier_falls_back_to_the_standard_rates() {
    let rates = rates(
        r#"{"base":{"input":10,"output":20,"cache_write_1h":9},"variants":[
            {"tier":"flex","rates":{"input":5}},
            {"above_tokens":1000,"rates":{"input":30,"cache_write_1h":8}},
            {"tier":"flex","above_tokens":1000,"rates":{"output":40}}]}"#,
    );
    let cost = |input, tier| {
        parts(
            &Usage {
                input,
                output: 1,
                cache_write_1h: 1,
                ..Usage::default()
            },
            tier,
            &rates,
        )
    };
    for standard in [
        None,
        Some(ServiceTier::Default),
        Some(ServiceTier::Reserved),
        Some(ServiceTier::Other),
    ] {
        assert_eq!(cost(1, standard), [10, 20, 0, 9]);
    }
    assert_eq!(cost(1, Some(ServiceTier::Flex)), [5, 20, 0, 9]);
    assert_eq!(cost(1, Some(ServiceTier::Priority)), [10, 20, 0, 9]);
    assert_eq!(cost(1000, None), [30000, 20, 0, 8]);
    assert_eq!(
        cost(1000, Some(ServiceTier::Flex)),
        [30000, 40, 0, 9],
        "the one-hour rate of the tier is kept"
    );
}

#[test]
fn overflow_makes_the_cost_unknown() {
    let rates = rates(r#"{"base":{"input":18446744073709551615,"output":18446744073709551615}}"#);
    let usage = |input, output, cache_read| Usage {
        input,
        output,
        cache_read,
        ..Usage::default()
    };
    assert_eq!(Cost::of(&usage(u64::MAX, u64::MAX, 0), None, None, &rates), None);
    assert_eq!(
        Cost::of(&usage(u64::MAX, 0, 1), None, None, &rates),
        None,
        "the prompt itself overflows"
    );
    assert!(Cost::of(&usage(u64::MAX, 0, 0), None, None, &rates).is_some());
}

#[test]
fn rates_round_trip_and_refuse_unknown_fields() {
    let text = r#"{"base":{"input":3,"cache_write_1h":6},"variants":[{"tier":"priority","above_tokens":200000,"rates":{"output":0}}]}"#;
    assert_eq!(serde_json::to_string(&rates(text)).unwrap(), text);
    let flags = r#"{"base":{},"any_latency":true,"unmeasured":true}"#;
    assert_eq!(serde_json::to_string(&rates(flags)).unwrap(), flags);
    for wrong in [
        r#"{"base":{"input":3.5}}"#,
        r#"{"base":{"input":-3}}"#,
        r#"{"base":{"inputs":3}}"#,
        r#"{"base":{},"tiers":[]}"#,
        r#"{"base":{},"variants":[{"tier":"warp","rates":{}}]}"#,
    ] {
        assert!(serde_json::from_str::<Rates>(wrong).is_err(), "{wrong}");
    }
}
