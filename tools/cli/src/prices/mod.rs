//! Prices: the built-in catalogue, LiteLLM's price files, and which price a deployment has.
//!
//! The catalogue is data in LiteLLM's own field names (`data/bedrock-prices.json`), so a newer file of LiteLLM's
//! replaces it by the same reader. Numbers are read as decimals, never as floats.

mod catalogue;
mod error;
mod field;
mod import;
mod lookup;

pub use catalogue::{Catalogue, Entry, Price};
pub use error::{PriceError, PriceProblem};
pub use field::RateField;
pub use import::import;
pub use lookup::{Found, NoPrice, Pricing, Source, explicit};
