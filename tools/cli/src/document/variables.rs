//! Environment variables. Those that the file assigns take precedence over those of the process, as
//! in LiteLLM.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::location::Location;
use crate::environment::Environment;

/// How a value refers to a variable: `os.environ/NAME`.
pub(crate) const REFERENCE: &str = "os.environ/";

/// Longest chain of references: `A: os.environ/B`, `B: os.environ/C` …
const CHAIN_MAX: usize = 16;

/// The variables that a configuration can refer to.
pub(crate) struct Variables<'a> {
    environment: &'a Environment,
    assigned: BTreeMap<String, Assigned>,
    used: RefCell<BTreeSet<String>>,
}

/// What the file assigns to a variable.
pub(crate) enum Assigned {
    /// A value.
    Literal {
        /// Where it is assigned.
        location: Location,
        /// The value, possibly a secret.
        value: String,
    },
    /// The value of another variable: `os.environ/NAME`.
    Reference {
        /// Where it is assigned.
        location: Location,
        /// The name of the other variable.
        name: String,
    },
}

impl Assigned {
    fn location(&self) -> &Location {
        match self {
            Assigned::Literal { location, .. } | Assigned::Reference { location, .. } => location,
        }
    }
}

/// Where a value was found.
pub(crate) enum Origin<'a> {
    /// In the environment of the process.
    Process {
        /// The variable that has the value. It differs from the requested one where the file
        /// assigns a reference.
        name: String,
        /// Its value.
        value: &'a str,
    },
    /// In the file.
    File {
        /// Where it is assigned.
        location: &'a Location,
        /// Its value.
        value: &'a str,
    },
}

impl<'a> Variables<'a> {
    /// The variables of `environment`; the file assigns none yet.
    pub(crate) fn of(environment: &'a Environment) -> Self {
        Variables {
            environment,
            assigned: BTreeMap::new(),
            used: RefCell::default(),
        }
    }

    /// Adds an assignment of the file.
    pub(crate) fn assign(&mut self, name: String, assigned: Assigned) {
        self.assigned.insert(name, assigned);
    }

    /// The value of `name`. Empty values count as unset.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        match self.origin(name)? {
            Origin::Process { value, .. } | Origin::File { value, .. } => Some(value),
        }
    }

    /// Whether `name` is set to a value that is not empty.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// The value of `name` and where it is from. Empty values count as unset.
    pub(crate) fn origin(&self, name: &str) -> Option<Origin<'_>> {
        let source = self.source(name);
        match self.assigned.get(&source) {
            Some(Assigned::Literal { location, value }) if !value.is_empty() => {
                Some(Origin::File { location, value })
            }
            Some(Assigned::Literal { .. }) => None,
            _ => {
                let value = self.environment.value(&source)?;
                Some(Origin::Process { name: source, value })
            }
        }
    }

    /// The value that `text` refers to, if it is a reference to a variable that is set, else
    /// `text`.
    pub(crate) fn resolved(&self, text: &str) -> String {
        text.strip_prefix(REFERENCE)
            .and_then(|name| self.value(name))
            .unwrap_or(text)
            .to_owned()
    }

    /// The variable that provides the value of `name` once all references are followed. A variable
    /// may refer to itself, as in `AWS_REGION: os.environ/AWS_REGION`: that is the process's.
    pub(crate) fn source(&self, name: &str) -> String {
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

    /// The variables that the file assigns and nothing has asked for.
    pub(crate) fn unused(&self) -> Vec<(&str, &Location)> {
        let used = self.used.borrow();
        self.assigned
            .iter()
            .filter(|(name, _)| !used.contains(*name))
            .map(|(name, assigned)| (name.as_str(), assigned.location()))
            .collect()
    }
}
