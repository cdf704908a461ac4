//! Where a variable's value comes from: `environment_variables` of the file, which win as in LiteLLM, or the process.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::document::location::Location;
use crate::environment::Environment;

/// Longest chain of references: `A: os.environ/B`, `B: os.environ/C` …
const CHAIN_MAX: usize = 16;

/// The variables of one reading.
pub(crate) struct Variables<'a> {
    environment: &'a Environment,
    assigned: BTreeMap<String, Assigned>,
    used: RefCell<BTreeSet<String>>,
}

/// What `environment_variables` gives a name.
pub(crate) enum Assigned {
    /// A value.
    Literal {
        /// Where it stands.
        location: Location,
        /// Possibly a secret.
        value: String,
    },
    /// `os.environ/…`: what another variable has.
    Reference {
        /// Where it stands.
        location: Location,
        /// That variable.
        name: String,
    },
}

/// Where a value was found.
pub(crate) enum Origin<'a> {
    /// In the environment of the process.
    Process {
        /// The variable, which is another than the one asked for where the file renames it.
        name: String,
        /// Its value.
        value: &'a str,
    },
    /// In the file.
    File {
        /// Where it stands.
        location: &'a Location,
        /// Its value.
        value: &'a str,
    },
}

impl<'a> Variables<'a> {
    /// The variables of `environment`, with none assigned by the file.
    pub(crate) fn of(environment: &'a Environment) -> Self {
        Variables {
            environment,
            assigned: BTreeMap::new(),
            used: RefCell::default(),
        }
    }

    /// Takes an entry of `environment_variables`.
    pub(crate) fn assign(&mut self, name: String, assigned: Assigned) {
        self.assigned.insert(name, assigned);
    }

    /// The value of `name`.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        match self.origin(name)? {
            Origin::Process { value, .. } | Origin::File { value, .. } => Some(value),
        }
    }

    /// The value of `name` and where it is from. Empty values count as unset.
    pub(crate) fn origin(&self, name: &str) -> Option<Origin<'_>> {
        let behind = self.behind(name);
        match self.assigned.get(&behind) {
            Some(Assigned::Literal { location, value }) if !value.is_empty() => {
                Some(Origin::File { location, value })
            }
            Some(Assigned::Literal { .. }) => None,
            _ => {
                let value = self.environment.value(&behind)?;
                Some(Origin::Process { name: behind, value })
            }
        }
    }

    /// `text`, or what it refers to with `os.environ/` if that is set.
    pub(crate) fn resolved(&self, text: &str) -> String {
        let named = text.strip_prefix("os.environ/").and_then(|name| self.value(name));
        named.unwrap_or(text).to_owned()
    }

    /// Whether a collector is named that the spend log goes to.
    pub(crate) fn has_collector(&self) -> bool {
        [
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
            "OTEL_ENDPOINT",
        ]
        .into_iter()
        .any(|name| self.value(name).is_some())
    }

    /// The name that a value would be found under, after all references: a name may refer to itself, as in
    /// `AWS_REGION: os.environ/AWS_REGION`, and then means the process's.
    pub(crate) fn behind(&self, name: &str) -> String {
        let mut current = name;
        for _ in 0..CHAIN_MAX {
            self.used.borrow_mut().insert(current.to_owned());
            match self.assigned.get(current) {
                Some(Assigned::Reference { name: next, .. }) if next != current => current = next,
                _ => break,
            }
        }
        current.to_owned()
    }

    /// The names that the file assigns and nobody asked for.
    pub(crate) fn unused(&self) -> Vec<(&str, &Location)> {
        let used = self.used.borrow();
        self.assigned
            .iter()
            .filter(|(name, _)| !used.contains(*name))
            .map(|(name, assigned)| match assigned {
                Assigned::Literal { location, .. } | Assigned::Reference { location, .. } => {
                    (name.as_str(), location)
                }
            })
            .collect()
    }
}
