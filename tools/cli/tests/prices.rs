//! The catalogue, and its prices against LiteLLM's own formula (see prices/regenerate.py).

use std::collections::BTreeSet;

use envoy_bedrock::pricing::{Cost, PicoUsd, Rate, Rates, listed, price_ids};
use envoy_bedrock::usage::{ServiceTier, Usage};
use envoy_bedrock_cli::prices::{
    Catalogue, Found, NoPrice, Price, Pricing, RateField, Source, explicit, import,
};
use serde::Deserialize;

const CASES: &str = include_str!("prices/cases.jsonl");
const BUILT_IN: &str = include_str!("../data/bedrock-prices.json");

#[derive(Debug, Deserialize)]
struct Case {
    model: String,
    region: String,
    key: String,
    tier: Option<String>,
    usage: [u64; 5],
    prompt_pico_usd: u128,
    completion_pico_usd: u128,
}

fn price(model: &str, region: &str) -> Result<Found, NoPrice> {
    Catalogue::built_in().price(&Pricing {
        explicit: None,
        base_model: None,
        region,
        model,
    })
}

fn key(found: Result<Found, NoPrice>) -> String {
    match found.unwrap().source {
        Source::Catalogue(key) => key,
        Source::Configuration => panic!("expected an entry of the catalogue"),
    }
}

#[test]
fn every_case_costs_what_litellm_says_to_the_pico_dollar() {
    let cases: Vec<Case> = CASES
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(cases.len() >= 60, "found only {} cases", cases.len());
    for case in &cases {
        let found = price(&case.model, &case.region).unwrap_or_else(|error| panic!("{case:?}: {error}"));
        assert_eq!(found.source, Source::Catalogue(case.key.clone()), "{case:?}");
        let [input, output, cache_read, cache_write_5m, cache_write_1h] = case.usage;
        let usage = Usage {
            input,
            output,
            cache_read,
            cache_write_5m,
            cache_write_1h,
        };
        let tier = case
            .tier
            .as_ref()
            .map(|tier| ServiceTier::from_word(tier.as_bytes()));
        // As the filter gets them: by way of the configuration's JSON.
        let rates: Rates = serde_json::from_str(&serde_json::to_string(&found.rates).unwrap()).unwrap();
        let cost = Cost::of(&usage, tier, &rates).unwrap();
        let prompt = cost.input.pico() + cost.cache_read.pico() + cost.cache_creation.pico();
        assert_eq!(
            (prompt, cost.output.pico()),
            (case.prompt_pico_usd, case.completion_pico_usd),
            "{case:?}"
        );
        assert_eq!(
            cost.total().pico(),
            case.prompt_pico_usd + case.completion_pico_usd
        );
    }
    let of = |what: &dyn Fn(&Case) -> bool| cases.iter().filter(|case| what(case)).count();
    for (what, count) in [
        (
            "above a threshold",
            of(&|case| case.usage[0] + case.usage[2] + case.usage[3] + case.usage[4] > 200_000),
        ),
        ("with 1-hour writes", of(&|case| case.usage[4] > 0)),
        (
            "of tier priority",
            of(&|case| case.tier.as_deref() == Some("priority")),
        ),
        ("of tier flex", of(&|case| case.tier.as_deref() == Some("flex"))),
        ("by a fallback", of(&|case| case.model != case.key)),
    ] {
        assert!(count >= 5, "only {count} cases {what}");
    }
}

#[test]
fn every_price_of_the_catalogue_is_a_whole_number_of_pico_dollars() {
    let file: serde_json::Map<String, serde_json::Value> = serde_json::from_str(BUILT_IN).unwrap();
    assert_eq!(Catalogue::built_in().entries().count(), file.len());
    assert!(file.len() >= 564, "found only {}", file.len());
    let raw: std::collections::BTreeMap<
        String,
        std::collections::BTreeMap<String, Box<serde_json::value::RawValue>>,
    > = serde_json::from_str(BUILT_IN).unwrap();
    let mut prices = 0;
    for (key, fields) in &raw {
        for (name, value) in fields.iter().filter(|(name, _)| name.contains("_cost")) {
            let parsed = PicoUsd::parse(value.get()).unwrap_or_else(|error| panic!("{key}: {name}: {error}"));
            assert!(parsed.exact, "{key}: {name}: {}", value.get());
            // And what is shown of it is what was written.
            let shown = PicoUsd::parse(&parsed.amount.to_string()).unwrap();
            assert_eq!(shown, parsed, "{key}: {name}");
            prices += 1;
        }
    }
    assert!(prices > 2000, "found only {prices}");
}

