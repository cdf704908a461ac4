//! The price list: models and their listed prices.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use envoy_bedrock::pricing::Rates;
use serde_json::value::RawValue;

use super::error::{PriceError, PriceProblem};
use super::field::rates;

/// Made from LiteLLM's list, one model per line. `prices --import` makes a newer one.
const BUILT_IN: &str = include_str!("../../data/bedrock-prices.json");

/// A price list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceList {
    entries: BTreeMap<String, PriceListEntry>,
}

/// One model of a price list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceListEntry {
    /// What the model does: `chat`, `embedding`, `image_generation` … Empty if the list does not
    /// say.
    pub mode: String,
    /// Its price.
    pub price: ListedPrice,
}

/// How a model is priced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListedPrice {
    /// By tokens.
    Tokens(Rates),
    /// By something other than token counts: images, seconds, queries. The names of the list's
    /// fields; empty if the model has no price at all.
    OtherUnit(Vec<String>),
}

/// A price list as JSON objects whose numbers stay text.
pub(super) type File = BTreeMap<String, BTreeMap<String, Box<RawValue>>>;

pub(super) fn parse_file(text: &str) -> Result<File, PriceError> {
    serde_json::from_str(text).map_err(|error| PriceError {
        entry: String::new(),
        field: String::new(),
        problem: PriceProblem::Json(error.to_string()),
    })
}

impl PriceList {
    /// The list that is compiled into this program.
    pub fn built_in() -> &'static Self {
        static PRICE_LIST: LazyLock<PriceList> = LazyLock::new(|| {
            PriceList::parse(BUILT_IN).unwrap_or_else(|error| panic!("the built-in price list: {error}"))
        });
        &PRICE_LIST
    }

    /// Reads a list in the form of the built-in one.
    ///
    /// # Errors
    /// The first defect.
    pub fn parse(text: &str) -> Result<Self, PriceError> {
        let entries = parse_file(text)?.into_iter().map(|(key, fields)| {
            let entry = PriceListEntry::parse(&key, &fields)?;
            Ok((key, entry))
        });
        Ok(Self {
            entries: entries.collect::<Result<_, _>>()?,
        })
    }

    /// The entry with exactly this key.
    pub fn entry(&self, key: &str) -> Option<&PriceListEntry> {
        self.entries.get(key)
    }

    /// All entries, by key.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &PriceListEntry)> {
        self.entries.iter().map(|(key, entry)| (key.as_str(), entry))
    }
}

impl PriceListEntry {
    fn parse(key: &str, fields: &BTreeMap<String, Box<RawValue>>) -> Result<Self, PriceError> {
        let named = rates(
            key,
            fields.iter().map(|(name, value)| (name.as_str(), value.get())),
        )?;
        let mode = fields
            .get("mode")
            .and_then(|mode| serde_json::from_str(mode.get()).ok())
            .unwrap_or_default();
        // A video model of which only the text is priced by tokens would look far too cheap, and so
        // would a reranker that is billed by query while its tokens are free.
        let price = if named.rates.base.input.is_some() && named.other_units.is_empty() {
            ListedPrice::Tokens(named.rates)
        } else {
            ListedPrice::OtherUnit(named.other_units)
        };
        Ok(Self { mode, price })
    }
}
