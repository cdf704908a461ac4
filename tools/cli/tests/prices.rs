//! The built-in price list, compared with LiteLLM's own formula (see prices/regenerate.py).

use std::collections::BTreeSet;

use envoy_bedrock::pricing::{Cost, PicoUsd, Rate, Rates, lookup_rates, price_ids};
use envoy_bedrock::usage::{ServiceTier, Usage};
use envoy_bedrock_cli::prices::{
    Found, ListedPrice, NoPrice, PriceList, Pricing, RateField, Source, explicit, import,
};
use serde::Deserialize;

const CASES: &str = include_str!("prices/cases.jsonl");
const BUILT_IN: &str = include_str!("../data/bedrock-prices.json");

#[derive(Debug, Deserialize)]
struct PriceCase {
    model: String,
    region: String,
    key: String,
    tier: Option<String>,
    usage: [u64; 5],
    prompt_pico_usd: u128,
    completion_pico_usd: u128,
}

fn price(model: &str, region: &str) -> Result<Found, NoPrice> {
    PriceList::built_in().price(&Pricing {
        explicit: None,
        base_model: None,
        named: None,
        region,
        model,
    })
}

fn key(found: Result<Found, NoPrice>) -> String {
    match found.unwrap().source {
        Source::PriceList(key) => key,
        Source::Configuration => panic!("the price is not from the price list"),
    }
}

#[test]
fn every_case_costs_what_litellm_says_to_the_pico_dollar() {
    let cases: Vec<PriceCase> = CASES
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(cases.len() >= 60, "found only {} cases", cases.len());
    let mut unmeasured = BTreeSet::new();
    for case in &cases {
        let found = match price(&case.model, &case.region) {
            Ok(found) => found,
            // LiteLLM also prices their images and seconds, which no case has.
            Err(NoPrice::OtherUnit(key, _)) => {
                unmeasured.insert(key);
                continue;
            }
            Err(error) => panic!("{case:?}: {error}"),
        };
        assert_eq!(found.source, Source::PriceList(case.key.clone()), "{case:?}");
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
        // Through JSON, as the filter receives them.
        let rates: Rates = serde_json::from_str(&serde_json::to_string(&found.rates).unwrap()).unwrap();
        let cost = Cost::of(&usage, tier, None, &rates).unwrap();
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
    assert_eq!(
        Vec::from_iter(&unmeasured),
        ["amazon.nova-2-5-sonic"],
        "all other models have a price"
    );
    let of = |what: &dyn Fn(&PriceCase) -> bool| cases.iter().filter(|case| what(case)).count();
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
fn every_listed_price_is_a_whole_number_of_pico_dollars() {
    let file: serde_json::Map<String, serde_json::Value> = serde_json::from_str(BUILT_IN).unwrap();
    assert_eq!(PriceList::built_in().entries().count(), file.len());
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
            // A price is displayed as it was written.
            let shown = PicoUsd::parse(&parsed.amount.to_string()).unwrap();
            assert_eq!(shown, parsed, "{key}: {name}");
            prices += 1;
        }
    }
    assert!(prices > 2000, "found only {prices}");
}

