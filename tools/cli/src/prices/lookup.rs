//! Finds the price of a deployment.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use envoy_bedrock::bedrock::model_id::Referent;
use envoy_bedrock::pricing::{Rates, price_ids, regional_key};

use super::error::PriceError;
use super::field::{NamedRates, rates};
use super::price_list::{ListedPrice, PriceList};

/// The rates of what is not billed by tokens.
static UNMEASURED: LazyLock<Rates> = LazyLock::new(|| Rates {
    unmeasured: true,
    ..Rates::default()
});

/// What a deployment's price depends on.
#[derive(Clone, Copy, Debug)]
pub struct Pricing<'a> {
    /// Prices of the configuration, from [`explicit`].
    pub explicit: Option<&'a Explicit>,
    /// `model_info.base_model`.
    pub base_model: Option<&'a str>,
    /// The `model` next to a `model_id`: it names the model of an ARN that does not.
    pub named: Option<&'a str>,
    /// The deployment's region.
    pub region: &'a str,
    /// The deployment's model id, profile id or ARN, not percent-encoded.
    pub model: &'a str,
}

/// Prices that a configuration sets itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explicit {
    /// The rates of tokens. They apply however a request is served.
    pub rates: Rates,
    /// Names of prices in units that are not measured here.
    pub other_units: Vec<String>,
}

/// A price that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The rates.
    pub rates: Rates,
    /// Where they come from.
    pub source: Source,
}

/// Where a price comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The configuration itself.
    Configuration,
    /// The price list's entry with this key.
    PriceList(String),
}

/// Why a deployment has no price. The cost of its requests is unknown, not zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoPrice {
    /// The ARN does not name its model; `model_info.base_model` can.
    OpaqueArn,
    /// It is billed by time, not by request: what it is.
    ByTime(&'static str),
    /// A prompt router chooses another model for each request.
    Routed,
    /// The price list has no entry for the model: its most specific id.
    NotListed(String),
    /// The entry is not priced by tokens alone: its key and its other units.
    OtherUnit(String, Vec<String>),
    /// The configuration sets prices in units that are not measured here: their names.
    ConfiguredUnit(Vec<String>),
}

impl fmt::Display for NoPrice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpaqueArn => out.write_str("the ARN does not name its model: set model_info.base_model"),
            Self::ByTime(what) => write!(out, "{what} is billed by time, not by token"),
            Self::Routed => out.write_str("a prompt router chooses the model of each request"),
            Self::NotListed(key) => write!(out, "the price list has no entry for {key}"),
            Self::ConfiguredUnit(units) => write!(
                out,
                "the configuration sets {}, whose unit is not measured",
                units.join(", ")
            ),
            Self::OtherUnit(key, units) if units.is_empty() => {
                write!(out, "the price list has no price for {key}")
            }
            Self::OtherUnit(key, units) => write!(
                out,
                "{key} is priced by {}, which is not measured",
                units.join(", ")
            ),
        }
    }
}

/// The rates that a configuration sets itself, by LiteLLM's names (`input_cost_per_token` …) in
/// `litellm_params` or `model_info`. If a name occurs twice the first counts, so pass those of
/// `litellm_params` first. `None` if there are no rates. A price of 0 in a unit other than tokens
/// does not count.
///
/// # Errors
/// The first value that is not a price.
pub fn explicit<'a>(
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Option<Explicit>, PriceError> {
    let NamedRates { rates, other_units } = rates("", parameters)?;
    Ok((rates != Rates::default()).then_some(Explicit {
        rates: Rates {
            any_latency: true,
            ..rates
        },
        other_units,
    }))
}

