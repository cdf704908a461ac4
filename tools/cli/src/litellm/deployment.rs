//! One entry of `model_list`.

use envoy_bedrock::bedrock::model_id::Referent;
use envoy_bedrock::contract::settings::{CredentialSettings, DeploymentSettings};
use sha2::{Digest, Sha256};

use super::clusters::Clusters;
use super::credential_list::Credentials;
use super::credentials::credentials;
use super::endpoint;
use super::error::Problem;
use super::geography;
use super::guardrail;
use super::known;
use super::model::{self, Target};
use super::note::{Class, ELSEWHERE};
use super::parameters::Parameters;
use super::price::{self, Configured};
use super::reader::Reader;
use super::slips;
use super::unused;
use super::weights::{RATE_MAX, Rates};
use crate::address::Address;
use crate::document::field::{Section, YamlField, quoted};
use crate::document::location::Location;
use crate::prices::Catalogue;
use crate::region;

/// Longest `model_info.id`: it is a header value of every answer and a label of metrics.
const ID_MAX_CHARS: usize = 256;
/// Region of a deployment that nothing gives one, as LiteLLM has it.
const REGION_DEFAULT: &str = "us-west-2";

/// A deployment of Bedrock's before its group has given it a share.
pub(crate) struct Deployment {
    /// Where its entry stands.
    pub location: Location,
    /// The name of its group.
    pub model_name: String,
    /// What it says about its share.
    pub rates: Rates,
    /// Whether its id is the file's, not a digest.
    pub has_own_id: bool,
    /// Its guardrail, which its group has to share.
    pub guardrail: Option<guardrail::Configured>,
    /// Whether it says its `order`.
    pub has_order: bool,
    /// All else; its weight is to be filled in.
    pub settings: DeploymentSettings,
}

/// An entry that could be read.
pub(crate) enum Entry {
    /// A deployment to serve.
    Bedrock(Box<Deployment>),
    /// One to leave out.
    LeftOut {
        /// The name of its group.
        model_name: String,
        /// Whom it is for, if not for Bedrock's runtime.
        provider: Option<String>,
    },
}

/// Complains about an entry without `litellm_params`, most often since its settings are indented too little.
fn without_parameters(entry: &Section, reader: &mut Reader<'_>) -> Option<Entry> {
    let is_one = |name: &str| known::LITELLM_PARAMS.fate(name).is_some();
    let beside = entry.present().into_iter().find(|(name, _)| is_one(name));
    let Some((name, field)) = beside else {
        let expected = "litellm_params";
        return reader.wrong(&entry.location, Problem::Missing { expected });
    };
    let found = format!(
        "{} beside model_name: indent it under litellm_params",
        quoted(name)
    );
    reader.unexpected(
        &field.location,
        "litellm_params with the settings of the deployment",
        found,
    )
}

