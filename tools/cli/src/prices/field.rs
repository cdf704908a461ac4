//! LiteLLM's names of prices, and the rates that they add up to.

use std::collections::BTreeMap;

use envoy_bedrock::pricing::{PicoUsd, Rate, RateSet, RateTier, RateVariant, Rates};

use super::error::{PriceError, PriceProblem};

/// The meaning of a price's name: `cache_read_input_token_cost_above_200k_tokens_priority`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateField {
    kind: RateKind,
    /// The service tier that it applies to.
    pub tier: Option<RateTier>,
    /// It applies to prompts of more tokens than this.
    pub above_tokens: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RateKind {
    Input,
    Output,
    CacheRead,
    CacheWrite,
    CacheWrite1h,
}

/// A name that starts with another one comes before it.
const NAMES: [(&str, RateKind); 5] = [
    ("input_cost_per_token", RateKind::Input),
    ("output_cost_per_token", RateKind::Output),
    ("cache_read_input_token_cost", RateKind::CacheRead),
    (
        "cache_creation_input_token_cost_above_1hr",
        RateKind::CacheWrite1h,
    ),
    ("cache_creation_input_token_cost", RateKind::CacheWrite),
];

const TIERS: [(&str, RateTier); 4] = [
    ("_balanced", RateTier::Balanced),
    ("_flex", RateTier::Flex),
    ("_priority", RateTier::Priority),
    ("_ultrafast", RateTier::Ultrafast),
];

impl RateField {
    /// The meaning of a name; `None` if it is not the price of a token that a request can use:
    /// prices of images, seconds or batch jobs.
    pub fn parse(name: &str) -> Option<Self> {
        let (kind, rest) = NAMES
            .iter()
            .find_map(|(prefix, kind)| Some((*kind, name.strip_prefix(prefix)?)))?;
        let (above_tokens, rest) = match rest.strip_prefix("_above_") {
            Some(condition) => {
                let (threshold, rest) = condition.split_once("_tokens")?;
                (Some(parse_threshold(threshold)?), rest)
            }
            None => (None, rest),
        };
        let tier = match rest {
            "" => None,
            rest => Some(TIERS.iter().find(|(suffix, _)| *suffix == rest)?.1),
        };
        Some(Self {
            kind,
            tier,
            above_tokens,
        })
    }

    fn slot(self, rates: &mut RateSet) -> &mut Option<Rate> {
        match self.kind {
            RateKind::Input => &mut rates.input,
            RateKind::Output => &mut rates.output,
            RateKind::CacheRead => &mut rates.cache_read,
            RateKind::CacheWrite => &mut rates.cache_write,
            RateKind::CacheWrite1h => &mut rates.cache_write_1h,
        }
    }
}

/// `200k`, `272k`, `128000`.
fn parse_threshold(text: &str) -> Option<u64> {
    let (digits, factor) = text.strip_suffix('k').map_or((text, 1), |digits| (digits, 1000));
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// Whether a name is the price of something other than the tokens measured here: images, seconds,
/// queries, characters, audio tokens. Prices of tokens under another condition (`…_batches`) do not
/// count, nor do those of web searches, which only apply to a response with a search.
pub fn is_other_unit(name: &str) -> bool {
    let is_price = name.contains("cost_per_") || name.contains("_token_cost");
    is_price
        && !name.starts_with("search_context_")
        && !NAMES.iter().any(|(prefix, _)| name.starts_with(prefix))
}

/// Rates made from named prices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NamedRates {
    /// The rates of tokens, marked as [`Rates::unmeasured`] if there are other units.
    pub(super) rates: Rates,
    /// Names of prices in other units, in their order. A price of 0 needs no measuring and is left
    /// out.
    pub(super) other_units: Vec<String>,
}

/// Rates from named prices, in any order. Names that are not prices are ignored; if a name occurs
/// twice, the first counts.
///
/// # Errors
/// The first value that is not a price.
pub(super) fn rates<'a>(
    entry: &str,
    prices: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<NamedRates, PriceError> {
    let mut base = RateSet::default();
    let mut variants: BTreeMap<(Option<u64>, Option<RateTier>), RateSet> = BTreeMap::new();
    let mut others: Vec<(&str, Rate)> = Vec::new();
    for (name, text) in prices {
        let field = RateField::parse(name);
        // LiteLLM nests prices that come in kinds, such as those of guardrails.
        if field.is_none() && (!is_other_unit(name) || text.starts_with(['{', '['])) {
            continue;
        }
        let Some(rate) = parse_rate(entry, name, text)? else {
            continue;
        };
        let Some(field) = field else {
            if others.iter().all(|(other, _)| *other != name) {
                others.push((name, rate));
            }
            continue;
        };
        let condition = (field.above_tokens, field.tier);
        let set = if condition == (None, None) {
            &mut base
        } else {
            variants.entry(condition).or_default()
        };
        field.slot(set).get_or_insert(rate);
    }
    let variants = variants
        .into_iter()
        .map(|((above_tokens, tier), rates)| RateVariant {
            tier,
            above_tokens,
            rates,
        })
        .collect();
    others.retain(|(name, rate)| *rate != Rate(0) && !is_counted(name, *rate, &base));
    Ok(NamedRates {
        rates: Rates {
            base,
            variants,
            unmeasured: !others.is_empty(),
            ..Rates::default()
        },
        other_units: others.into_iter().map(|(name, _)| name.to_owned()).collect(),
    })
}