impl PriceList {
    /// The price of a deployment: the configuration's own, else that of its `base_model`, else that
    /// of its model in its region, of its model, or of its model without the geography of a
    /// cross-region profile. The model of an application inference profile or of a prompt is the
    /// one that the configuration names.
    ///
    /// # Errors
    /// Why it has none.
    pub fn price(&self, pricing: &Pricing<'_>) -> Result<Found, NoPrice> {
        if let Some(explicit) = pricing.explicit {
            if explicit.rates.unmeasured {
                return Err(NoPrice::ConfiguredUnit(explicit.other_units.clone()));
            }
            return Ok(Found {
                rates: explicit.rates.clone(),
                source: Source::Configuration,
            });
        }
        let model = match pricing.base_model {
            Some(base_model) if self.entry(base_model).is_some() => return self.found(base_model),
            Some(base_model) => without_route(base_model),
            None => match Referent::of(pricing.model) {
                Referent::Named(_) => pricing.model,
                Referent::ApplicationProfile | Referent::Prompt => pricing.named.ok_or(NoPrice::OpaqueArn)?,
                Referent::ProvisionedThroughput => {
                    return Err(NoPrice::ByTime("provisioned throughput"));
                }
                Referent::CustomModel => {
                    return Err(NoPrice::ByTime("a custom model on provisioned throughput"));
                }
                Referent::ImportedModel => return Err(NoPrice::ByTime("an imported model")),
                Referent::Endpoint => return Err(NoPrice::ByTime("a SageMaker endpoint")),
                Referent::PromptRouter => return Err(NoPrice::Routed),
                Referent::CustomModelDeployment | Referent::Unknown => return Err(NoPrice::OpaqueArn),
            },
        };
        self.listed(pricing.region, model)
    }

    /// Every id that has an entry in a region. Looking up the [`price_ids`] of a model in turn
    /// gives the same price as [`PriceList::price`]; this is for deployments whose model only the
    /// request names. An entry that is not priced by tokens is included as unmeasured, so that it
    /// hides a more general entry as it does in a lookup.
    pub fn table(&self, region: &str) -> BTreeMap<&str, &Rates> {
        let ids = self.entries().map(|(key, _)| {
            let id = key.strip_prefix("bedrock/").unwrap_or(key);
            id.strip_prefix(region)
                .and_then(|id| id.strip_prefix('/'))
                .unwrap_or(id)
        });
        let priced = ids.filter(|id| !id.contains('/')).filter_map(|id| {
            let entry = self.entry(&self.key(region, id)?)?;
            match &entry.price {
                ListedPrice::Tokens(rates) => Some((id, rates)),
                ListedPrice::OtherUnit(_) => Some((id, &*UNMEASURED)),
            }
        });
        priced.collect()
    }

    /// The prices with which the filter looks up, by [`envoy_bedrock::pricing::lookup_rates`],
    /// models that only requests name, in these regions.
    pub fn wildcards<'a>(&self, regions: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, Rates> {
        // No entry belongs to the empty region, so this is the table without regional prices.
        let general = self.table("");
        let owned = |(id, rates): (&str, &Rates)| (id.to_owned(), rates.clone());
        let mut all: BTreeMap<String, Rates> = BTreeMap::new();
        for region in regions {
            all.extend(general.iter().map(|(id, rates)| owned((id, rates))));
            let special = self.table(region).into_iter();
            let special = special.filter(|(id, rates)| general.get(id) != Some(rates));
            all.extend(special.map(|(id, rates)| owned((&regional_key(region, id), rates))));
        }
        all
    }

    fn listed(&self, region: &str, model: &str) -> Result<Found, NoPrice> {
        let mut ids = price_ids(model).peekable();
        let Some(&first) = ids.peek() else {
            return Err(NoPrice::OpaqueArn);
        };
        match ids.find_map(|id| self.key(region, id)) {
            Some(key) => self.found(&key),
            None => Err(NoPrice::NotListed(first.to_owned())),
        }
    }

    /// The key of an id's entry. The list has some models only under `bedrock/…`.
    fn key(&self, region: &str, id: &str) -> Option<String> {
        let keys = [
            format!("bedrock/{region}/{id}"),
            format!("bedrock/{id}"),
            id.to_owned(),
        ];
        keys.into_iter().find(|key| self.entry(key).is_some())
    }

    fn found(&self, key: &str) -> Result<Found, NoPrice> {
        match self.entry(key).map(|entry| &entry.price) {
            Some(ListedPrice::Tokens(rates)) => Ok(Found {
                rates: rates.clone(),
                source: Source::PriceList(key.to_owned()),
            }),
            Some(ListedPrice::OtherUnit(units)) => Err(NoPrice::OtherUnit(key.to_owned(), units.clone())),
            None => Err(NoPrice::NotListed(key.to_owned())),
        }
    }
}

/// `name` without LiteLLM's routing prefixes, which a `base_model` may have.
fn without_route(name: &str) -> &str {
    ["bedrock/", "converse/", "invoke/"]
        .iter()
        .fold(name, |name, route| name.strip_prefix(route).unwrap_or(name))
}
