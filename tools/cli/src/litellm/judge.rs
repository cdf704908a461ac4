//! Settings whose value decides what becomes of them.

use super::error::Problem;
use super::known::{self, AFFINITY, Fate, HEADERS, SERVICE, TOOLS, Table};
use super::note::Class;
use super::reader::Reader;
use super::slips;
use super::unused::{self, OFF};
use crate::document::field::YamlField;
use crate::document::location::Location;
use crate::document::scalar::Scalar;
use crate::document::yaml::YamlValue;

/// Settings that have their effect when they are false.
const MEANT_WHEN_FALSE: [&str; 1] = ["ssl_verify"];

/// Callbacks of LiteLLM that refuse, limit or change requests.
const CHECKING_CALLBACKS: [&str; 13] = [
    "aporia_prompt_injection",
    "azure_content_safety",
    "banned_keywords",
    "blocked_user_check",
    "detect_prompt_injection",
    "google_text_moderation",
    "guardrails_ai",
    "hide_secrets",
    "lakera_prompt_injection",
    "llamaguard_moderations",
    "llmguard_moderations",
    "openai_moderations",
    "presidio",
];

const GUARDRAIL: &str = "it checks every request by default; here no guardrail of LiteLLM's runs";
const GUARDRAIL_ON_DEMAND: &str =
    "no guardrail of LiteLLM's runs here, so requests that ask for one are not checked";
const LOGGING_ONLY: &str = "it only masks what is logged, and prompts and answers are in no log";
const OWN_CODE: &str = "your own code does not run here: if it checks or changes requests, that is lost";
const CHECKING_CALLBACK: &str = "it refuses, limits or changes requests; here it does not run";
const PROMETHEUS: &str = "metrics are always kept: render --metrics-port gives them to Prometheus";
const OTEL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT sends the spend log by OpenTelemetry (no traces)";

/// Whether a callback of LiteLLM's refuses, limits or changes requests. All of its limiters do.
fn is_checking(name: &str) -> bool {
    CHECKING_CALLBACKS.contains(&name) || name.contains("limiter")
}

/// Whether a setting says that it is not to work.
pub(crate) fn is_off(table: &Table, name: &str, field: &YamlField, reader: &Reader<'_>) -> bool {
    if MEANT_WHEN_FALSE.contains(&name) {
        return false;
    }
    match &field.node.value {
        YamlValue::Scalar(Scalar::Null | Scalar::Bool(false)) => true,
        // LiteLLM asks whether the budget of the whole proxy is above 0.
        YamlValue::Scalar(Scalar::Integer(0)) => table.name == "litellm_settings" && name == "max_budget",
        YamlValue::Scalar(Scalar::Float(number)) => {
            *number == 0.0 && table.name == "litellm_settings" && name == "max_budget"
        }
        YamlValue::Scalar(Scalar::Text(text)) => is_false(&reader.variables.resolved(text)),
        YamlValue::Sequence(elements) => elements.is_empty(),
        YamlValue::Mapping(entries) => entries.is_empty(),
        YamlValue::Scalar(_) => false,
    }
}

fn is_false(text: &str) -> bool {
    matches!(
        text.trim().to_lowercase().as_str(),
        "" | "false" | "no" | "off" | "none" | "null"
    )
}

/// Says something about a setting of which [`Fate::ByValue`] is true.
pub(crate) fn by_value(table: &Table, name: &str, field: &YamlField, reader: &mut Reader<'_>) {
    match name {
        "guardrails" => each(field, reader, |element, reader| guardrail(table, element, reader)),
        "callbacks" | "success_callback" | "failure_callback" => {
            each(field, reader, |element, reader| {
                callback(table, name, element, reader)
            });
        }
        "optional_pre_call_checks" => {
            each(field, reader, |element, reader| {
                pre_call_check(table, name, element, reader)
            });
        }
        _ => default_parameters(field, reader),
    }
}

/// The elements of a list; what is no list counts as one.
fn each(field: &YamlField, reader: &mut Reader<'_>, mut tell: impl FnMut(&YamlField, &mut Reader<'_>)) {
    let elements = field.elements().unwrap_or_else(|| vec![field.clone()]);
    if elements.is_empty() {
        reader.note_of(Class::NotNeeded, &field.location, OFF, "");
    }
    for element in elements.iter().filter(|element| !element.is_null()) {
        tell(element, reader);
    }
}

