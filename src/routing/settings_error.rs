//! What can be wrong with a plugin configuration.

use std::fmt;

use crate::sigv4::InvalidAccessKeyId;

/// Why the filter refuses its configuration. Envoy then does not start, or keeps the one it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsError {
    /// It is not the JSON of [`Settings`](crate::config::Settings); the text says where.
    Malformed(String),
    /// A field names an environment variable that is not set or empty.
    MissingVariable {
        /// Path of the field.
        field: String,
        /// Name of the variable.
        name: String,
    },
    /// The environment variable of an access key id holds something else.
    BadVariable {
        /// Path of the field.
        field: String,
        /// Name of the variable.
        name: String,
        /// What is wrong with it; not the value, which may be a misplaced secret.
        error: InvalidAccessKeyId,
    },
    /// A field has a value that is out of bounds.
    OutOfBounds {
        /// Path of the field.
        field: String,
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: String,
    },
}

impl fmt::Display for SettingsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(reason) => {
                write!(out, "expected the settings of envoy-bedrock, but found {reason}")
            }
            Self::MissingVariable { field, name } => {
                write!(
                    out,
                    "{field}: expected the environment variable {name} to be set, but found none"
                )
            }
            Self::BadVariable { field, name, error } => {
                write!(out, "{field}: environment variable {name}: {error}")
            }
            Self::OutOfBounds {
                field,
                expected,
                found,
            } => {
                write!(out, "{field}: expected {expected}, but found {found}")
            }
        }
    }
}

impl std::error::Error for SettingsError {}
