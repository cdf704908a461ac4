//! Deployments that are not served, and what that means for their model groups.
//!
//! Leaving a deployment out must not change which deployments get requests. So its siblings keep
//! the shares that the file gives them; one that is drained stays drained. If nothing of a model
//! group is left, wildcards do not take over its name: they would use other credentials or another
//! region.

use std::collections::BTreeSet;

use envoy_bedrock::contract::settings::ModelSettings;

use super::deployment::{self, Outline};
use super::note::Class;
use super::problem::{Problem, ReadError};
use super::report::{Mark, Reader};
use super::shares::StatedShare;
use crate::document::field::YamlField;
use crate::document::include::ConfigDocument;
use crate::document::reader::Reported;

/// The deployments that are not served.
#[derive(Default)]
pub(crate) struct LeftOut {
    /// Names of model groups and aliases that lost a deployment or their target.
    names: BTreeSet<String>,
    /// Providers of skipped deployments.
    providers: BTreeSet<String>,
    /// Deployments that cannot be served.
    unserved: Vec<UnservedSibling>,
    /// Why they cannot be served.
    errors: Vec<ReadError>,
}

/// A deployment that cannot be served and still counts for the shares of its siblings.
pub(crate) struct UnservedSibling {
    /// The name of its model group.
    pub model_name: String,
    /// What it says about its share. If that cannot be read, it counts as one with a weight.
    pub share: StatedShare,
    /// Its order, if it has one.
    pub order: Option<i64>,
}

impl LeftOut {
    /// Adds a skipped entry.
    pub(crate) fn add_skipped(&mut self, model_name: String, provider: Option<String>) {
        self.names.insert(model_name);
        self.providers.extend(provider);
    }

    /// Adds a name that clients could use and that nothing serves any more.
    pub(crate) fn add_name(&mut self, name: &str) {
        self.names.insert(name.to_owned());
    }

    /// Whether the model group or alias `name` lost a deployment or its target.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Adds an entry that cannot be served, and turns its errors, those after `mark`, into notes.
    pub(crate) fn add_unsupported(&mut self, element: &YamlField, mark: Mark, reader: &mut Reader<'_>) {
        let errors = reader.findings.take_back(mark);
        let Outline {
            model_name,
            share,
            order,
        } = deployment::outline(element, reader);
        reader.findings.take_back(mark);
        if let Some(model_name) = model_name {
            let unreadable = StatedShare {
                weight: Some(1.0),
                ..StatedShare::default()
            };
            self.names.insert(model_name.clone());
            self.unserved.push(UnservedSibling {
                model_name,
                share: share.unwrap_or(unreadable),
                order,
            });
        }
        for error in errors {
            self.add_reason(error, element, reader);
        }
    }

    /// Notes why the deployment `element` is left out.
    fn add_reason(&mut self, error: ReadError, element: &YamlField, reader: &mut Reader<'_>) {
        let location = &element.location;
        let rest = error.location.path.strip_prefix(&location.path);
        let is_within = error.location.file_index == location.file_index
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        if is_within {
            reader.note_of(Class::LeftOut, &error.location, error.problem.to_string());
        } else {
            reader.note_of(Class::LeftOut, location, error.to_string());
        }
        self.errors.push(error);
    }

    /// The deployments of the model group `name` that cannot be served.
    pub(crate) fn unserved<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a UnservedSibling> {
        self.unserved
            .iter()
            .filter(move |sibling| sibling.model_name == name)
    }

    /// Reports that there is nothing to serve, with the reasons.
    pub(crate) fn nothing_to_serve(self, document: &ConfigDocument, reader: &mut Reader<'_>) -> Reported {
        let left_out = !self.errors.is_empty();
        for ReadError { location, problem } in self.errors {
            reader.error(&location, problem);
        }
        let others = self.providers.into_iter().collect();
        let location = document.location.field("model_list");
        reader.error(&location, Problem::NoDeployments { others, left_out })
    }

    /// The names that no wildcard of `models` may serve.
    pub(crate) fn withheld(&self, models: &[ModelSettings]) -> BTreeSet<String> {
        if !models.iter().any(|model| model.name.contains('*')) {
            return BTreeSet::new();
        }
        let is_served = |name: &String| models.iter().any(|model| model.name == *name);
        self.names
            .iter()
            .filter(|name| !is_served(name))
            .cloned()
            .collect()
    }
}
