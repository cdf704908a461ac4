//! Prices: the built-in catalogue, LiteLLM's price files, and which price a deployment has.
//!
//! The catalogue is data in LiteLLM's own field names (`data/bedrock-prices.json`), so a newer file of LiteLLM's
//! replaces it by the same reader. Numbers are read as decimals, never as floats.

mod catalogue;
mod command;
mod error;
mod field;
mod import;
mod lookup;
mod per_million;
mod show;
mod source;

pub use catalogue::{Catalogue, CatalogueEntry, ListedPrice};
pub use command::{PricesArguments, run};
pub use error::{PriceError, PriceProblem};
pub use field::{RateField, is_other_unit};
pub use import::import;
pub use lookup::{Explicit, Found, NoPrice, Pricing, Source, explicit};
pub use per_million::per_million;
pub(crate) use per_million::{RatesJson, number};
