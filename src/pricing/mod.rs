//! What a request costs: token counts times rates, in integers.
//!
//! The unit is the pico-USD (10⁻¹² USD): every rate of the catalogue is a whole number of them, which is not so for the
//! nano-USD. So a cost is exact, its parts sum to the whole, and nothing is rounded but for show and for rates that
//! somebody wrote with more than twelve decimals ([`PicoUsd::rounded`] and [`PicoUsd::parse`] share one function).

mod catalogue_id;
mod cost;
mod lookup;
mod rates;
#[cfg(test)]
mod tests;
mod usd;

pub use catalogue_id::price_ids;
pub use cost::Cost;
pub use lookup::{lookup_rates, regional_key};
pub use rates::{Rate, RateSet, RateTier, RateVariant, Rates};
pub use usd::{DECIMALS, Parsed, PicoUsd, UsdError};
