//! Settings whose value decides what happens to them.

use super::known::{AFFINITY, HEADERS, SERVICE, TOOLS, Table};
use super::note::{Class, Note};
use super::report::Reader;
use super::similar::nearest;
use crate::document::field::{YamlField, quoted};
use crate::document::location::Location;
use crate::document::scalar::Scalar;
use crate::document::yaml::YamlValue;

/// Why a setting that is switched off needs no attention.
pub(crate) const OFF: &str = "it is switched off in the file";

/// Settings that have an effect when they are false.
const EFFECTIVE_WHEN_FALSE: [&str; 1] = ["ssl_verify"];

/// Variables that name an OpenTelemetry collector for the spend log.
const COLLECTOR_VARIABLES: [&str; 3] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    "OTEL_ENDPOINT",
];

/// Checks that work.
const PRE_CALL_CHECKS: [&str; 4] = [
    "enforce_model_rate_limits",
    "session_affinity",
    "prompt_caching",
    "deployment_affinity",
];

/// LiteLLM's checks that keep requests with a deployment in other ways.
const LOST_CHECKS: [&str; 2] = ["responses_api_deployment_check", "encrypted_content_affinity"];

/// LiteLLM's callbacks that refuse, limit or change requests.
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

const GUARDRAIL: &str = "LiteLLM applies it to every request by default; here no LiteLLM guardrail runs";
const GUARDRAIL_ON_DEMAND: &str = "no LiteLLM guardrail runs here: requests that ask for one are not checked";
const LOGGING_ONLY: &str = "it only masks what is logged, and prompts and responses are never logged";
const OWN_CODE: &str = "your own code does not run here: if it checks or changes requests, that is lost";
const CHECKING_CALLBACK: &str = "LiteLLM refuses, limits or changes requests with it; here it does not run";
const PROMETHEUS: &str = "metrics are always kept: render --metrics-port exposes them to Prometheus";
const OTEL: &str =
    "OTEL_EXPORTER_OTLP_ENDPOINT sends the spend log to an OpenTelemetry collector (no traces)";

/// Whether a callback refuses, limits or changes requests. All limiters do.
fn is_checking(callback: &str) -> bool {
    CHECKING_CALLBACKS.contains(&callback) || callback.contains("limiter")
}

fn is_false(text: &str) -> bool {
    matches!(
        text.trim().to_lowercase().as_str(),
        "" | "false" | "no" | "off" | "none" | "null"
    )
}

