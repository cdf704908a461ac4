//! The models that have a listed price.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use envoy_bedrock::pricing::Rates;
use serde_json::value::RawValue;

use super::field::rates;
use super::{PriceError, PriceProblem};

/// Made from LiteLLM's list; one model a line. `import` writes a newer one.
const BUILT_IN: &str = include_str!("../../data/bedrock-prices.json");

/// A price list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    entries: BTreeMap<String, CatalogueEntry>,
}

/// One model of a price list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueEntry {
    /// What the model does: `chat`, `embedding`, `image_generation` … Empty if the list does not say.
    pub mode: String,
    /// Its price.
    pub price: ListedPrice,
}

/// How a model is priced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListedPrice {
    /// By tokens.
    Tokens(Rates),
    /// By something that a request's token counts do not tell: images, seconds, queries. Names of the list's fields; none
    /// if it has no price at all.
    OtherUnit(Vec<String>),
}

/// A price file as JSON has it: numbers stay text.
pub(super) type File = BTreeMap<String, BTreeMap<String, Box<RawValue>>>;

pub(super) fn parse_file(text: &str) -> Result<File, PriceError> {
    serde_json::from_str(text).map_err(|error| PriceError {
        entry: String::new(),
        field: String::new(),
        problem: PriceProblem::Json(error.to_string()),
    })
}

impl Catalogue {
    /// The list in this program.
    pub fn built_in() -> &'static Self {
        static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
            Catalogue::parse(BUILT_IN).unwrap_or_else(|error| panic!("the built-in prices: {error}"))
        });
        &CATALOGUE
    }

    /// Reads a list in the form of the built-in one.
    ///
    /// # Errors
    /// The first defect, with its place.
    pub fn parse(text: &str) -> Result<Self, PriceError> {
        let entries = parse_file(text)?.into_iter().map(|(key, fields)| {
            let entry = CatalogueEntry::parse(&key, &fields)?;
            Ok((key, entry))
        });
        Ok(Self {
            entries: entries.collect::<Result<_, _>>()?,
        })
    }

    /// The entry of exactly this key.
    pub fn entry(&self, key: &str) -> Option<&CatalogueEntry> {
        self.entries.get(key)
    }

    /// All entries, by key.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &CatalogueEntry)> {
        self.entries.iter().map(|(key, entry)| (key.as_str(), entry))
    }
}

impl CatalogueEntry {
    fn parse(key: &str, fields: &BTreeMap<String, Box<RawValue>>) -> Result<Self, PriceError> {
        let named = rates(
            key,
            fields.iter().map(|(name, value)| (name.as_str(), value.get())),
        )?;
        let mode = fields
            .get("mode")
            .and_then(|mode| serde_json::from_str(mode.get()).ok())
            .unwrap_or_default();
        // A video model whose answer alone is priced by tokens would come out far too cheap, and so would a reranker
        // whose tokens are free beside its queries.
        let price = if named.rates.base.input.is_some() && named.other_units.is_empty() {
            ListedPrice::Tokens(named.rates)
        } else {
            ListedPrice::OtherUnit(named.other_units)
        };
        Ok(Self { mode, price })
    }
}
