//! The rates of a deployment, in the form in which the plugin configuration has them.

use serde::{Deserialize, Serialize};

use crate::usage::ServiceTier;

/// Price of one token in pico-USD, up to 18 million USD.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(pub u64);

/// A service tier that price lists know. The others have the standard price.
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
    /// The tier whose rates a request has that was served by `tier`; `None` for the standard ones.
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

/// One price per kind of token. What is absent falls back (see [`Rates`]); 0 is a price.
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

/// Rates that replace others under a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateVariant {
    /// Only for requests that this tier served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<RateTier>,
    /// Only for prompts of more tokens than this, cached ones included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above_tokens: Option<u64>,
    /// The rates. What is absent here is not replaced.
    pub rates: RateSet,
}

/// All rates of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// The standard rates.
    pub base: RateSet,
    /// What replaces them. Of two with the same conditions the later one wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<RateVariant>,
    /// Whether they also hold for latency-optimised answers. Those of a price list do not: it has the standard price only.
    #[serde(default, skip_serializing_if = "is_false")]
    pub any_latency: bool,
    /// Whether something is paid for that is not measured here, such as images or queries. Then no cost is known,
    /// whatever the tokens cost.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unmeasured: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The rates of one request. What is absent here has no price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    pub(super) input: Option<Rate>,
    pub(super) output: Option<Rate>,
    pub(super) cache_read: Option<Rate>,
    pub(super) cache_write: Option<Rate>,
    pub(super) cache_write_1h: Option<Rate>,
}

impl Rates {
    /// The rates for a prompt of so many tokens (cached ones included) that `tier` served.
    ///
    /// They are LiteLLM's: a tier's rate, else the standard one; above each threshold that the prompt exceeds the rate
    /// of the tier there, else the standard one there, else the one so far; a missing cache rate is the input rate, a
    /// missing one-hour rate the cache write rate. The one-hour rate alone passes from a tier to the standard rate
    /// above a threshold only for requests of the standard tier.
    pub(super) fn resolve(&self, prompt: u64, tier: Option<RateTier>) -> Resolved {
        let base = self.at(None, None);
        let mut rates = tier.map_or(base, |tier| self.at(Some(tier), None).or(base));
        let mut reached = None;
        while let Some(threshold) = self
            .next_threshold(reached)
            .filter(|&threshold| prompt > threshold)
        {
            let standard = self.at(None, Some(threshold));
            let here = match tier {
                Some(tier) => {
                    let own = self.at(Some(tier), Some(threshold));
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

    fn at(&self, tier: Option<RateTier>, above_tokens: Option<u64>) -> RateSet {
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

    fn next_threshold(&self, behind: Option<u64>) -> Option<u64> {
        let thresholds = self.variants.iter().filter_map(|variant| variant.above_tokens);
        thresholds
            .filter(|&threshold| behind.is_none_or(|behind| threshold > behind))
            .min()
    }
}

impl RateSet {
    /// These, and `other` where these have none.
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
