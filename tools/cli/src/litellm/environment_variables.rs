//! `environment_variables`, which LiteLLM exports before it reads the other sections.

use super::identity::OF_SDKS;
use super::known::{self, Fate};
use super::note::Class;
use super::report::Reader;
use crate::document::field::YamlField;
use crate::document::include::ConfigDocument;
use crate::document::location::Location;
use crate::document::reader::Read;
use crate::document::scalar::Scalar;
use crate::document::variables::{Assigned, REFERENCE};
use crate::document::yaml::YamlValue;
use crate::environment::Environment;
use crate::otlp;

impl Reader<'_> {
    /// Reads `environment_variables`, which LiteLLM exports before it reads anything else.
    pub(crate) fn assign_variables(&mut self, document: &ConfigDocument) {
        let section = document.section("environment_variables");
        let Some(Ok(section)) = section.map(|field| self.section(&field)) else {
            return;
        };
        for (name, field) in section.fields() {
            self.refuse_lowercase_variable(&name, &field);
            if let Ok(Some(assigned)) = self.assigned(&field) {
                self.variables.assign(name, assigned);
            }
        }
    }

    /// What `field` assigns to a variable; nothing if it is null.
    fn assigned(&mut self, field: &YamlField) -> Read<Option<Assigned>> {
        let location = field.location.clone();
        let value = match &field.node.value {
            YamlValue::Scalar(Scalar::Null) => return Ok(None),
            YamlValue::Scalar(Scalar::Text(text)) => {
                if let Some(name) = text.strip_prefix(REFERENCE) {
                    let name = name.to_owned();
                    return Ok(Some(Assigned::Reference { location, name }));
                }
                text.clone()
            }
            // As Python's `str` writes them.
            YamlValue::Scalar(Scalar::Bool(true)) => "True".to_owned(),
            YamlValue::Scalar(Scalar::Bool(false)) => "False".to_owned(),
            YamlValue::Scalar(Scalar::Integer(number)) => number.to_string(),
            YamlValue::Scalar(Scalar::Float(number)) => format!("{number:?}"),
            _ => return Err(self.file_error(&location, field.not("a string"))),
        };
        Ok(Some(Assigned::Literal { location, value }))
    }

    /// OpenTelemetry's variables. LiteLLM's `otel` callback reads them from the environment, to
    /// which LiteLLM adds `environment_variables`.
    pub(crate) fn telemetry(&self) -> Environment {
        otlp::VARIABLES
            .into_iter()
            .filter_map(|name| Some((name, self.variables.value(name)?)))
            .collect()
    }

    /// Judges the variables that the file assigns and nothing has asked for.
    pub(crate) fn judge_unused_variables(&mut self) {
        let owned = |(name, location): (&str, &Location)| (name.to_owned(), location.clone());
        let unused: Vec<_> = self.variables.unused().into_iter().map(owned).collect();
        for (name, location) in unused {
            match known::ENVIRONMENT_VARIABLES.fate(&name) {
                Some(Fate::NoEffect(lost)) => self.note_of(Class::NoEffect, &location, lost),
                _ if OF_SDKS.iter().any(|start| name.starts_with(start)) => {
                    let text = "AWS's SDK reads it from the environment only: set it there";
                    self.note_of(Class::NoEffect, &location, text);
                }
                _ if name.starts_with("AWS_") => {
                    let text = "no deployment uses it: they have other credentials or settings, or the variable has no \
                                effect here";
                    self.note_of(Class::NoEffect, &location, text);
                }
                _ => self.note_of(Class::NotNeeded, &location, "nothing here reads the variable"),
            }
        }
    }
}
