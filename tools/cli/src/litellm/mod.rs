//! LiteLLM's `config.yaml`, read unmodified: a [`Blueprint`], or everything that is wrong with the file.
//!
//! Follows LiteLLM 1.109 in what a setting means, and differs on purpose where that would be unsafe or useless:
//! a variable that is not set is an error instead of `None`, and only in settings that are used; a wrong type is an
//! error everywhere it is used; settings that would change whose rights are used are refused and never ignored.

mod alike;
mod aws_variables;
mod clusters;
mod credential_list;
mod credentials;
mod deployment;
mod document;
mod endpoint;
pub(crate) mod error;
mod geography;
mod guardrail;
mod judge;
mod key;
mod known;
mod left_out;
mod limits;
mod misplaced;
mod model;
mod models;
pub(crate) mod note;
mod parameters;
mod price;
mod reader;
mod remedy;
mod slips;
mod tolerance;
mod unused;
mod weights;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;

use envoy_bedrock::contract::settings::{
    CredentialSettings, DeploymentSettings, EnvName, HISTORY_DEFAULT_ROWS, ModelSettings, Settings,
};

pub use error::{Problem, ReadError, error_lines};
pub(crate) use note::lines as note_lines;
pub use note::{Class, Note, NoteGroup, grouped, tell};
pub use remedy::{read_or_explain, remedies};
pub use tolerance::Tolerance;

use crate::blueprint::Blueprint;
use crate::document::field::{self, Section, YamlField};
use crate::document::location::Location;
use crate::document::scalar::Scalar;
use crate::document::variables::Assigned;
use crate::document::yaml::YamlValue;
use crate::environment::{Environment, SecretPolicy};
use crate::otlp;
use crate::prices::Catalogue;
use clusters::Clusters;
use credential_list::Credentials;
use deployment::Entry;
use document::Document;

use known::Fate;
use left_out::LeftOut;
use reader::Reader;

/// Reads the configuration at `path` with all that it includes.
///
/// `environment` is what `os.environ/NAME` and LiteLLM's own variables refer to; nothing else of the process is
/// looked at. `secrets` says whether the secrets among them have to be there.
///
/// # Errors
///
/// Everything that was found wrong, in the order of the files.
pub fn read(
    path: &Path,
    environment: &Environment,
    secrets: SecretPolicy,
) -> Result<Blueprint, Vec<ReadError>> {
    read_priced(path, environment, secrets, Catalogue::built_in())
}

/// [`read`] with another price list than the built-in one.
///
/// # Errors
///
/// As there.
pub fn read_priced(
    path: &Path,
    environment: &Environment,
    secrets: SecretPolicy,
    prices: &Catalogue,
) -> Result<Blueprint, Vec<ReadError>> {
    read_tolerant(path, environment, secrets, prices, &Tolerance::default())
}

/// [`read_priced`] with what the operator accepts.
///
/// # Errors
///
/// As there.
pub fn read_tolerant(
    path: &Path,
    environment: &Environment,
    secrets: SecretPolicy,
    prices: &Catalogue,
    tolerance: &Tolerance,
) -> Result<Blueprint, Vec<ReadError>> {
    let mut reader = Reader::new(environment, secrets, tolerance);
    let document = Document::read(path, &mut reader);
    misplaced::check(&document, &mut reader);
    // What is missing from a broken file would only be told as further errors.
    let blueprint = if reader.has_errors() {
        None
    } else {
        blueprint(&document, prices, &mut reader)
    };
    let (errors, notes) = reader.finish();
    match blueprint {
        Some(blueprint) if errors.is_empty() => Ok(Blueprint { notes, ..blueprint }),
        _ => Err(errors),
    }
}

