//! Prices: the built-in price list, LiteLLM's price files, and the price of a deployment.
//!
//! The price list is data in LiteLLM's own field names (`data/bedrock-prices.json`), so the same
//! code reads a newer file from LiteLLM. Numbers are read as decimals, never as floats.

mod command;
mod error;
mod field;
mod import;
mod lookup;
mod per_million;
mod price_list;
mod show;
mod source;

pub use command::{PricesArguments, run};
pub use error::{PriceError, PriceListError, PriceProblem};
pub use field::{RateField, is_other_unit};
pub use import::import;
pub use lookup::{Explicit, Found, NoPrice, Pricing, Source, explicit};
pub(crate) use per_million::RatesJson;
pub use per_million::per_million;
pub use price_list::{ListedPrice, PriceList, PriceListEntry};