/// Reads an entry. What is wrong is left with `reader`, and a note where it is left out.
pub(crate) fn read(
    element: &YamlField,
    shared: &Credentials,
    prices: &Catalogue,
    clusters: &mut Clusters,
    reader: &mut Reader<'_>,
) -> Option<Entry> {
    let entry = reader.section(element)?;
    let info = match entry.field("model_info") {
        Some(info) => reader.section(&info)?,
        None => Section::empty(element.location.field("model_info")),
    };
    let model_name = model_name(&entry, reader);
    let parameters = match entry.field("litellm_params") {
        Some(field) => Parameters::new(reader.section(&field)?, shared, reader),
        None => return without_parameters(&entry, reader),
    }?;
    let (id, prefix_region) = match target(&entry, &parameters, reader)? {
        Target::Bedrock { id, region } => (id, region),
        Target::Elsewhere(who) => {
            let text = format!("{ELSEWHERE}{who}");
            reader.note_of(Class::Skipped, &element.location, text, "");
            return model_name.map(|model_name| Entry::LeftOut {
                model_name,
                provider: Some(who),
            });
        }
    };
    if info.field("blocked").and_then(|field| reader.flag(&field)) == Some(true) {
        reader.note_of(
            Class::Skipped,
            &element.location,
            "its model_info says blocked",
            "",
        );
        return model_name.map(|model_name| Entry::LeftOut {
            model_name,
            provider: None,
        });
    }
    let sound = [
        parameters.check_credential(reader),
        slips::check(&parameters, reader),
        slips::check_places(&entry, &info, &parameters, reader),
    ];
    if sound.contains(&None) {
        // What is missing for these reasons would only be reported as further errors.
        return None;
    }
    // All parts are read before any failure counts, so that one run names all of them.
    let configured = Configured::read(&parameters, &info, &id, reader);
    let model = upstream_id(id, &parameters, reader);
    let region = model
        .as_deref()
        .and_then(|id| region_of(id, prefix_region, &parameters, reader));
    let region = region.filter(|region| slips::check_region_name(&parameters, region, reader).is_some());
    let address = match endpoint_url(&parameters, reader) {
        Ok(Some(address)) => Some(address),
        Ok(None) => match (region.as_deref(), endpoint::variant(&parameters.location, reader)) {
            (Some(region), Some(variant)) => Some(Address::of_region(region, variant)),
            _ => None,
        },
        Err(()) => None,
    };
    let credentials = credentials(&parameters, reader);
    let guardrail = guardrail::read(&parameters, reader);
    guardrail::refuse_misplaced(entry.unused(), reader);
    guardrail::refuse_misplaced(info.unused(), reader);
    let rates = rates(&parameters, reader);
    let order = parameters.field("order").map(|field| reader.integer(&field));
    let own_id = info.field("id").map(|field| own_id(&field, reader));
    unused::tell(&entry, &known::MODEL_LIST, reader);
    unused::tell(parameters.own(), &known::LITELLM_PARAMS, reader);
    unused::tell(&info, &known::MODEL_INFO, reader);

    let (model_name, model, region, address) = (model_name?, model?, region?, address?);
    check_wildcards(&model_name, &model, &parameters, reader)?;
    note_geography(&model, &region, &parameters, reader);
    let configured = configured?;
    let price = price::price(&configured, &region, &model, prices, &element.location, reader);
    let base_model = configured.foundation_model(&model);
    if base_model.is_none() && Referent::of(&model) == Referent::ApplicationProfile {
        reader.note(
            &element.location,
            "CountTokens is refused, since the foundation model of the inference profile is unknown: set \
             model_info.base_model",
        );
    }
    let mut settings = DeploymentSettings {
        id: String::new(),
        model,
        region,
        cluster: clusters.name_of(&address),
        authority: address.authority(),
        base_path: address.base_path,
        credentials: credentials?,
        weight: 0,
        order: match order {
            Some(order) => order?,
            None => 0,
        },
        base_model,
        rates: price,
    };
    let (has_own_id, has_order) = (own_id.is_some(), order.is_some());
    settings.id = own_id.unwrap_or_else(|| Some(digest(&model_name, &settings)))?;
    let (location, rates, guardrail) = (element.location.clone(), rates?, guardrail?);
    Some(Entry::Bedrock(Box::new(Deployment {
        location,
        model_name,
        rates,
        has_own_id,
        guardrail,
        has_order,
        settings,
    })))
}

/// What an entry that cannot be served says about its group: the name, its share and its order, as far as they can be
/// read. Complains about what cannot.
pub(crate) fn outline(
    element: &YamlField,
    reader: &mut Reader<'_>,
) -> (Option<String>, Option<Rates>, Option<i64>) {
    let section = |name| element.section()?.field(name)?.section();
    let name = element.section().and_then(|entry| model_name(&entry, reader));
    let Some(parameters) = section("litellm_params") else {
        return (name, None, None);
    };
    let parameters = Parameters::of_own(parameters);
    let order = parameters.field("order").and_then(|field| reader.integer(&field));
    (name, rates(&parameters, reader), order)
}

fn model_name(entry: &Section, reader: &mut Reader<'_>) -> Option<String> {
    let Some(field) = entry.field("model_name") else {
        return reader.wrong(
            &entry.location,
            Problem::Missing {
                expected: "a model_name",
            },
        );
    };
    let name = reader.text(&field)?;
    match model::name_fault(&name) {
        None => Some(name),
        Some(found) => {
            let expected = format!("a name of 1 to {} printable characters", model::LENGTH_MAX);
            reader.unexpected(&field.location, expected, found)
        }
    }
}

