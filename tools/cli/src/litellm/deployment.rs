//! Reads an entry of `model_list`.

use envoy_bedrock::bedrock::model_id::Referent;

use super::clusters::Clusters;
use super::credential_list::CredentialList;
use super::draft::Draft;
use super::entry::{self, ModelListEntry, NAME_MAX_BYTES};
use super::known;
use super::model::{self, ModelTarget};
use super::note::{Class, Note};
use super::parameters::Parameters;
use super::report::Reader;
use super::shares::{RATE_MAX, StatedShare};
use crate::document::field::{YamlField, quoted};
use crate::document::reader::Read;
use crate::prices::PriceList;

/// Longest `model_info.id`: it is a header value of every response and a label of metrics.
const ID_MAX_BYTES: usize = 256;

/// A readable entry of `model_list`.
pub(crate) enum ListedModel {
    /// A deployment to serve.
    Deployment(Box<Draft>),
    /// An entry to skip.
    Skipped {
        /// The name of its model group.
        model_name: String,
        /// Its provider, if that is not Bedrock's runtime.
        provider: Option<String>,
    },
}

/// What an entry that cannot be served says about its model group.
pub(crate) struct Outline {
    /// The name of its model group.
    pub model_name: Option<String>,
    /// What it says about its share.
    pub share: Option<StatedShare>,
    /// Its order.
    pub order: Option<i64>,
}

/// Reads the entry `element`. Errors are recorded by `reader`, with a note for a skipped entry.
pub(crate) fn read(
    element: &YamlField,
    credentials: &CredentialList,
    prices: &PriceList,
    clusters: &mut Clusters,
    reader: &mut Reader<'_>,
) -> Read<ListedModel> {
    let (mut entry, model_name) = ModelListEntry::open(element, credentials, reader)?;
    let (id, region) = match entry.target()? {
        ModelTarget::Bedrock { id, region } => (id, region),
        ModelTarget::OtherProvider(provider) => {
            let note = Note::other_provider(&element.location, provider.clone());
            entry.reader.findings.add(note);
            return model_name.map(|model_name| ListedModel::Skipped {
                model_name,
                provider: Some(provider),
            });
        }
    };
    if entry.is_blocked() {
        let text = "model_info.blocked is true";
        entry.reader.note_of(Class::Skipped, &element.location, text);
        return model_name.map(|model_name| ListedModel::Skipped {
            model_name,
            provider: None,
        });
    }
    // With other errors, what is missing would only be reported a second time.
    entry.check_deciding_settings()?;
    let draft = entry.draft(model_name, id, region, prices, clusters)?;
    Ok(ListedModel::Deployment(Box::new(draft)))
}

/// What `element` says about its model group, as far as it can be read.
pub(crate) fn outline(element: &YamlField, reader: &mut Reader<'_>) -> Outline {
    let section = |name| element.section()?.field(name)?.section();
    let entry = element.section();
    let model_name = entry.and_then(|entry| entry::model_name(&entry, reader).ok());
    let Some(parameters) = section("litellm_params").map(Parameters::without_credential) else {
        return Outline {
            model_name,
            share: None,
            order: None,
        };
    };
    let order = parameters.field("order").map(|field| reader.integer(&field));
    Outline {
        model_name,
        share: stated_share(&parameters, reader).ok(),
        order: order.and_then(Read::ok),
    }
}

impl ModelListEntry<'_, '_> {
    /// The model that `model` refers to.
    fn target(&mut self) -> Read<ModelTarget> {
        let Some(model) = self.text("model")? else {
            let _ = self.parameters.check_credential(self.reader);
            return Err(self.without_model());
        };
        let provider = self.text("custom_llm_provider")?;
        Ok(model::target(&model::decoded(model), provider.as_deref()))
    }

    /// Whether `model_info.blocked` is true.
    fn is_blocked(&mut self) -> bool {
        let blocked = self.info.field("blocked");
        blocked.is_some_and(|field| self.reader.flag(&field) == Ok(true))
    }

    /// Refuses faults of the credential and misspelled or misplaced deciding settings.
    fn check_deciding_settings(&mut self) -> Read<()> {
        let checks = [
            self.parameters.check_credential(self.reader),
            self.refuse_slips(),
            self.refuse_misplaced(),
        ];
        checks.into_iter().collect()
    }