#[test]
fn every_listed_price_of_a_token_has_a_meaning() {
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
fn the_built_in_list_has_the_form_of_an_imported_one() {
    assert!(
        import(BUILT_IN).unwrap() == BUILT_IN,
        "rewrite the built-in list with `import`"
    );
}

const SONNET: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";

#[test]
fn a_lookup_prefers_the_most_specific_entry() {
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
fn a_model_without_a_price_has_a_reason() {
    for arn in [
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3",
        "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abc",
        "arn:aws:bedrock:us-east-1:123456789012:prompt/ABC:1",
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
    for (model, units) in [
        ("amazon.nova-canvas-v1:0", &["output_cost_per_image"][..]),
        ("amazon.titan-image-generator-v1", &["output_cost_per_image"]),
        // Priced by tokens as well, but not by tokens alone.
        ("cohere.rerank-v3-5:0", &["input_cost_per_query"]),
        ("amazon.rerank-v1:0", &["input_cost_per_query"]),
        (
            "twelvelabs.pegasus-1-2-v1:0",
            &["input_cost_per_video_per_second"],
        ),
        ("amazon.titan-embed-image-v1", &["input_cost_per_image"]),
        (
            "amazon.nova-2-sonic-v1:0",
            &["input_cost_per_audio_token", "output_cost_per_audio_token"],
        ),
        (
            "amazon.nova-2-multimodal-embeddings-v1:0",
            &[
                "input_cost_per_audio_per_second",
                "input_cost_per_image",
                "input_cost_per_video_per_second",
            ],
        ),
    ] {
        let units = units.iter().map(|unit| (*unit).to_owned()).collect();
        assert_eq!(
            price(model, "us-east-1"),
            Err(NoPrice::OtherUnit(model.to_owned(), units))
        );
    }
    // Audio and image tokens that cost as much as others are included in the token counts.
    assert!(price("amazon.nova-2-pro-preview-20251202-v1:0", "us-east-1").is_ok());
    assert_eq!(
        price("amazon.nova-canvas-v1:0", "us-east-1")
            .unwrap_err()
            .to_string(),
        "amazon.nova-canvas-v1:0 is priced by output_cost_per_image, which is not measured"
    );
}

#[test]
fn no_entry_with_a_price_in_another_unit_is_priced_by_tokens() {
    let raw: std::collections::BTreeMap<String, serde_json::Map<String, serde_json::Value>> =
        serde_json::from_str(BUILT_IN).unwrap();
    let mut others = 0;
    for (key, fields) in &raw {
        let price = |name: &str| fields.get(name).and_then(serde_json::Value::as_f64);
        let unit = |name: &&String| {
            name.contains("_per_")
                && !name.contains("_per_token")
                && price(name).is_some_and(|price| price > 0.0)
        };
        let is_other = |name: &String| {
            let token = match name.split_once("_cost_per_") {
                Some((side, kind)) if kind.ends_with("_token") => price(&format!("{side}_cost_per_token")),
                _ => None,
            };
            token != price(name)
        };
        if fields.keys().filter(unit).any(is_other) {
            let entry = PriceList::built_in().entry(key).unwrap();
            assert!(matches!(entry.price, ListedPrice::OtherUnit(_)), "{key}");
            others += 1;
        }
    }
    assert!(others > 80, "{others}");
}

const ACCOUNT: &str = "arn:aws:bedrock:us-east-1:123456789012";

#[test]
fn the_model_next_to_an_arn_names_its_price_unless_it_is_billed_by_time() {
    let named = |resource: &str, named: &str| {
        let model = format!("{ACCOUNT}:{resource}");
        PriceList::built_in().price(&Pricing {
            explicit: None,
            base_model: None,
            named: Some(named),
            region: "us-east-1",
            model: &model,
        })
    };
    let profile = "application-inference-profile/a1b2c3";
    for name in [SONNET, &format!("us.{SONNET}")] {
        assert_eq!(key(named(profile, name)), name);
        assert_eq!(key(named("prompt/ABC:1", name)), name);
    }
    assert_eq!(
        key(named(
            profile,
            &format!("{ACCOUNT}:inference-profile/us.{SONNET}")
        )),
        format!("us.{SONNET}")
    );
    assert_eq!(
        named(profile, &format!("{ACCOUNT}:{profile}")),
        Err(NoPrice::OpaqueArn),
        "the ARN names no model"
    );
    assert_eq!(
        named(profile, "no.such"),
        Err(NoPrice::NotListed("no.such".to_owned()))
    );
    // An ARN that names its model takes precedence.
    assert_eq!(
        key(named(
            &format!("inference-profile/us.{SONNET}"),
            "amazon.nova-pro-v1:0"
        )),
        format!("us.{SONNET}")
    );
    for (resource, error) in [
        (
            "provisioned-model/abc",
            "provisioned throughput is billed by time, not by token",
        ),
        (
            "custom-model/a.b:0:4k/abc",
            "a custom model on provisioned throughput is billed by time, not by token",
        ),
        (
            "imported-model/abc",
            "an imported model is billed by time, not by token",
        ),
        (
            "endpoint/x",
            "a SageMaker endpoint is billed by time, not by token",
        ),
        (
            "default-prompt-router/anthropic.claude:1",
            "a prompt router chooses the model of each request",
        ),
        (
            "custom-model-deployment/abc",
            "the ARN does not name its model: set model_info.base_model",
        ),
    ] {
        assert_eq!(named(resource, SONNET).unwrap_err().to_string(), error);
        // The operator's base_model takes precedence.
        let model = format!("{ACCOUNT}:{resource}");
        let based = PriceList::built_in().price(&Pricing {
            explicit: None,
            base_model: Some(SONNET),
            named: None,
            region: "us-east-1",
            model: &model,
        });
        assert_eq!(key(based), SONNET);
    }
}

#[test]
fn a_base_model_prices_an_id_that_does_not_name_its_model() {
    let arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3";
    let priced = |base_model, model| {
        let pricing = Pricing {
            explicit: None,
            base_model: Some(base_model),
            named: Some("amazon.nova-pro-v1:0"),
            region: "us-gov-west-1",
            model,
        };
        PriceList::built_in().price(&pricing)
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
    // The operator chose it, so an unknown base_model is not silently ignored.
    assert_eq!(
        priced("no.such", SONNET),
        Err(NoPrice::NotListed("no.such".to_owned()))
    );
}

#[test]
fn configured_prices_take_precedence() {
    let configured = explicit([
        ("input_cost_per_token", "0.000002"),
        ("model", "not a price"),
        ("output_cost_per_token", "\"1e-05\""),
        ("input_cost_per_token", "9"),
        ("cache_read_input_token_cost_above_200k_tokens", "0"),
    ]);
    let configured = configured.unwrap().unwrap();
    let rates = &configured.rates;
    assert_eq!(
        rates.base.input,
        Some(Rate(2_000_000)),
        "the first of several prices with one name counts"
    );
    assert_eq!(rates.base.output, Some(Rate(10_000_000)));
    assert_eq!(
        rates.variants[0].rates.cache_read,
        Some(Rate(0)),
        "an explicit zero is a price"
    );
    let pricing = Pricing {
        explicit: Some(&configured),
        base_model: Some("no.such"),
        named: None,
        region: "r",
        model: SONNET,
    };
    let found = PriceList::built_in().price(&pricing).unwrap();
    assert_eq!(
        found,
        Found {
            rates: rates.clone(),
            source: Source::Configuration
        }
    );
    assert!(
        rates.any_latency,
        "configured rates apply however a request is served"
    );
    assert_eq!(explicit([("model", "x"), ("rpm", "5")]), Ok(None));
    assert_eq!(
        explicit([("input_cost_per_second", "0")]),
        Ok(None),
        "nothing to measure"
    );
    let timed = explicit([
        ("input_cost_per_token", "1e-6"),
        ("input_cost_per_second", "0.0004"),
    ]);
    let timed = timed.unwrap().unwrap();
    let pricing = Pricing {
        explicit: Some(&timed),
        base_model: Some(SONNET),
        ..pricing
    };
    assert_eq!(
        PriceList::built_in().price(&pricing).unwrap_err().to_string(),
        "the configuration sets input_cost_per_second, whose unit is not measured"
    );
    assert_eq!(
        explicit([("input_cost_per_token", "0.0")])
            .unwrap()
            .unwrap()
            .rates
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
fn entries_have_a_mode() {
    let prices = PriceList::built_in();
    assert_eq!(
        prices.entry("amazon.titan-embed-text-v2:0").unwrap().mode,
        "embedding"
    );
    let by_tokens = prices
        .entries()
        .filter(|(_, entry)| matches!(entry.price, ListedPrice::Tokens(_)))
        .count();
    assert!(by_tokens >= 470, "{by_tokens}");
}

#[test]
fn a_table_gives_the_same_prices_as_a_lookup() {
    let prices = PriceList::built_in();
    let geographies = ["", "us.", "apac.", "zz."];
    for region in ["us-gov-west-1", "eu-west-2", "us-east-9"] {
        let table = prices.table(region);
        let mut found = 0;
        for id in prices.entries().map(|(key, _)| key.rsplit('/').next().unwrap()) {
            for model in geographies.map(|geography| format!("{geography}{id}")) {
                let in_table = price_ids(&model).find_map(|id| table.get(id).copied());
                match price(&model, region) {
                    Ok(lookup) => assert_eq!(in_table, Some(&lookup.rates), "{model} in {region}"),
                    // An unmeasured entry hides a more general one that is priced by tokens.
                    Err(NoPrice::OtherUnit(..)) => assert!(in_table.is_some_and(|rates| rates.unmeasured)),
                    Err(_) => assert_eq!(in_table, None, "{model} in {region}"),
                }
                found += usize::from(in_table.is_some());
            }
        }
        assert!(found > 1000, "{found}");
    }
}

#[test]
fn the_filters_table_for_wildcards_gives_the_same_prices_as_a_lookup() {
    let prices = PriceList::built_in();
    let regions = ["us-gov-west-1", "eu-west-2", "us-east-9"];
    let table = prices.wildcards(regions);
    let mut special = 0;
    for region in regions {
        for id in prices.entries().map(|(key, _)| key.rsplit('/').next().unwrap()) {
            for model in ["", "us.", "zz."].map(|geography| format!("{geography}{id}")) {
                let expected = price(&model, region).ok().map(|found| found.rates);
                let found = lookup_rates(&table, region, &model).filter(|rates| !rates.unmeasured);
                assert_eq!(found, expected.as_ref(), "{model} in {region}");
                special +=
                    usize::from(expected.is_some() && lookup_rates(&table, "", &model) != expected.as_ref());
            }
        }
    }
    assert!(special > 10, "only {special} models have a regional price");
    assert!(prices.wildcards([]).is_empty());
}

#[test]
fn a_price_in_another_unit_hides_a_more_general_one_by_tokens() {
    let list = r#"{
        "a.b": {"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6},
        "us.a.b": {"input_cost_per_query": 0.001, "input_cost_per_token": 0.0, "output_cost_per_token": 0.0}
    }"#;
    let table = PriceList::parse(list).unwrap().wildcards(["us-east-1"]);
    let is_measured = |model| lookup_rates(&table, "us-east-1", model).map(|rates| !rates.unmeasured);
    assert_eq!(is_measured("us.a.b"), Some(false));
    assert_eq!(is_measured("eu.a.b"), Some(true));
    assert_eq!(is_measured("no.such"), None);
}
