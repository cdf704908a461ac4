//! What a request costs: token counts times rates, in integers.
//!
//! The unit is the pico-USD (10⁻¹² USD), because not every rate in the price list is a whole number
//! of nano-USD. Costs are therefore exact, and their parts add up to the total. Amounts are rounded
//! only for display, and when a rate has more than twelve decimals; [`PicoUsd::rounded`] and
//! [`PicoUsd::parse`] share the rounding function.

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
pub use usd::{Parsed, PicoUsd, UsdError};