#[test]
fn every_price_of_a_token_in_the_catalogue_has_a_meaning() {
    let raw: std::collections::BTreeMap<String, serde_json::Map<String, serde_json::Value>> =
        serde_json::from_str(BUILT_IN).unwrap();
    let unknown: BTreeSet<&str> = raw
        .values()
        .flat_map(|fields| fields.keys())
        .map(String::as_str)
        .filter(|name| name.contains("_cost") && RateField::parse(name).is_none())
        .collect();
    let other_units = [
        "cost_per_second",
        "input_cost_per_audio_per_second",
        "input_cost_per_audio_token",
        "input_cost_per_image",
        "input_cost_per_image_token",
        "input_cost_per_query",
        "input_cost_per_second",
        "input_cost_per_video_per_second",
        "output_cost_per_audio_token",
        "output_cost_per_image",
    ];
    assert!(unknown.is_subset(&BTreeSet::from(other_units)), "{unknown:?}");
}

#[test]
fn the_catalogue_is_in_the_form_that_an_import_writes() {
    assert!(import(BUILT_IN).unwrap() == BUILT_IN, "run it through `import`");
}

const SONNET: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";

#[test]
fn a_model_is_looked_up_from_the_special_to_the_general() {
    for (model, region, expected) in [
        (
            "meta.llama3-8b-instruct-v1:0",
            "eu-west-2",
            "bedrock/eu-west-2/meta.llama3-8b-instruct-v1:0",
        ),
        (
            "meta.llama3-8b-instruct-v1:0",
            "eu-west-9",
            "meta.llama3-8b-instruct-v1:0",
        ),
        (
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "us-east-1",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        (
            "apac.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "ap-south-1",
            SONNET,
        ),
        (
            "us-gov.anthropic.claude-sonnet-5",
            "us-east-1",
            "us-gov.anthropic.claude-sonnet-5",
        ),
        (
            "anthropic.claude-3-5-sonnet-20240620-v1:0:51k",
            "us-east-1",
            "anthropic.claude-3-5-sonnet-20240620-v1:0",
        ),
        (
            "us.anthropic.claude-3-5-sonnet-20240620-v1:0:51k",
            "us-east-1",
            "us.anthropic.claude-3-5-sonnet-20240620-v1:0",
        ),
        (
            "moonshotai.kimi-k2.5",
            "us-east-9",
            "bedrock/moonshotai.kimi-k2.5",
        ),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "us-east-1",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        (
            "arn:aws:bedrock:eu-west-2::foundation-model/meta.llama3-8b-instruct-v1:0",
            "eu-west-2",
            "bedrock/eu-west-2/meta.llama3-8b-instruct-v1:0",
        ),
    ] {
        assert_eq!(key(price(model, region)), expected, "{model} in {region}");
    }
}

#[test]
fn what_has_no_price_says_why() {
    for arn in [
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3",
        "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc",
        "arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.titan-text-lite-v1:0:4k/abc",
        "arn:aws:bedrock:us-east-1:123456789012:imported-model/abc",
        "arn:aws:bedrock:us-east-1:123456789012:prompt/ABC:1",
        "arn:aws:bedrock:us-east-1:123456789012:default-prompt-router/anthropic.claude:1",
        "arn:aws:sagemaker:us-east-1:123456789012:endpoint/x",
        "arn:aws:bedrock",
    ] {
        assert_eq!(price(arn, "us-east-1"), Err(NoPrice::OpaqueArn), "{arn}");
    }
    for model in [
        "zz.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "us.nova",
        "",
        "us.",
    ] {
        assert_eq!(
            price(model, "us-east-1"),
            Err(NoPrice::NotListed(model.to_owned()))
        );
    }
    // Priced by the image, and by the second beside its answer's tokens.
    for model in ["amazon.nova-canvas-v1:0", "twelvelabs.pegasus-1-2-v1:0"] {
        assert!(
            matches!(price(model, "us-east-1"), Err(NoPrice::OtherUnit(..))),
            "{model}"
        );
    }
    assert_eq!(
        price("amazon.nova-canvas-v1:0", "us-east-1")
            .unwrap_err()
            .to_string(),
        "expected a price per token, but found that amazon.nova-canvas-v1:0 has output_cost_per_image"
    );
}

#[test]
fn a_base_model_stands_for_what_the_id_does_not_tell() {
    let arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3";
    let priced = |base_model, model| {
        let pricing = Pricing {
            explicit: None,
            base_model: Some(base_model),
            region: "us-gov-west-1",
            model,
        };
        Catalogue::built_in().price(&pricing)
    };
    assert_eq!(
        key(priced("us.anthropic.claude-sonnet-4-5-20250929-v1:0", arn)),
        format!("us.{SONNET}")
    );
    assert_eq!(
        key(priced(
            "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            arn
        )),
        format!("us.{SONNET}")
    );
    assert_eq!(
        key(priced(
            "bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            arn
        )),
        format!("us.{SONNET}")
    );
    // It is what the operator said: a wrong one is not passed over in silence.
    assert_eq!(
        priced("no.such", SONNET),
        Err(NoPrice::NotListed("no.such".to_owned()))
    );
}

#[test]
fn configured_prices_come_first() {
    let configured = explicit([
        ("input_cost_per_token", "0.000002"),
        ("model", "not a price"),
        ("output_cost_per_token", "\"1e-05\""),
        ("input_cost_per_token", "9"),
        ("cache_read_input_token_cost_above_200k_tokens", "0"),
    ]);
    let rates = configured.unwrap().unwrap();
    assert_eq!(
        rates.base.input,
        Some(Rate(2_000_000)),
        "of one name the first counts"
    );
    assert_eq!(rates.base.output, Some(Rate(10_000_000)));
    assert_eq!(
        rates.variants[0].rates.cache_read,
        Some(Rate(0)),
        "an explicit zero is a price"
    );
    let pricing = Pricing {
        explicit: Some(&rates),
        base_model: Some("no.such"),
        region: "r",
        model: SONNET,
    };
    let found = Catalogue::built_in().price(&pricing).unwrap();
    assert_eq!(
        found,
        Found {
            rates: rates.clone(),
            source: Source::Configuration
        }
    );
    assert_eq!(explicit([("model", "x"), ("rpm", "5")]), Ok(None));
    assert_eq!(
        explicit([("input_cost_per_token", "0.0")])
            .unwrap()
            .unwrap()
            .base
            .input,
        Some(Rate(0))
    );
    let error = explicit([("input_cost_per_token", "three")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "input_cost_per_token: expected a price in USD, but found three"
    );
}

#[test]
fn modes_are_told_for_lists() {
    let catalogue = Catalogue::built_in();
    assert_eq!(
        catalogue.entry("amazon.titan-embed-text-v2:0").unwrap().mode,
        "embedding"
    );
    let by_tokens = catalogue
        .entries()
        .filter(|(_, entry)| matches!(entry.price, Price::Tokens(_)))
        .count();
    assert!(by_tokens >= 470, "{by_tokens}");
}

#[test]
fn a_table_finds_what_a_lookup_finds() {
    let catalogue = Catalogue::built_in();
    let geographies = ["", "us.", "apac.", "zz."];
    for region in ["us-gov-west-1", "eu-west-2", "us-east-9"] {
        let table = catalogue.table(region);
        let mut found = 0;
        for id in catalogue
            .entries()
            .map(|(key, _)| key.rsplit('/').next().unwrap())
        {
            for model in geographies.map(|geography| format!("{geography}{id}")) {
                let in_table = price_ids(&model).find_map(|id| table.get(id).copied());
                match price(&model, region) {
                    Ok(lookup) => assert_eq!(in_table, Some(&lookup.rates), "{model} in {region}"),
                    // An id of images may hide a more general one that has a price by tokens, and there is none.
                    Err(_) => assert_eq!(in_table, None, "{model} in {region}"),
                }
                found += usize::from(in_table.is_some());
            }
        }
        assert!(found > 1000, "{found}");
    }
}

#[test]
fn the_filters_table_for_wildcards_finds_what_a_lookup_finds() {
    let catalogue = Catalogue::built_in();
    let regions = ["us-gov-west-1", "eu-west-2", "us-east-9"];
    let table = catalogue.wildcards(regions);
    let mut special = 0;
    for region in regions {
        for id in catalogue
            .entries()
            .map(|(key, _)| key.rsplit('/').next().unwrap())
        {
            for model in ["", "us.", "zz."].map(|geography| format!("{geography}{id}")) {
                let expected = price(&model, region).ok().map(|found| found.rates);
                assert_eq!(
                    listed(&table, region, &model),
                    expected.as_ref(),
                    "{model} in {region}"
                );
                special += usize::from(expected.is_some() && listed(&table, "", &model) != expected.as_ref());
            }
        }
    }
    assert!(
        special > 10,
        "{special} models with a price of their region's own"
    );
    assert!(catalogue.wildcards([]).is_empty());
}