/// An entry of `guardrails`, in its form of today (settings in `litellm_params`) or of old (under the guardrail's name).
fn guardrail(table: &Table, element: &YamlField, reader: &mut Reader<'_>) {
    let mut parts = vec![element.clone()];
    for (_, part) in element.section().iter().flat_map(|entry| entry.fields()) {
        parts.push(part);
    }
    let value = |name: &str| parts.iter().find_map(|part| part.section()?.field(name));
    let is_on = |field: &YamlField| match &field.node.value {
        YamlValue::Scalar(Scalar::Text(text)) => !is_false(&reader.variables.resolved(text)),
        value => !matches!(value, YamlValue::Scalar(Scalar::Bool(false))),
    };
    let mode = value("mode");
    let is_logging = |mode: &YamlField| matches!(&mode.node.value, YamlValue::Scalar(Scalar::Text(mode)) if mode == "logging_only");
    let is_for_logs = mode.is_some_and(|mode| is_logging(&mode))
        || value("logging_only").is_some_and(|field| is_on(&field));
    let location = &element.location;
    if is_for_logs {
        reader.note_of(Class::NotNeeded, location, LOGGING_ONLY, "");
    } else if value("default_on").is_some_and(|field| is_on(&field)) {
        reader.protects(table.name, "guardrails", location, GUARDRAIL);
    } else {
        reader.note_of(Class::NoEffect, location, GUARDRAIL_ON_DEMAND, "");
    }
}

fn callback(table: &Table, setting: &str, element: &YamlField, reader: &mut Reader<'_>) {
    let path = element
        .location
        .path
        .split('[')
        .next()
        .unwrap_or_default()
        .to_owned();
    let location = &Location {
        path,
        ..element.location.clone()
    };
    let name = match &element.node.value {
        YamlValue::Scalar(Scalar::Text(name)) => name,
        // A callback with its parameters.
        YamlValue::Mapping(entries) if entries.len() == 1 => entries.first().map_or("", |(name, _)| name),
        _ => return reader.note_of(Class::NoEffect, location, SERVICE, ""),
    };
    match reader.variables.resolved(name).as_str() {
        "prometheus" => reader.note_of(Class::NoEffect, location, PROMETHEUS, ""),
        "otel" if reader.variables.has_collector() => reader.note_of(Class::NotNeeded, location, OTEL, ""),
        "otel" => reader.note_of(Class::NoEffect, location, OTEL, ""),
        name if is_checking(name) => {
            reader.protects(table.name, setting, &element.location, CHECKING_CALLBACK);
        }
        name if name.contains('.') => reader.note_of(Class::NoEffect, location, OWN_CODE, ""),
        "websearch_interception" | "code_interpreter_interception" => {
            reader.note_of(Class::NoEffect, location, TOOLS, "");
        }
        name => {
            let name = crate::document::field::quoted(name);
            reader.note_of(Class::NoEffect, location, SERVICE, name);
        }
    }
}

fn pre_call_check(table: &Table, setting: &str, element: &YamlField, reader: &mut Reader<'_>) {
    let location = &element.location;
    let name = match &element.node.value {
        YamlValue::Scalar(Scalar::Text(name)) => name.as_str(),
        _ => "",
    };
    let (class, text) = match name {
        "enforce_model_rate_limits" => {
            let lost = "it makes rpm and tpm limits; here they only say how requests are spread";
            return reader.protects(table.name, setting, location, lost);
        }
        "router_budget_limiting" => (Class::NoEffect, "it belongs to budgets, which are not kept here"),
        "forward_client_headers_by_model_group" => (Class::NoEffect, HEADERS),
        _ => (Class::NoEffect, AFFINITY),
    };
    reader.note_of(class, location, text, "");
}

/// `default_litellm_params`, which LiteLLM gives to every deployment. Here only those without effect are harmless.
fn default_parameters(field: &YamlField, reader: &mut Reader<'_>) {
    let Some(section) = field.section() else {
        return reader.note_of(Class::NoEffect, &field.location, "it is not a mapping", "");
    };
    for (name, field) in section.fields() {
        // Those that decide whom to ask and with what rights are refused by `slips`.
        if field.is_null() || slips::decides(&name) {
            continue;
        }
        if let Some(Fate::Used(_) | Fate::Refused(_)) = known::LITELLM_PARAMS.fate(&name) {
            let instead = "it in the litellm_params of each deployment";
            let setting = "it in default_litellm_params".to_owned();
            reader.wrong::<()>(&field.location, Problem::Unsupported { setting, instead });
        } else {
            unused::setting(&known::LITELLM_PARAMS, &name, &field, reader);
        }
    }
}