fn target(entry: &Section, parameters: &Parameters, reader: &mut Reader<'_>) -> Option<Target> {
    let Some(field) = parameters.field("model") else {
        let _ = parameters.check_credential(reader);
        if entry.present().any(|(name, _)| name == "model") {
            let (setting, belongs) = (quoted("model"), "litellm_params");
            return reader.wrong(
                &entry.location_of("model"),
                Problem::Misplaced { setting, belongs },
            );
        }
        return reader.wrong(&parameters.location, Problem::Missing { expected: "a model" });
    };
    let written = reader.text(&field)?;
    let provider = match parameters.field("custom_llm_provider") {
        Some(field) => Some(reader.text(&field)?),
        None => None,
    };
    Some(model::target(&model::decoded(written), provider.as_deref()))
}

/// `model_id`, else the id in `model`.
fn upstream_id(id: String, parameters: &Parameters, reader: &mut Reader<'_>) -> Option<String> {
    let (field, id) = match parameters.field("model_id") {
        Some(field) => {
            let id = model::decoded(reader.text(&field)?);
            (field, id)
        }
        None => (parameters.field("model")?, id),
    };
    match model::id_fault(&id) {
        None => Some(id),
        Some(found) => {
            let expected = format!("a model id of 1 to {} printable characters", model::LENGTH_MAX);
            reader.unexpected(&field.location, expected, found)
        }
    }
}

/// `aws_region_name`, else the prefix of the model, else the ARN's, else the environment's, else the default.
fn region_of(
    id: &str,
    prefix: Option<String>,
    parameters: &Parameters,
    reader: &mut Reader<'_>,
) -> Option<String> {
    let in_model = prefix.or_else(|| region::of_arn(id).map(str::to_owned));
    if let Some(field) = parameters.field("aws_region_name") {
        if let Some(region) = region::of_arn(id).filter(|region| !region::is_region(region)) {
            let location = parameters
                .field("model_id")
                .or_else(|| parameters.field("model"))?
                .location;
            let expected = "an AWS region such as us-east-1 in the ARN";
            return valid_region(region.to_owned(), &location, expected, reader);
        }
        let region = reader.text(&field)?;
        if let Some(other) = in_model.filter(|other| *other != region) {
            let other = quoted(&other);
            reader.note(
                &field.location,
                format!("is used instead of the region {other} in the model"),
            );
        }
        return valid_region(region, &field.location, "an AWS region such as us-east-1", reader);
    }
    if let Some(region) = in_model {
        let location = parameters
            .field("model_id")
            .or_else(|| parameters.field("model"))?
            .location;
        return valid_region(
            region,
            &location,
            "an AWS region such as us-east-1 in the model",
            reader,
        );
    }
    for variable in endpoint::REGION_VARIABLES {
        if let Some(region) = reader.variables.value(variable).map(str::to_owned) {
            let expected = format!("an AWS region such as us-east-1 in the environment variable {variable}");
            return valid_region(region, &parameters.location, expected, reader);
        }
    }
    reader.note(
        &parameters.location,
        format!("no region is given, so {REGION_DEFAULT} is used"),
    );
    Some(REGION_DEFAULT.to_owned())
}

/// Notes a profile that the region does not know.
fn note_geography(model: &str, region: &str, parameters: &Parameters, reader: &mut Reader<'_>) {
    let Some(geography) = geography::foreign_to(model, region) else {
        return;
    };
    if let Some(field) = parameters.field("model_id").or_else(|| parameters.field("model")) {
        let text = format!(
            "AWS has no {geography}. profiles in {region}, so requests will fail: choose another region, or another \
             profile such as global."
        );
        reader.note(&field.location, text);
    }
}

fn valid_region(
    region: String,
    location: &Location,
    expected: impl Into<std::borrow::Cow<'static, str>>,
    reader: &mut Reader<'_>,
) -> Option<String> {
    if region::is_region(&region) {
        return Some(region);
    }
    reader.unexpected(location, expected, quoted(&region))
}

