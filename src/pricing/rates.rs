//! The rates of a deployment, as serialized in the plugin configuration.

use serde::{Deserialize, Serialize};

use crate::usage::ServiceTier;

/// The price of one token in pico-USD, up to 18 million USD.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(pub u64);

/// A service tier with its own rates. The others have the standard rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateTier {
    /// `…_balanced`
    Balanced,
    /// `…_flex`
    Flex,
    /// `…_priority`, also for the tier `fast`
    Priority,
    /// `…_ultrafast`
    Ultrafast,
}

impl RateTier {
    /// The tier whose rates apply to requests served by `tier`; `None` for the standard rates.
    pub fn of(tier: ServiceTier) -> Option<Self> {
        match tier {
            ServiceTier::Balanced => Some(Self::Balanced),
            ServiceTier::Flex => Some(Self::Flex),
            ServiceTier::Priority | ServiceTier::Fast => Some(Self::Priority),
            ServiceTier::Ultrafast => Some(Self::Ultrafast),
            ServiceTier::Default | ServiceTier::Reserved | ServiceTier::Other => None,
        }
    }
}

/// One rate per kind of token. A missing rate falls back (see [`Rates`]); 0 is a valid rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateSet {
    /// `input_cost_per_token`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Rate>,
    /// `output_cost_per_token`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Rate>,
    /// `cache_read_input_token_cost`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<Rate>,
    /// `cache_creation_input_token_cost`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<Rate>,
    /// `cache_creation_input_token_cost_above_1hr`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<Rate>,
}

/// Rates that override others under a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateVariant {
    /// Applies only to requests served by this tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<RateTier>,
    /// Applies only to prompts with more tokens than this, including cached ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above_tokens: Option<u64>,
    /// The rates. Missing ones override nothing.
    pub rates: RateSet,
}

/// All rates of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// The standard rates.
    pub base: RateSet,
    /// Rates that override them. Of two with the same condition, the later one wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<RateVariant>,
    /// Whether the rates also apply to latency-optimized responses. Those from a price list do not,
    /// because it contains only standard prices.
    #[serde(default, skip_serializing_if = "is_false")]
    pub any_latency: bool,
    /// Whether something that is not measured here is billed, such as images or queries. The cost
    /// is then unknown, whatever the tokens cost.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unmeasured: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde requires"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The rates of one request. A missing rate means that the price is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    pub(super) input: Option<Rate>,
    pub(super) output: Option<Rate>,
    pub(super) cache_read: Option<Rate>,
    pub(super) cache_write: Option<Rate>,
    pub(super) cache_write_1h: Option<Rate>,
}

impl Rates {
    /// The price of an input token and an output token together, in pico-USD; the most there is if
    /// one of them is unknown.
    pub(crate) fn input_and_output(&self) -> u64 {
        let sum = self.base.input.zip(self.base.output);
        sum.map_or(u64::MAX, |(input, output)| input.0.saturating_add(output.0))
    }

    /// Returns the rates for a prompt of `prompt` tokens, including cached ones, served by `tier`.
    ///
    /// The rules are LiteLLM's. The rate of the tier applies, or else the standard rate. For each
    /// threshold that the prompt exceeds, it is replaced by the tier's rate above the threshold, or
    /// else by the standard rate above it, if there is one. As an exception, a standard one-hour
    /// rate above a threshold applies only to requests of the standard tier. A missing cache rate
    /// defaults to the input rate, and a missing one-hour rate to the cache write rate.
    pub(super) fn resolve(&self, prompt: u64, tier: Option<RateTier>) -> Resolved {
        let base = self.rate_set(None, None);
        let mut rates = tier.map_or(base, |tier| self.rate_set(Some(tier), None).or(base));
        let mut reached = None;
        while let Some(threshold) = self
            .next_threshold(reached)
            .filter(|&threshold| prompt > threshold)
        {
            let standard = self.rate_set(None, Some(threshold));
            let here = match tier {
                Some(tier) => {
                    let own = self.rate_set(Some(tier), Some(threshold));
                    RateSet {
                        cache_write_1h: own.cache_write_1h,
                        ..own.or(standard)
                    }
                }
                None => standard,
            };
            rates = here.or(rates);
            reached = Some(threshold);
        }
        let cache_write = rates.cache_write.or(rates.input);
        Resolved {
            input: rates.input,
            output: rates.output,
            cache_read: rates.cache_read.or(rates.input),
            cache_write,
            cache_write_1h: rates.cache_write_1h.or(cache_write),
        }
    }

    fn rate_set(&self, tier: Option<RateTier>, above_tokens: Option<u64>) -> RateSet {
        let base = if tier.is_none() && above_tokens.is_none() {
            self.base
        } else {
            RateSet::default()
        };
        let matching = |variant: &&RateVariant| variant.tier == tier && variant.above_tokens == above_tokens;
        self.variants
            .iter()
            .filter(matching)
            .fold(base, |rates, variant| variant.rates.or(rates))
    }

    fn next_threshold(&self, previous: Option<u64>) -> Option<u64> {
        let thresholds = self.variants.iter().filter_map(|variant| variant.above_tokens);
        thresholds
            .filter(|&threshold| previous.is_none_or(|previous| threshold > previous))
            .min()
    }
}

impl RateSet {
    /// Fills missing rates from `other`.
    pub fn or(self, other: Self) -> Self {
        Self {
            input: self.input.or(other.input),
            output: self.output.or(other.output),
            cache_read: self.cache_read.or(other.cache_read),
            cache_write: self.cache_write.or(other.cache_write),
            cache_write_1h: self.cache_write_1h.or(other.cache_write_1h),
        }
    }
}