/// Whether a price is for tokens of a certain kind (`input_cost_per_audio_token`) that cost as much
/// as any other token: the token counts include them.
fn is_counted(name: &str, rate: Rate, base: &RateSet) -> bool {
    let of = |side: &str| {
        name.strip_prefix(side)
            .is_some_and(|kind| kind.ends_with("_token"))
    };
    (of("input_cost_per_") && base.input == Some(rate))
        || (of("output_cost_per_") && base.output == Some(rate))
}

/// A price in JSON or YAML: a number, possibly in quotes. `None` for null.
fn parse_rate(entry: &str, field: &str, text: &str) -> Result<Option<Rate>, PriceError> {
    let problem = |problem| PriceError {
        entry: entry.to_owned(),
        field: field.to_owned(),
        problem,
    };
    if text.is_empty() || text == "null" || text == "~" {
        return Ok(None);
    }
    let unquoted = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    let parsed =
        PicoUsd::parse(unquoted).map_err(|error| problem(PriceProblem::Value(text.to_owned(), error)))?;
    let pico = u64::try_from(parsed.amount.pico());
    Ok(Some(Rate(pico.map_err(|_| {
        problem(PriceProblem::TooLarge(text.to_owned()))
    })?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed() {
        let parse = |name| RateField::parse(name).map(|field| (field.kind, field.above_tokens, field.tier));
        for (name, expected) in [
            ("input_cost_per_token", Some((RateKind::Input, None, None))),
            (
                "output_cost_per_token_flex",
                Some((RateKind::Output, None, Some(RateTier::Flex))),
            ),
            (
                "cache_creation_input_token_cost_above_1hr",
                Some((RateKind::CacheWrite1h, None, None)),
            ),
            (
                "cache_creation_input_token_cost_above_1hr_above_200k_tokens",
                Some((RateKind::CacheWrite1h, Some(200_000), None)),
            ),
            (
                "cache_read_input_token_cost_above_272k_tokens_ultrafast",
                Some((RateKind::CacheRead, Some(272_000), Some(RateTier::Ultrafast))),
            ),
            (
                "input_cost_per_token_above_128_tokens",
                Some((RateKind::Input, Some(128), None)),
            ),
            ("input_cost_per_token_batches", None),
            ("input_cost_per_token_above_100k_tokens_batches", None),
            ("cache_creation_input_token_cost_above_12hr", None),
            ("input_cost_per_token_above_xk_tokens", None),
            ("output_cost_per_image", None),
            ("input_cost_per_token_cache_hit", None),
        ] {
            assert_eq!(parse(name), expected, "{name}");
        }
    }

    #[test]
    fn an_invalid_price_is_reported_with_its_entry_and_field() {
        let error = |text| {
            rates("a.model", [("input_cost_per_token", text)])
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            error("free"),
            "a.model: input_cost_per_token: expected a price in USD, but found free"
        );
        assert_eq!(
            error("-1e-6"),
            "a.model: input_cost_per_token: expected a price in USD that is not negative, but found -1e-6"
        );
        assert_eq!(
            error("2e7"),
            "a.model: input_cost_per_token: expected a price below 18 million USD per token, but found 2e7"
        );
        assert_eq!(
            rates("", [("input_cost_per_token", "null")]),
            Ok(NamedRates::default())
        );
        assert_eq!(
            rates("", [("input_cost_per_token", "\"3e-6\"")])
                .unwrap()
                .rates
                .base
                .input,
            Some(Rate(3_000_000))
        );
    }

    #[test]
    fn prices_in_other_units_are_listed_unless_they_change_nothing() {
        let others = |name, price| {
            let tokens = [
                ("input_cost_per_token", "3e-6"),
                ("output_cost_per_token", "5e-6"),
            ];
            let named = rates("", tokens.into_iter().chain([(name, price)])).unwrap();
            assert_eq!(named.rates.unmeasured, !named.other_units.is_empty());
            named.other_units
        };
        for name in [
            "input_cost_per_query",
            "input_cost_per_second",
            "cost_per_second",
            "output_cost_per_image",
            "output_cost_per_pixel",
            "input_cost_per_character",
            "input_cost_per_video_per_second",
            "input_cost_per_audio_per_second_above_128k_tokens",
            "input_cost_per_audio_token",
            "output_cost_per_reasoning_token",
            "guardrail_cost_per_unit",
            "cache_read_input_image_token_cost",
        ] {
            assert_eq!(others(name, "0.001"), [name]);
            assert!(others(name, "0").is_empty(), "{name}: nothing to measure");
            assert!(others(name, "null").is_empty(), "{name}");
        }
        assert!(others("input_cost_per_audio_token", "0.000003").is_empty());
        assert_eq!(others("output_cost_per_audio_token", "3e-6").len(), 1);
        assert!(others("output_cost_per_image_token", "5e-6").is_empty());
        for name in [
            "input_cost_per_token_batches",
            "output_cost_per_token_turbo",
            "max_tokens",
            "mode",
            "rpm",
        ] {
            assert!(others(name, "1").is_empty(), "{name}");
        }
        assert!(others("search_context_cost_per_query", "0.01").is_empty());
        let nested = r#"{"content_policy": 0.01}"#;
        assert!(others("guardrail_cost_per_unit", nested).is_empty());
        assert!(rates("", [("input_cost_per_query", "free")]).is_err());
    }
}