impl Reader<'_> {
    /// Whether the value of a setting switches it off.
    pub(crate) fn is_off(&self, table: &Table, name: &str, field: &YamlField) -> bool {
        if EFFECTIVE_WHEN_FALSE.contains(&name) {
            return false;
        }
        // LiteLLM enforces the budget of the whole proxy only if it is above 0.
        let zero_is_off = table.name == "litellm_settings" && name == "max_budget";
        match &field.node.value {
            YamlValue::Scalar(Scalar::Null | Scalar::Bool(false)) => true,
            YamlValue::Scalar(Scalar::Integer(0)) => zero_is_off,
            YamlValue::Scalar(Scalar::Float(number)) => *number == 0.0 && zero_is_off,
            YamlValue::Scalar(Scalar::Text(text)) => is_false(&self.variables.resolved(text)),
            YamlValue::Sequence(elements) => elements.is_empty(),
            YamlValue::Mapping(entries) => entries.is_empty(),
            YamlValue::Scalar(_) => false,
        }
    }

    /// Notes or refuses each element of a list setting for which [`super::known::Fate::ByValue`]
    /// holds.
    pub(crate) fn judge_elements(&mut self, table: &Table, name: &str, field: &YamlField) {
        let elements = field.elements().unwrap_or_else(|| vec![field.clone()]);
        if elements.is_empty() {
            self.note_of(Class::NotNeeded, &field.location, OFF);
        }
        for element in elements.iter().filter(|element| !element.is_null()) {
            match name {
                "guardrails" => self.judge_guardrail(table, element),
                "optional_pre_call_checks" => self.judge_pre_call_check(element),
                _ => self.judge_callback(table, name, element),
            }
        }
    }

    /// An entry of `guardrails`. Its settings are in `litellm_params`, or in LiteLLM's older form
    /// under the name of the guardrail.
    fn judge_guardrail(&mut self, table: &Table, element: &YamlField) {
        let entry = element.section();
        let fields = entry.iter().flat_map(|entry| entry.fields());
        let parts: Vec<YamlField> = std::iter::once(element.clone())
            .chain(fields.map(|(_, field)| field))
            .collect();
        let value = |name: &str| parts.iter().find_map(|part| part.section()?.field(name));
        let is_on = |name: &str| {
            value(name).is_some_and(|field| match &field.node.value {
                YamlValue::Scalar(Scalar::Text(text)) => !is_false(&self.variables.resolved(text)),
                value => !matches!(value, YamlValue::Scalar(Scalar::Bool(false))),
            })
        };
        let has_logging_mode = value("mode").is_some_and(|mode| mode.text() == Some("logging_only"));
        let (is_for_logs, is_default) = (has_logging_mode || is_on("logging_only"), is_on("default_on"));
        let location = &element.location;
        if is_for_logs {
            self.note_of(Class::NotNeeded, location, LOGGING_ONLY);
        } else if is_default {
            self.unprotected(table.name, "guardrails", location, GUARDRAIL);
        } else {
            self.note_of(Class::NoEffect, location, GUARDRAIL_ON_DEMAND);
        }
    }

    fn judge_callback(&mut self, table: &Table, setting: &str, element: &YamlField) {
        let path = element.location.path.split('[').next().unwrap_or_default();
        let location = &Location {
            path: path.to_owned(),
            ..element.location.clone()
        };
        let name = match &element.node.value {
            YamlValue::Scalar(Scalar::Text(name)) => name,
            // A callback with parameters.
            YamlValue::Mapping(entries) if entries.len() == 1 => entries.first().map_or("", |(name, _)| name),
            _ => return self.note_of(Class::NoEffect, location, SERVICE),
        };
        match self.variables.resolved(name).as_str() {
            "prometheus" => self.note_of(Class::NoEffect, location, PROMETHEUS),
            "otel" => {
                let has_collector = COLLECTOR_VARIABLES.iter().any(|name| self.variables.is_set(name));
                let class = if has_collector {
                    Class::NotNeeded
                } else {
                    Class::NoEffect
                };
                self.note_of(class, location, OTEL);
            }
            name if is_checking(name) => {
                self.unprotected(table.name, setting, &element.location, CHECKING_CALLBACK);
            }
            name if name.contains('.') => self.note_of(Class::NoEffect, location, OWN_CODE),
            "websearch_interception" | "code_interpreter_interception" => {
                self.note_of(Class::NoEffect, location, TOOLS);
            }
            name => {
                let note = Note::new(Class::NoEffect, location, SERVICE);
                self.findings.add(note.with_detail(quoted(name)));
            }
        }
    }

    fn judge_pre_call_check(&mut self, element: &YamlField) {
        let location = &element.location;
        match element.text() {
            Some(name) if PRE_CALL_CHECKS.contains(&name) => {}
            Some("router_budget_limiting") => {
                self.note_of(
                    Class::NoEffect,
                    location,
                    "it belongs to budgets, which do not work here",
                );
            }
            Some("forward_client_headers_by_model_group") => {
                self.note_of(Class::NoEffect, location, HEADERS);
            }
            Some(name) => match nearest(name, PRE_CALL_CHECKS.into_iter()).filter(|near| *near != name) {
                Some(near) => self.note_of(Class::Unknown, location, format!("did you mean {near}?")),
                None if LOST_CHECKS.contains(&name) => self.note_of(Class::NoEffect, location, AFFINITY),
                None => {
                    let known = PRE_CALL_CHECKS.join(", ");
                    self.note_of(
                        Class::Unknown,
                        location,
                        format!("the checks that work are {known}"),
                    );
                }
            },
            None => self.note_of(Class::NoEffect, location, AFFINITY),
        }
    }
}
