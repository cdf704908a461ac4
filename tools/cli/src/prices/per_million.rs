//! Rates as prices are usually quoted: exact USD per million tokens.

use envoy_bedrock::pricing::{PicoUsd, Rate, RateSet, RateTier, RateVariant, Rates};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::json::number;

/// The number of tokens that displayed prices refer to.
const TOKENS: u128 = 1_000_000;
/// Headings of [`RateSet`]'s five, in the order of [`row`].
pub(crate) const HEADINGS: [&str; 5] = ["INPUT", "OUTPUT", "CACHE READ", "CACHE WRITE", "CACHE WRITE 1H"];

/// The price of a million tokens, exact.
pub fn per_million(rate: Rate) -> PicoUsd {
    // Below 2⁶⁴ · 2²⁰.
    PicoUsd::new(u128::from(rate.0).saturating_mul(TOKENS))
}

/// The prices under the headings; `-` if a kind of token has no price of its own and another one
/// applies.
pub(crate) fn row(rates: &RateSet) -> [String; 5] {
    all(rates).map(|rate| rate.map_or_else(|| "-".to_owned(), |rate| per_million(rate).to_string()))
}

fn all(rates: &RateSet) -> [Option<Rate>; 5] {
    [
        rates.input,
        rates.output,
        rates.cache_read,
        rates.cache_write,
        rates.cache_write_1h,
    ]
}

/// When a variant's rates apply.
pub(crate) fn condition(variant: &RateVariant) -> String {
    let tier = variant.tier.map(tier_name).unwrap_or_default();
    match variant.above_tokens {
        Some(tokens) if tier.is_empty() => format!("above {tokens} tokens"),
        Some(tokens) => format!("{tier}, above {tokens} tokens"),
        None => tier.to_owned(),
    }
}

fn tier_name(tier: RateTier) -> &'static str {
    match tier {
        RateTier::Balanced => "balanced",
        RateTier::Flex => "flex",
        RateTier::Priority => "priority",
        RateTier::Ultrafast => "ultrafast",
    }
}

/// Rates in JSON: USD per million tokens as exact numbers, null if unpriced.
#[derive(Debug, Serialize)]
pub(crate) struct RatesJson {
    #[serde(flatten)]
    base: SetJson,
    /// Rates that replace the others under a condition.
    variants: Vec<VariantJson>,
}

#[derive(Debug, Serialize)]
struct SetJson {
    input: Option<Box<RawValue>>,
    output: Option<Box<RawValue>>,
    cache_read: Option<Box<RawValue>>,
    cache_write: Option<Box<RawValue>>,
    cache_write_1h: Option<Box<RawValue>>,
}

#[derive(Debug, Serialize)]
struct VariantJson {
    tier: Option<&'static str>,
    above_tokens: Option<u64>,
    #[serde(flatten)]
    rates: SetJson,
}

impl RatesJson {
    /// The JSON of `rates`.
    pub(crate) fn of(rates: &Rates) -> Self {
        let variant = |variant: &RateVariant| VariantJson {
            tier: variant.tier.map(tier_name),
            above_tokens: variant.above_tokens,
            rates: SetJson::of(&variant.rates),
        };
        Self {
            base: SetJson::of(&rates.base),
            variants: rates.variants.iter().map(variant).collect(),
        }
    }
}

impl SetJson {
    fn of(rates: &RateSet) -> Self {
        let [input, output, cache_read, cache_write, cache_write_1h] =
            all(rates).map(|rate| rate.map(|rate| number(per_million(rate))));
        Self {
            input,
            output,
            cache_read,
            cache_write,
            cache_write_1h,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_shown_with_all_its_decimals() {
        for (pico, shown) in [
            (3_300_000, "3.3"),
            (131_250, "0.13125"),
            (1, "0.000001"),
            (0, "0"),
            (u64::MAX, "18446744073709.551615"),
        ] {
            assert_eq!(per_million(Rate(pico)).to_string(), shown);
            assert_eq!(number(per_million(Rate(pico))).get(), shown);
        }
    }
}
