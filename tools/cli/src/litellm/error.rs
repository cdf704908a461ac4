//! What is wrong with a configuration: where it stands, what was expected, what was found. Never a secret's value.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A place in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as the caller named it, or as `include` did.
    pub file: Arc<str>,
    /// The file's position among those that were read: the order in which places are reported.
    pub file_index: usize,
    /// Line, from 1; `None` where the whole file is meant.
    pub line: Option<usize>,
    /// The field: `model_list[1].litellm_params.model`, or nothing for the whole file.
    pub path: String,
}

impl Place {
    /// A whole file.
    pub fn file(name: &str) -> Self {
        Place {
            file: Arc::from(name),
            file_index: 0,
            line: None,
            path: String::new(),
        }
    }

    /// The field `name` of this mapping, on the line of the mapping until its own is known.
    pub fn field(&self, name: &str) -> Self {
        let separator = if self.path.is_empty() { "" } else { "." };
        Place {
            path: format!("{}{separator}{name}", self.path),
            ..self.clone()
        }
    }

    /// The element `index` of this list.
    pub fn element(&self, index: usize) -> Self {
        Place {
            path: format!("{}[{index}]", self.path),
            ..self.clone()
        }
    }

    /// The same field, known to stand on `line`.
    pub fn on_line(self, line: usize) -> Self {
        Place {
            line: Some(line),
            ..self
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(out, ":{line}")?;
        }
        if !self.path.is_empty() {
            write!(out, ": {}", self.path)?;
        }
        Ok(())
    }
}

/// One reason why a configuration cannot be used. `Display` is one line: `file:line: field: expected X, but found Y`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where.
    pub place: Place,
    /// What.
    pub problem: Problem,
}

/// The kinds of reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The file cannot be read.
    Unreadable(String),
    /// The file is no YAML.
    Syntax {
        /// Column, from 1.
        column: usize,
        /// What the parser says.
        found: String,
    },
    /// A value of the wrong type, or outside of what can be used.
    Unexpected {
        /// What the field takes.
        expected: Cow<'static, str>,
        /// What it has; the kind of value only where the field can hold a secret.
        found: String,
    },
    /// A field that has to be there is not.
    Missing {
        /// What the field takes.
        expected: &'static str,
    },
    /// A variable of the environment that the file relies on is unset or empty.
    VariableNotSet {
        /// Its name.
        name: String,
    },
    /// A deployment has no way to authenticate to AWS.
    NoCredentials,
    /// No key for the gateway's clients.
    NoMasterKey,
    /// A setting that would change who is asked or with what rights, so that it must not be ignored.
    Unsupported {
        /// What to use in its place.
        instead: &'static str,
    },
    /// Something that must be unique is there twice.
    Duplicate {
        /// What it is, with its value.
        what: String,
        /// Path of the first.
        first: String,
    },
    /// Nothing is left that the gateway could serve.
    NoDeployments,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Unreadable(why) => write!(out, "expected a readable file, but found: {why}"),
            Problem::Syntax { column, found } => {
                write!(out, "expected valid YAML, but found an error in column {column}: {found}")
            }
            Problem::Unexpected { expected, found } => write!(out, "expected {expected}, but found {found}"),
            Problem::Missing { expected } => write!(out, "expected {expected}, but found nothing"),
            Problem::VariableNotSet { name } => {
                write!(out, "expected the environment variable {name} to be set, but found it unset or empty")
            }
            Problem::NoCredentials => out.write_str(
                "expected credentials (aws_access_key_id and aws_secret_access_key, or api_key, or the environment \
                 variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_BEARER_TOKEN_BEDROCK), but found none",
            ),
            Problem::NoMasterKey => out.write_str(
                "expected a key for the clients of the gateway (general_settings.master_key, or the environment \
                 variable LITELLM_MASTER_KEY), but found none",
            ),
            Problem::Unsupported { instead } => {
                write!(out, "expected {instead}, but found a setting that is not supported yet")
            }
            Problem::Duplicate { what, first } => {
                write!(out, "expected each {what} once, but found it also at {first}")
            }
            Problem::NoDeployments => {
                out.write_str("expected at least one Bedrock deployment in model_list, but found none")
            }
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.problem)
    }
}

impl std::error::Error for ConfigError {}
