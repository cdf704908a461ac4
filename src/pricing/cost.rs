//! The cost of a request.

use crate::pricing::rates::{Rate, RateTier, Rates, Resolved};
use crate::pricing::usd::PicoUsd;
use crate::usage::{LatencyTier, ServiceTier, Usage};

/// The cost of a request, in the parts that LiteLLM reports in headers. They add up exactly to
/// [`Cost::total`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Prompt tokens outside the cache.
    pub input: PicoUsd,
    /// Tokens of the response.
    pub output: PicoUsd,
    /// Prompt tokens read from the cache.
    pub cache_read: PicoUsd,
    /// Prompt tokens written to the cache.
    pub cache_creation: PicoUsd,
}

impl Cost {
    /// Computes the cost of `usage` at `rates`. Returns `None` if something that was used has no
    /// known price, or on overflow.
    pub fn of(
        usage: &Usage,
        tier: Option<ServiceTier>,
        latency: Option<LatencyTier>,
        rates: &Rates,
    ) -> Option<Self> {
        let is_standard = matches!(latency, None | Some(LatencyTier::Standard));
        if rates.unmeasured || !(is_standard || rates.any_latency) {
            return None;
        }
        let Resolved {
            input,
            output,
            cache_read,
            cache_write,
            cache_write_1h,
        } = rates.resolve(usage.prompt()?, tier.and_then(RateTier::of));
        let writes = times(usage.cache_write_5m, cache_write)?;
        let cost = Self {
            input: times(usage.input, input)?,
            output: times(usage.output, output)?,
            cache_read: times(usage.cache_read, cache_read)?,
            cache_creation: writes.checked_add(times(usage.cache_write_1h, cache_write_1h)?)?,
        };
        cost.checked_total().map(|_| cost)
    }

    /// The total cost.
    pub fn total(&self) -> PicoUsd {
        // `of` has checked the sum. Only parts from elsewhere can overflow.
        self.checked_total().unwrap_or(PicoUsd::new(u128::MAX))
    }

    fn checked_total(&self) -> Option<PicoUsd> {
        let input = self.input.checked_add(self.output)?;
        input
            .checked_add(self.cache_read)?
            .checked_add(self.cache_creation)
    }
}

/// Tokens without a price make the cost unknown, unless their number is zero.
fn times(tokens: u64, rate: Option<Rate>) -> Option<PicoUsd> {
    if tokens == 0 {
        return Some(PicoUsd::ZERO);
    }
    u128::from(tokens)
        .checked_mul(u128::from(rate?.0))
        .map(PicoUsd::new)
}
