//! What a deployment's tokens cost, as far as the file and the price list say.

use std::collections::{BTreeMap, BTreeSet};

use envoy_bedrock::config::ModelSettings;
use envoy_bedrock::pricing::Rates;

use super::deployments_of;
use super::error::Place;
use super::field::{Field, Section, quoted};
use super::parameters::Parameters;
use super::reader::Reader;
use super::scalar::Scalar;
use super::yaml::Value;
use crate::prices::{Catalogue, PriceProblem, Pricing, RateField, explicit};

/// What the file itself says about a price.
pub(crate) struct Configured {
    explicit: Option<Rates>,
    base_model: Option<String>,
}

impl Configured {
    /// Reads LiteLLM's prices in `litellm_params`, then in `model_info`, and `model_info.base_model`.
    pub(crate) fn read(parameters: &Parameters, info: &Section, reader: &mut Reader<'_>) -> Option<Self> {
        let is_price = |name: &str| RateField::parse(name).is_some();
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
        if let Some(rates) = &explicit {
            note_free(rates, &parameters.place, reader);
        }
        Some(Self { explicit, base_model })
    }
}

/// The decimal that a price is written as, once it is known to be a price.
fn price_text(name: &str, field: &Field, reader: &mut Reader<'_>) -> Option<String> {
    let text = match &field.node.value {
        Value::Scalar(Scalar::Integer(number)) => number.to_string(),
        // The shortest decimal that makes this float, which for up to 15 digits is the one that was written.
        Value::Scalar(Scalar::Float(number)) => format!("{number:?}"),
        Value::Scalar(Scalar::Text(_)) => reader.text(field)?,
        _ => return reader.wrong(&field.place, field.not("a price in USD")),
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
    reader.unexpected(&field.place, expected, quoted(&text))
}

/// As in LiteLLM, prices of the file replace those of the list altogether.
fn note_free(rates: &Rates, place: &Place, reader: &mut Reader<'_>) {
    for (rate, name) in [
        (rates.base.input, "input_cost_per_token"),
        (rates.base.output, "output_cost_per_token"),
    ] {
        if rate.is_none() {
            reader.note(
                place,
                format!("sets prices without {name}, so such tokens cost nothing"),
            );
        }
    }
}

/// The rates of a deployment. `None`, with a note, if they are unknown, and for a wildcard, whose model is unknown yet.
pub(crate) fn price(
    configured: &Configured,
    region: &str,
    model: &str,
    prices: &Catalogue,
    place: &Place,
    reader: &mut Reader<'_>,
) -> Option<Rates> {
    let Configured { explicit, base_model } = configured;
    if explicit.is_none() && base_model.is_none() && model.contains('*') {
        return None;
    }
    let pricing = Pricing {
        explicit: explicit.as_ref(),
        base_model: base_model.as_deref(),
        region,
        model,
    };
    match prices.price(&pricing) {
        Ok(found) => Some(found.rates),
        Err(error) => {
            reader.note_with(place, "the cost of its requests is unknown", error.to_string());
            None
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