fn blueprint(document: &Document, prices: &Catalogue, reader: &mut Reader<'_>) -> Option<Blueprint> {
    assign_variables(document, reader);
    let general = settings_section(document, "general_settings", reader);
    let litellm = settings_section(document, "litellm_settings", reader);
    let router = settings_section(document, "router_settings", reader);
    let mut clusters = Clusters::default();

    let master_key = key::master_key(&general, &document.location, reader);
    let attempts = limits::attempts(&router, &litellm, reader);
    let request_timeout = limits::request_timeout(&router, &litellm, &general, reader);
    let body_limit_bytes = limits::body_limit(&general, reader);
    note_strategy(&router, reader);
    for section in [&general, &litellm, &router] {
        slips::check_settings(section, reader);
    }
    slips::check_defaults(&router, reader);
    for (name, field) in document.names().filter(|(_, field)| !field.is_null()) {
        slips::check_section(name, field, reader);
    }

    refuse_misplaced_guardrails(document, &[&general, &litellm, &router], reader);
    let shared = Credentials::read(document, reader);
    let mut deployments = Vec::new();
    let mut left_out = LeftOut::default();
    for element in document.list("model_list", reader) {
        let mark = reader.mark();
        match deployment::read(&element, &shared, prices, &mut clusters, reader) {
            _ if reader.tolerance.leave_out_unsupported && reader.has_errors_since(mark) => {
                left_out.unsupported(&element, mark, reader);
            }
            Some(Entry::Bedrock(deployment)) => deployments.push(*deployment),
            Some(Entry::LeftOut { model_name, provider }) => left_out.skipped(model_name, provider),
            None => {}
        }
    }
    for values in shared.values() {
        guardrail::refuse_in_credential(values, reader);
    }
    for entry in shared.entries() {
        guardrail::refuse_misplaced(entry.unused(), reader);
    }
    let models = models::models(deployments, &mut left_out, reader);
    if models.is_empty() && !reader.has_errors() {
        return left_out.nothing_is_left(document, reader);
    }
    let aliases = if reader.has_errors() {
        Default::default()
    } else {
        models::aliases(&router, &models, &mut left_out, reader)
    };

    let telemetry = telemetry(reader);
    aws_variables::note_unused(&document.location, reader);
    unused::tell(&general, &known::GENERAL_SETTINGS, reader);
    unused::tell(&litellm, &known::LITELLM_SETTINGS, reader);
    unused::tell(&router, &known::ROUTER_SETTINGS, reader);
    shared.note_faults(reader);
    for entry in shared.entries() {
        unused::tell(entry, &known::CREDENTIAL_LIST, reader);
    }
    for values in shared.values() {
        unused::tell(values, &known::LITELLM_PARAMS, reader);
    }
    note_unused_sections(document, reader);
    note_unused_variables(reader);
    reader.check_tolerance();

    let used = |cluster: &str| deployments_of(&models).any(|deployment| deployment.cluster == cluster);
    let endpoints = clusters
        .into_endpoints()
        .into_iter()
        .filter(|endpoint| used(&endpoint.cluster))
        .collect();
    let settings = Settings {
        master_key: master_key?,
        attempts: attempts?,
        body_limit_bytes: body_limit_bytes?,
        history_rows: HISTORY_DEFAULT_ROWS,
        catalogue: price::catalogue(&models, prices),
        withheld: left_out.withheld(&models),
        models,
        aliases,
    };
    // A deployment that was left out needs none of its secrets.
    let names = secret_names(&settings);
    let mut secrets = std::mem::take(&mut reader.secrets);
    secrets.retain(|name, _| names.contains(name));
    let mut missing = std::mem::take(&mut reader.missing);
    missing.retain(|name| names.contains(name));
    Some(Blueprint {
        settings,
        endpoints,
        request_timeout: request_timeout?,
        secrets,
        missing,
        telemetry,
        notes: Vec::new(),
    })
}

fn deployments_of(models: &[ModelSettings]) -> impl Iterator<Item = &DeploymentSettings> {
    models.iter().flat_map(|model| &model.deployments)
}

fn secret_names(settings: &Settings) -> BTreeSet<EnvName> {
    let mut names = BTreeSet::from([settings.master_key.clone()]);
    for deployment in deployments_of(&settings.models) {
        match &deployment.credentials {
            CredentialSettings::Sigv4 {
                access_key_id,
                secret_access_key,
                session_token,
            } => {
                names.extend([access_key_id.clone(), secret_access_key.clone()]);
                names.extend(session_token.clone());
            }
            CredentialSettings::Bearer { api_key } => {
                names.insert(api_key.clone());
            }
        }
    }
    names
}