    /// Reads a deployment. `id` and `region` are those in `model`.
    fn draft(
        &mut self,
        model_name: Read<String>,
        id: String,
        region: Option<String>,
        prices: &PriceList,
        clusters: &mut Clusters,
    ) -> Read<Draft> {
        // All parts are read before the first failure counts, so that one run reports all errors.
        let price = self.configured_price(&id);
        let model = self.model_id(id);
        let region = model.as_deref().map_err(|reported| *reported).and_then(|id| {
            let region = self.region(id, region)?;
            self.check_region_name(&region)?;
            Ok(region)
        });
        let address = self.address(region.as_deref().map_err(|reported| *reported));
        let credentials = self.credentials();
        let bearer = self.bearer();
        let guardrail = self.guardrail();
        let share = stated_share(&self.parameters, self.reader);
        let order = self
            .parameters
            .field("order")
            .map(|field| self.reader.integer(&field))
            .transpose();
        let routing = self.routing();
        let own_id = self.own_id();
        self.reader.judge_unused(&self.entry, &known::MODEL_LIST);
        self.reader
            .judge_unused(self.parameters.own(), &known::LITELLM_PARAMS);
        self.reader.judge_unused(&self.info, &known::MODEL_INFO);

        let (model_name, model, region, address) = (model_name?, model?, region?, address?);
        self.check_wildcards(&model_name, &model)?;
        self.note_geography(&model, &region);
        let price = price?;
        let rates = self.rates(&price, &region, &model, prices);
        let base_model = price.foundation_model(&model);
        if base_model.is_none() && Referent::of(&model) == Referent::ApplicationProfile {
            let text = "CountTokens requests are refused, because the foundation model of the inference profile is \
                        unknown: set model_info.base_model";
            self.reader.note(self.location, text);
        }
        Ok(Draft {
            location: self.location.clone(),
            model_name,
            own_id: own_id?,
            order: order?,
            share: share?,
            routing: routing?,
            guardrail: guardrail?,
            model,
            base_model,
            region,
            cluster: clusters.name_of(&address),
            authority: address.authority(),
            base_path: address.base_path,
            credentials: credentials?,
            bearer: bearer?,
            rates,
        })
    }

    /// `model_id`, else `id`, which is the one in `model`.
    fn model_id(&mut self, id: String) -> Read<String> {
        let id = self.text("model_id")?.map_or(id, model::decoded);
        match model::id_fault(&id) {
            None => Ok(id),
            Some(found) => {
                let expected = format!("a model id of 1 to {NAME_MAX_BYTES} printable characters");
                Err(self.reader.unexpected(&self.id_location(), expected, found))
            }
        }
    }

    /// `model_info.id`: text or, as in LiteLLM, a number.
    fn own_id(&mut self) -> Read<Option<String>> {
        let Some(field) = self.info.field("id") else {
            return Ok(None);
        };
        let id = self.reader.text_or_whole_number(&field)?;
        if (1..=ID_MAX_BYTES).contains(&id.len()) && id.chars().all(|c| c.is_ascii_graphic()) {
            return Ok(Some(id));
        }
        let expected = format!("an id of 1 to {ID_MAX_BYTES} printable characters without spaces");
        Err(self.reader.unexpected(&field.location, expected, quoted(&id)))
    }

    /// Checks that each `*` of the model id stands for one of the name.
    fn check_wildcards(&mut self, name: &str, id: &str) -> Read<()> {
        let (in_name, in_id) = (name.matches('*').count(), id.matches('*').count());
        if in_id == 0 || in_id == in_name {
            return Ok(());
        }
        let expected = format!("no * or as many as in model_name ({in_name})");
        Err(self
            .reader
            .unexpected(&self.id_location(), expected, in_id.to_string()))
    }
}

fn stated_share(parameters: &Parameters, reader: &mut Reader<'_>) -> Read<StatedShare> {
    let mut number = |name| {
        let Some(field) = parameters.field(name) else {
            return Ok(None);
        };
        let value = reader.number(&field)?;
        if (0.0..=RATE_MAX).contains(&value) {
            return Ok(Some(value));
        }
        let expected = format!("a number from 0 to {RATE_MAX}");
        Err(reader.unexpected(&field.location, expected, value.to_string()))
    };
    let (weight, rpm, tpm) = (number("weight"), number("rpm"), number("tpm"));
    Ok(StatedShare {
        weight: weight?,
        rpm: rpm?,
        tpm: tpm?,
    })
}
