//! What a deployment's tokens cost, as far as the file and the price list say.

use std::collections::{BTreeMap, BTreeSet};

use envoy_bedrock::bedrock::model_id::{Referent, without_geography};
use envoy_bedrock::contract::settings::ModelSettings;
use envoy_bedrock::pricing::Rates;

use super::deployments_of;
use super::model::{self, Target};
use super::parameters::Parameters;
use super::reader::Reader;
use crate::document::field::{Section, YamlField, quoted};
use crate::document::location::Location;
use crate::document::scalar::Scalar;
use crate::document::yaml::YamlValue;
use crate::prices::{
    Catalogue, Explicit, NoPrice, PriceProblem, Pricing, RateField, explicit, is_other_unit,
};

/// What the file itself says about a price.
pub(crate) struct Configured {
    explicit: Option<Explicit>,
    base_model: Option<String>,
    /// The `model` beside a `model_id`.
    named: Option<String>,
    /// `model` names a commitment to provisioned throughput.
    is_committed: bool,
}

impl Configured {
    /// Reads LiteLLM's prices in `litellm_params`, then in `model_info`, and `model_info.base_model`. `id` is the model
    /// that `model` names.
    pub(crate) fn read(
        parameters: &Parameters,
        info: &Section,
        id: &str,
        reader: &mut Reader<'_>,
    ) -> Option<Self> {
        let is_price = |name: &str| RateField::parse(name).is_some() || is_other_unit(name);
        let mut prices = Vec::new();
        let mut valid = true;
        for section in [parameters.own(), info] {
            for (name, field) in section.fields_named(is_price) {
                match price_text(&name, &field, reader) {
                    Some(text) => prices.push((name, text)),
                    None => valid = false,
                }
            }
        }
        let base_model = match info.field("base_model") {
            Some(field) => Some(reader.text(&field)?),
            None => None,
        };
        if !valid {
            return None;
        }
        let named = prices.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        // Each alone was read already.
        let explicit = explicit(named).ok()?;
        if let Some(explicit) = explicit.as_ref().filter(|explicit| !explicit.rates.unmeasured) {
            note_unpriced(&explicit.rates, &parameters.location, reader);
        }
        let written = parameters.field("model");
        Some(Self {
            explicit,
            base_model,
            named: parameters.field("model_id").map(|_| id.to_owned()),
            is_committed: written.is_some_and(|field| is_committed(&field)),
        })
    }

    /// The foundation model behind `model`, an ARN that does not name it.
    pub(crate) fn foundation_model(&self, model: &str) -> Option<String> {
        let named = match Referent::of(model) {
            Referent::Named(_) => return None,
            Referent::ApplicationProfile | Referent::ProvisionedThroughput | Referent::Prompt => {
                self.named.as_deref()
            }
            _ => None,
        };
        let base_model = self.base_model.as_deref().and_then(foundation_model);
        base_model.or_else(|| named.and_then(foundation_model))
    }
}

/// The id of a foundation model without what LiteLLM and inference profiles put before it; `None` for anything else.
fn foundation_model(name: &str) -> Option<String> {
    let Target::Bedrock { id, .. } = model::target(name, Some("bedrock")) else {
        return None;
    };
    let Referent::Named(id) = Referent::of(&id) else {
        return None;
    };
    let id = without_geography(id).unwrap_or(id);
    let (provider, model) = id.split_once('.')?;
    // Ids of other services have dots only in their versions: `claude-3.5-sonnet`.
    let is_provider = !provider.is_empty() && provider.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_id = is_provider && !model.is_empty() && !id.contains(['/', '*']);
    is_id.then(|| id.to_owned())
}

/// Whether `model` names a commitment to provisioned throughput: `bedrock/us-west-2/1-month-commitment/…`.
fn is_committed(model: &YamlField) -> bool {
    match &model.node.value {
        YamlValue::Scalar(Scalar::Text(text)) => {
            !text.contains("arn:") && text.split('/').any(model::is_commitment)
        }
        _ => false,
    }
}

/// The decimal that a price is written as, once it is known to be a price.
fn price_text(name: &str, field: &YamlField, reader: &mut Reader<'_>) -> Option<String> {
    let text = match &field.node.value {
        YamlValue::Scalar(Scalar::Integer(number)) => number.to_string(),
        // The shortest decimal that makes this float, which for up to 15 digits is the one that was written.
        YamlValue::Scalar(Scalar::Float(number)) => format!("{number:?}"),
        YamlValue::Scalar(Scalar::Text(_)) => reader.text(field)?,
        _ => return reader.wrong(&field.location, field.not("a price in USD")),
    };
    let Err(error) = explicit([(name, text.as_str())]) else {
        return Some(text);
    };
    let expected = match error.problem {
        PriceProblem::Value(_, envoy_bedrock::pricing::UsdError::Negative) => {
            "a price in USD that is not negative"
        }
        PriceProblem::TooLarge(_) => "a price below 18 million USD per token",
        _ => "a price in USD",
    };
    reader.unexpected(&field.location, expected, quoted(&text))
}

/// As in LiteLLM, prices of the file replace those of the list altogether.
fn note_unpriced(rates: &Rates, location: &Location, reader: &mut Reader<'_>) {
    for (rate, name) in [
        (rates.base.input, "input_cost_per_token"),
        (rates.base.output, "output_cost_per_token"),
    ] {
        if rate.is_none() {
            reader.note(
                location,
                format!(
                    "sets prices without {name}, so the cost of requests with such tokens is unknown; set it to 0 if \
                     they are free"
                ),
            );
        }
    }
}

/// The rates of a deployment. `None`, with a note, if they are unknown, and for a wildcard, whose model is unknown yet.
/// A wildcard with an unknown price that does not depend on its model gets rates that say so.
pub(crate) fn price(
    configured: &Configured,
    region: &str,
    model: &str,
    prices: &Catalogue,
    location: &Location,
    reader: &mut Reader<'_>,
) -> Option<Rates> {
    let Configured {
        explicit,
        base_model,
        named,
        is_committed,
    } = configured;
    let is_open = explicit.is_none() && base_model.is_none();
    let is_wildcard = model.contains('*');
    if is_open && is_wildcard && !is_committed {
        return None;
    }
    let pricing = Pricing {
        explicit: explicit.as_ref(),
        base_model: base_model.as_deref(),
        named: named.as_deref(),
        region,
        model,
    };
    let found = if is_open && *is_committed {
        Err(NoPrice::ByTime("provisioned throughput"))
    } else {
        prices.price(&pricing)
    };
    match found {
        Ok(found) => Some(found.rates),
        Err(error) => {
            reader.note_with(location, "cost unknown", error.to_string());
            is_wildcard.then(|| Rates {
                unmeasured: true,
                ..Rates::default()
            })
        }
    }
}

/// The prices that requests to wildcards are looked up in; none if all prices are known.
pub(crate) fn catalogue(models: &[ModelSettings], prices: &Catalogue) -> BTreeMap<String, Rates> {
    let open = deployments_of(models)
        .filter(|deployment| deployment.rates.is_none() && deployment.model.contains('*'));
    let regions: BTreeSet<&str> = open.map(|deployment| deployment.region.as_str()).collect();
    prices.wildcards(regions)
}
