//! Settings that the gateway does not read: each is noted, or refused.

use super::by_value::OFF;
use super::deciding;
use super::known::{self, Fate, Table};
use super::note::Class;
use super::problem::Problem;
use super::report::Reader;
use super::similar::nearest;
use crate::document::field::{Section, YamlField};
use crate::document::location::Location;

/// Settings of a deployment's routing, which decide nothing if they are ignored.
const ROUTING: [&str; 6] = [
    "timeout",
    "request_timeout",
    "stream_timeout",
    "num_retries",
    "max_retries",
    "cooldown_time",
];
/// Why a section that holds anchors needs no attention.
const ANCHORS: &str = "it only holds values that anchors repeat";

/// Whether the name of a section says that it only holds anchors, as in Docker Compose.
fn is_for_anchors(name: &str) -> bool {
    name.starts_with("x-") || name.starts_with('.') || name.starts_with('_')
}

impl Reader<'_> {
    /// Judges the settings of `section` that have not been read.
    pub(crate) fn judge_unused(&mut self, section: &Section, table: &Table) {
        #[cfg(test)]
        assert_documented(section, table);
        for (name, field) in section.unused() {
            self.judge(table, &name, &field);
        }
    }

    /// Notes or refuses a setting that has not been read.
    pub(crate) fn judge(&mut self, table: &Table, name: &str, field: &YamlField) {
        let location = &field.location;
        match table.fate(name) {
            None => self.note_unknown(table, name, location),
            Some(Fate::NotNeeded(why)) => self.note_of(Class::NotNeeded, location, why),
            Some(Fate::NoEffect(_) | Fate::Protects(_)) if self.is_off(table, name, field) => {
                self.note_of(Class::NotNeeded, location, OFF);
            }
            Some(Fate::NoEffect(lost)) => self.note_of(Class::NoEffect, location, lost),
            Some(Fate::Protects(lost)) => self.unprotected(table.name, name, location, lost),
            Some(Fate::ByValue(_)) if name == "default_litellm_params" => self.judge_defaults(field),
            Some(Fate::ByValue(_)) => self.judge_elements(table, name, field),
            // In a credential that no deployment uses.
            Some(Fate::Used(_)) => self.note(location, "nothing reads it"),
        }
    }

    /// `default_litellm_params`, which LiteLLM adds to every deployment. Only those without effect
    /// here are harmless. [`super::misplaced`] refuses those that decide.
    fn judge_defaults(&mut self, field: &YamlField) {
        let Some(section) = field.section() else {
            return self.note_of(Class::NoEffect, &field.location, "it is not a mapping");
        };
        for (name, field) in section.fields() {
            if field.is_null() || deciding::decides(&name) {
                continue;
            }
            match known::LITELLM_PARAMS.fate(&name) {
                Some(Fate::Used(_)) if ROUTING.contains(&&*name) => {
                    let text = "it works in the litellm_params of each deployment";
                    self.note_of(Class::NoEffect, &field.location, text);
                }
                Some(Fate::Used(_)) => {
                    let problem = Problem::Unsupported {
                        setting: "default_litellm_params".to_owned(),
                        instead: "the litellm_params of each deployment",
                    };
                    self.error(&field.location, problem);
                }
                _ => self.judge(&known::LITELLM_PARAMS, &name, &field),
            }
        }
    }

    /// A name that LiteLLM does not have there either.
    fn note_unknown(&mut self, table: &Table, name: &str, location: &Location) {
        if let Some(home) = known::home(name, table.name) {
            let section = home.section;
            let text = if home.works {
                format!("LiteLLM does not read it here: it belongs {section}")
            } else {
                format!("LiteLLM reads it {section}, where it has no effect in this gateway either")
            };
            return self.note_of(Class::Unknown, location, text);
        }
        if table.name == known::SECTIONS.name && is_for_anchors(name) {
            return self.note_of(Class::NotNeeded, location, ANCHORS);
        }
        if let Some(nearest) = nearest(name, table.names()) {
            return self.note_of(Class::Unknown, location, format!("did you mean {nearest}?"));
        }
        if table.name == known::MODEL_INFO.name {
            return self.note_of(Class::NotNeeded, location, "it only describes the deployment");
        }
        let text = if table.name == known::LITELLM_PARAMS.name {
            "LiteLLM would add it to request bodies; nothing is added here"
        } else {
            "LiteLLM has no such setting"
        };
        self.note_of(Class::Unknown, location, text);
    }
}

/// Checks that the tables, and so the documentation, contain every setting that is read.
#[cfg(test)]
fn assert_documented(section: &Section, table: &Table) {
    use crate::prices::{RateField, is_other_unit};
    for name in section.names_read() {
        let is_known = matches!(table.fate(&name), Some(Fate::Used(_)));
        assert!(
            is_known || RateField::parse(&name).is_some() || is_other_unit(&name),
            "{}.{name} is read, but the table does not say so",
            table.name
        );
    }
}
