//! The price of a deployment's tokens, from the configuration and the price list.

use std::collections::{BTreeMap, BTreeSet};

use envoy_bedrock::bedrock::model_id::{Referent, without_geography};
use envoy_bedrock::contract::settings::ModelSettings;
use envoy_bedrock::pricing::{Rates, UsdError};

use super::entry::ModelListEntry;
use super::model::{self, ModelTarget};
use crate::document::field::{YamlField, quoted};
use crate::document::reader::Read;
use crate::document::scalar::Scalar;
use crate::document::yaml::YamlValue;
use crate::prices::{
    Explicit, NoPrice, PriceList, PriceProblem, Pricing, RateField, explicit, is_other_unit,
};

/// What the configuration says about the price of a deployment.
pub(crate) struct ConfiguredPrice {
    explicit: Option<Explicit>,
    base_model: Option<String>,
    /// The `model` next to a `model_id`.
    named: Option<String>,
    /// Whether `model` names a commitment to provisioned throughput.
    is_committed: bool,
}

impl ConfiguredPrice {
    /// The foundation model of `model`, an ARN that does not name it.
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

impl ModelListEntry<'_, '_> {
    /// Reads LiteLLM's prices in `litellm_params`, then in `model_info`, and
    /// `model_info.base_model`. `id` is the model that `model` names.
    pub(crate) fn configured_price(&mut self, id: &str) -> Read<ConfiguredPrice> {
        let is_price = |name: &str| RateField::parse(name).is_some() || is_other_unit(name);
        let mut prices = Vec::new();
        let mut valid = Ok(());
        let own = self.parameters.own().fields_named(is_price);
        for (name, field) in own.into_iter().chain(self.info.fields_named(is_price)) {
            match self.price_text(&name, &field) {
                Ok(text) => prices.push((name, text)),
                Err(reported) => valid = Err(reported),
            }
        }
        let base_model = self.reader.optional_text(self.info.field("base_model"))?;
        valid?;
        let prices = prices.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let explicit = explicit(prices).map_err(|error| {
            let found = error.to_string();
            self.reader
                .unexpected(&self.parameters.location, "valid prices", found)
        })?;
        if let Some(explicit) = explicit.as_ref().filter(|explicit| !explicit.rates.unmeasured) {
            self.note_missing_rates(&explicit.rates);
        }
        let model = self.parameters.field("model");
        Ok(ConfiguredPrice {
            explicit,
            base_model,
            named: self.parameters.field("model_id").map(|_| id.to_owned()),
            is_committed: model.is_some_and(|model| is_committed(&model)),
        })
    }

    /// The decimal number of a valid price.
    fn price_text(&mut self, name: &str, field: &YamlField) -> Read<String> {
        let text = match &field.node.value {
            YamlValue::Scalar(Scalar::Integer(number)) => number.to_string(),
            // The shortest decimal with this value. For up to 15 digits, that is what the file
            // says.
            YamlValue::Scalar(Scalar::Float(number)) => format!("{number:?}"),
            YamlValue::Scalar(Scalar::Text(_)) => self.reader.text(field)?,
            _ => {
                let problem = field.not("a price in USD");
                return Err(self.reader.file_error(&field.location, problem));
            }
        };
        let Err(error) = explicit([(name, text.as_str())]) else {
            return Ok(text);
        };
        let expected = match error.problem {
            PriceProblem::Value(_, UsdError::Negative) => "a price in USD that is not negative",
            PriceProblem::TooLarge(_) => "a price below 18 million USD per token",
            _ => "a price in USD",
        };
        Err(self.reader.unexpected(&field.location, expected, quoted(&text)))
    }

    /// Notes which rates are missing: as in LiteLLM, prices in the configuration replace all those
    /// in the price list.
    fn note_missing_rates(&mut self, rates: &Rates) {
        for (rate, name) in [
            (rates.base.input, "input_cost_per_token"),
            (rates.base.output, "output_cost_per_token"),
        ] {
            if rate.is_none() {
                let text = format!(
                    "prices are set without {name}, so the cost of requests with such tokens is unknown: set it to 0 if \
                     they are free"
                );
                self.reader.note(&self.parameters.location, text);
            }
        }
    }

    /// The rates of the deployment. `None` for a wildcard, whose model is not known yet, and, with
    /// a note, if they are unknown. A wildcard whose price is unknown for every model gets rates
    /// that say so.
    pub(crate) fn rates(
        &mut self,
        configured: &ConfiguredPrice,
        region: &str,
        model: &str,
        prices: &PriceList,
    ) -> Option<Rates> {
        let ConfiguredPrice {
            explicit,
            base_model,
            named,
            is_committed,
        } = configured;
        let depends_on_model = explicit.is_none() && base_model.is_none();
        let is_wildcard = model.contains('*');
        if depends_on_model && is_wildcard && !is_committed {
            return None;
        }
        let found = if depends_on_model && *is_committed {
            Err(NoPrice::ByTime("provisioned throughput"))
        } else {
            prices.price(&Pricing {
                explicit: explicit.as_ref(),
                base_model: base_model.as_deref(),
                named: named.as_deref(),
                region,
                model,
            })
        };
        match found {
            Ok(found) => Some(found.rates),
            Err(error) => {
                self.reader
                    .note_with(self.location, "cost unknown", error.to_string());
                is_wildcard.then(|| Rates {
                    unmeasured: true,
                    ..Rates::default()
                })
            }
        }
    }
}

/// The id of the foundation model `name`, without LiteLLM's prefixes and without a geography.
fn foundation_model(name: &str) -> Option<String> {
    let ModelTarget::Bedrock { id, .. } = model::target(name, Some("bedrock")) else {
        return None;
    };
    let Referent::Named(id) = Referent::of(&id) else {
        return None;
    };
    let id = without_geography(id).unwrap_or(id);
    let (provider, model) = id.split_once('.')?;
    // Ids of other services can have dots in their versions: `claude-3.5-sonnet`.
    let is_provider = !provider.is_empty() && provider.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_id = is_provider && !model.is_empty() && !id.contains(['/', '*']);
    is_id.then(|| id.to_owned())
}

/// Whether `model` names a commitment to provisioned throughput:
/// `bedrock/us-west-2/1-month-commitment/…`.
fn is_committed(model: &YamlField) -> bool {
    model
        .text()
        .is_some_and(|text| !text.contains("arn:") && text.split('/').any(model::is_commitment))
}

/// The prices for requests to wildcards. Empty if the price of each deployment is known.
pub(crate) fn wildcard_prices(models: &[ModelSettings], prices: &PriceList) -> BTreeMap<String, Rates> {
    let regions: BTreeSet<&str> = models
        .iter()
        .flat_map(|model| &model.deployments)
        .filter(|deployment| deployment.rates.is_none() && deployment.model.contains('*'))
        .map(|deployment| deployment.region.as_str())
        .collect();
    prices.wildcards(regions)
}
