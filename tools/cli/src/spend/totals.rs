//! Sums.

use envoy_bedrock::pricing::PicoUsd;

/// What some requests add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many there are.
    pub requests: u64,
    /// How many of them failed.
    pub failures: u64,
    /// Tokens of the prompts, cached ones included.
    pub prompt_tokens: u64,
    /// Tokens of the answers.
    pub completion_tokens: u64,
    /// Prompt tokens read from the cache.
    pub cache_read_input_tokens: u64,
    /// Prompt tokens written to the cache.
    pub cache_creation_input_tokens: u64,
    /// The cost, without that of the requests whose cost is unknown.
    pub spend: PicoUsd,
    /// How many requests' cost is unknown.
    pub unknown_spend: u64,
    /// How many requests' tokens were estimated.
    pub estimated: u64,
}

impl Totals {
    /// The cost, or `None` if some is unknown and all that is known comes to nothing: that would read as if it was free.
    pub fn known_spend(&self) -> Option<PicoUsd> {
        (self.unknown_spend == 0 || self.spend != PicoUsd::ZERO).then_some(self.spend)
    }

    /// Both together; `None` if a sum is beyond counting.
    pub fn checked_add(&self, other: &Self) -> Option<Self> {
        Some(Self {
            requests: self.requests.checked_add(other.requests)?,
            failures: self.failures.checked_add(other.failures)?,
            prompt_tokens: self.prompt_tokens.checked_add(other.prompt_tokens)?,
            completion_tokens: self.completion_tokens.checked_add(other.completion_tokens)?,
            cache_read_input_tokens: self
                .cache_read_input_tokens
                .checked_add(other.cache_read_input_tokens)?,
            cache_creation_input_tokens: self
                .cache_creation_input_tokens
                .checked_add(other.cache_creation_input_tokens)?,
            spend: self.spend.checked_add(other.spend)?,
            unknown_spend: self.unknown_spend.checked_add(other.unknown_spend)?,
            estimated: self.estimated.checked_add(other.estimated)?,
        })
    }
}