/// The URL that the configuration gives, if it gives one; an error was reported if it cannot be used.
fn endpoint_url(parameters: &Parameters, reader: &mut Reader<'_>) -> Result<Option<Address>, ()> {
    let (api_base, endpoint) = (
        parameters.field("api_base"),
        parameters.field("aws_bedrock_runtime_endpoint"),
    );
    if let (Some(_), Some(endpoint)) = (&api_base, &endpoint) {
        reader.note(&endpoint.location, "not used: api_base goes before it");
    }
    let (location, url) = match api_base.or(endpoint) {
        Some(field) => (field.location.clone(), reader.text(&field).ok_or(())?),
        None => match reader.variables.value("AWS_BEDROCK_RUNTIME_ENDPOINT") {
            Some(url) => (
                parameters.location.field("AWS_BEDROCK_RUNTIME_ENDPOINT"),
                url.to_owned(),
            ),
            None => return Ok(None),
        },
    };
    match Address::parse(&url) {
        Ok(address) => {
            endpoint::note_variant_not_used(&address.host, &location, reader);
            Ok(Some(address))
        }
        Err(found) => {
            let expected = "a URL such as https://bedrock.example.com:8443/path";
            reader.unexpected::<()>(&location, expected, found);
            Err(())
        }
    }
}

fn rates(parameters: &Parameters, reader: &mut Reader<'_>) -> Option<Rates> {
    let mut rate = |name| match parameters.field(name) {
        None => Some(None),
        Some(field) => match reader.number(&field)? {
            value if (0.0..=RATE_MAX).contains(&value) => Some(Some(value)),
            value => reader.unexpected(
                &field.location,
                format!("a number from 0 to {RATE_MAX}"),
                value.to_string(),
            ),
        },
    };
    let (weight, rpm, tpm) = (rate("weight"), rate("rpm"), rate("tpm"));
    Some(Rates {
        weight: weight?,
        rpm: rpm?,
        tpm: tpm?,
    })
}

/// `model_info.id`: text, or (as LiteLLM converts it) a number.
fn own_id(field: &YamlField, reader: &mut Reader<'_>) -> Option<String> {
    let id = match reader.whole_number(field) {
        Some(number) => number.to_string(),
        None => reader.text(field)?,
    };
    if !id.is_empty() && id.len() <= ID_MAX_CHARS && id.chars().all(|c| c.is_ascii_graphic()) {
        return Some(id);
    }
    let expected = format!("an id of 1 to {ID_MAX_CHARS} printable characters without spaces");
    reader.unexpected(&field.location, expected, quoted(&id))
}

/// Every `*` of the id stands for one of the name.
fn check_wildcards(name: &str, id: &str, parameters: &Parameters, reader: &mut Reader<'_>) -> Option<()> {
    let (in_name, in_id) = (name.matches('*').count(), id.matches('*').count());
    if in_id == 0 || in_id == in_name {
        return Some(());
    }
    let field = parameters
        .field("model_id")
        .or_else(|| parameters.field("model"))?;
    let expected = format!("no * or as many as the model_name has ({in_name})");
    reader.unexpected(&field.location, expected, in_id.to_string())
}

/// 16 hexadecimal digits of what the deployment is, so that it keeps its id when the file is reordered.
fn digest(model_name: &str, settings: &DeploymentSettings) -> String {
    let DeploymentSettings {
        model,
        region,
        authority,
        base_path,
        credentials,
        ..
    } = settings;
    let names = match credentials {
        CredentialSettings::Sigv4 {
            access_key_id,
            secret_access_key,
            session_token,
        } => {
            let token = session_token.as_ref().map_or("", |token| token.0.as_str());
            [access_key_id.0.as_str(), secret_access_key.0.as_str(), token]
        }
        CredentialSettings::Bearer { api_key } => [api_key.0.as_str(), "", ""],
    };
    let mut hash = Sha256::new();
    for part in [model_name, model, region, authority, base_path]
        .into_iter()
        .chain(names)
    {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..8])
}
