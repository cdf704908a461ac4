//! The deployments of the file that are not served, and what that means for their groups.
//!
//! Leaving one out must not change who is asked with what rights. So its siblings get the shares that the file gives
//! them (one that is drained stays drained), and the name of a group of which nothing is left is withheld from the
//! wildcards, which would otherwise serve it with other credentials or in another region.

use std::collections::BTreeSet;

use envoy_bedrock::contract::settings::ModelSettings;

use super::deployment;
use super::document::Document;
use super::error::{Problem, ReadError};
use super::note::Class;
use super::reader::{Mark, Reader};
use super::weights::Rates;
use crate::document::field::YamlField;

/// Everything that is not served.
#[derive(Default)]
pub(crate) struct LeftOut {
    /// Names of groups and aliases that lost a deployment or their target.
    names: BTreeSet<String>,
    /// Whom skipped deployments are for.
    providers: BTreeSet<String>,
    /// Those that cannot be served, for the shares of their siblings.
    ghosts: Vec<Ghost>,
    /// Why, in case nothing is left.
    errors: Vec<ReadError>,
}

/// What a deployment that cannot be served says about its group.
pub(crate) struct Ghost {
    /// The name of the group.
    pub model_name: String,
    /// Its share. Where that cannot be read, it is as if it had a weight.
    pub rates: Rates,
    /// Its order, if it says one.
    pub order: Option<i64>,
}

impl LeftOut {
    /// An entry that is not meant for this gateway.
    pub(crate) fn skipped(&mut self, model_name: String, provider: Option<String>) {
        self.names.insert(model_name);
        self.providers.extend(provider);
    }

    /// A name that clients could use and that has become nobody's.
    pub(crate) fn name(&mut self, name: &str) {
        self.names.insert(name.to_owned());
    }

    /// Whether a deployment of the group `name` is left out, or an alias of that name.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// An entry that cannot be served, for the errors since `mark`. They become notes.
    pub(crate) fn unsupported(&mut self, element: &YamlField, mark: Mark, reader: &mut Reader<'_>) {
        let errors = reader.take_back(mark);
        let (model_name, rates, order) = deployment::outline(element, reader);
        reader.take_back(mark);
        if let Some(model_name) = model_name {
            let unreadable = Rates {
                weight: Some(1.0),
                ..Rates::default()
            };
            self.names.insert(model_name.clone());
            self.ghosts.push(Ghost {
                model_name,
                rates: rates.unwrap_or(unreadable),
                order,
            });
        }
        for error in errors {
            self.because(error, element, reader);
        }
    }

    /// Says why the deployment `element` is left out.
    pub(crate) fn because(&mut self, error: ReadError, element: &YamlField, reader: &mut Reader<'_>) {
        let location = &element.location;
        let rest = error.location.path.strip_prefix(&location.path);
        let is_within = error.location.file_index == location.file_index
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        if is_within {
            reader.note_of(Class::LeftOut, &error.location, error.problem.to_string(), "");
        } else {
            reader.note_of(Class::LeftOut, location, error.to_string(), "");
        }
        self.errors.push(error);
    }

    /// Those of the group `name`.
    pub(crate) fn ghosts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Ghost> {
        self.ghosts.iter().filter(move |ghost| ghost.model_name == name)
    }

    /// The file has nothing to serve: that is an error, with the reasons.
    pub(crate) fn nothing_is_left<T>(self, document: &Document, reader: &mut Reader<'_>) -> Option<T> {
        let left_out = !self.errors.is_empty();
        for ReadError { location, problem } in self.errors {
            reader.wrong::<()>(&location, problem);
        }
        let others = self.providers.into_iter().collect();
        reader.wrong(
            &document.location.field("model_list"),
            Problem::NoDeployments { others, left_out },
        )
    }

    /// The names that no wildcard of `models` may take.
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