/// A section of settings; an empty one where there is none or where it is no mapping.
fn settings_section(document: &Document, name: &str, reader: &mut Reader<'_>) -> Section {
    let section = document.section(name).and_then(|field| reader.section(&field));
    section.unwrap_or_else(|| Section::empty(document.location.field(name)))
}

/// Takes `environment_variables`, which LiteLLM exports before it reads the rest.
fn assign_variables(document: &Document, reader: &mut Reader<'_>) {
    let Some(section) = document
        .section("environment_variables")
        .and_then(|field| reader.section(&field))
    else {
        return;
    };
    for (name, field) in section.fields() {
        slips::check_variable(&name, &field, reader);
        if let Some(assigned) = assigned(&field, reader) {
            reader.variables.assign(name, assigned);
        }
    }
}

fn assigned(field: &YamlField, reader: &mut Reader<'_>) -> Option<Assigned> {
    let location = field.location.clone();
    let value = match &field.node.value {
        YamlValue::Scalar(Scalar::Null) => return None,
        YamlValue::Scalar(Scalar::Text(text)) => match text.strip_prefix("os.environ/") {
            Some(name) => {
                return Some(Assigned::Reference {
                    location,
                    name: name.to_owned(),
                });
            }
            None => text.clone(),
        },
        // As Python's `str` writes them.
        YamlValue::Scalar(Scalar::Bool(true)) => "True".to_owned(),
        YamlValue::Scalar(Scalar::Bool(false)) => "False".to_owned(),
        YamlValue::Scalar(Scalar::Integer(number)) => number.to_string(),
        YamlValue::Scalar(Scalar::Float(number)) => format!("{number:?}"),
        _ => return reader.wrong(&location, field.not("a string")),
    };
    Some(Assigned::Literal { location, value })
}

/// LiteLLM's `otel` callback takes these from the environment, to which it adds `environment_variables`.
fn telemetry(reader: &Reader<'_>) -> Environment {
    otlp::VARIABLES
        .into_iter()
        .filter_map(|name| Some((name, reader.variables.value(name)?)))
        .collect()
}

/// Only one of LiteLLM's strategies is there; the others are about the same deployments, so nothing is refused.
fn note_strategy(router: &Section, reader: &mut Reader<'_>) {
    let Some(field) = router.field("routing_strategy") else {
        return;
    };
    let Some(strategy) = reader.text(&field) else {
        return;
    };
    if strategy != "simple-shuffle" {
        let strategy = field::quoted(&strategy);
        reader.note(
            &field.location,
            format!(
                "{strategy} is not supported yet: simple-shuffle is used, where rpm and tpm are no limits"
            ),
        );
    }
}

/// A guardrail belongs to a deployment. Anywhere else it would have no effect, which must not go unnoticed.
fn refuse_misplaced_guardrails(document: &Document, sections: &[&Section], reader: &mut Reader<'_>) {
    let names = document.names();
    guardrail::refuse_misplaced(
        names
            .map(|(name, field)| (name.to_owned(), field.clone()))
            .collect(),
        reader,
    );
    for section in sections {
        guardrail::refuse_misplaced(section.unused(), reader);
    }
}

fn note_unused_sections(document: &Document, reader: &mut Reader<'_>) {
    for (name, field) in document.names() {
        let is_read = matches!(known::SECTIONS.fate(name), Some(Fate::Used(_)));
        if !is_read && !field.is_null() {
            unused::setting(&known::SECTIONS, name, field, reader);
        }
    }
}

fn note_unused_variables(reader: &mut Reader<'_>) {
    let named = |(name, location): (&str, &Location)| (name.to_owned(), location.clone());
    let unused: Vec<_> = reader.variables.unused().into_iter().map(named).collect();
    for (name, location) in unused {
        match known::ENVIRONMENT_VARIABLES.fate(&name) {
            Some(Fate::NoEffect(lost)) => reader.note_of(Class::NoEffect, &location, lost, ""),
            _ if name.starts_with("AWS_") => {
                let text =
                    "no deployment uses it: they have other credentials or settings, or it is not read here";
                reader.note_of(Class::NoEffect, &location, text, "");
            }
            _ => reader.note_of(Class::NotNeeded, &location, "nothing here reads the variable", ""),
        }
    }
}
