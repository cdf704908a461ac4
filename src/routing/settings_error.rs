//! Errors in the plugin configuration.

use std::fmt;

use crate::sealing::SEALING_KEY;
use crate::sigv4::InvalidAccessKeyId;

/// Why the filter refuses its configuration. Envoy then does not start, or keeps its current
/// configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsError {
    /// The configuration is not the JSON of [`Settings`](crate::contract::settings::Settings).
    /// Holds the error message of serde_json.
    Malformed(String),
    /// An environment variable is unset or empty.
    MissingVariable {
        /// Path of the field.
        field: String,
        /// Name of the variable.
        name: String,
    },
    /// The value of an environment variable is not an access key id.
    BadVariable {
        /// Path of the field.
        field: String,
        /// Name of the variable.
        name: String,
        /// What is wrong, without the value, which may be a misplaced secret.
        error: InvalidAccessKeyId,
    },
    /// The settings contain sealed secrets, but the variable with the sealing key is unset or not a
    /// key.
    NoSealingKey,
    /// A sealed secret was sealed with another key, or changed.
    Sealed {
        /// Path of the field.
        field: String,
    },
    /// The value of a field is out of bounds.
    OutOfBounds {
        /// Path of the field.
        field: String,
        /// The expected value.
        expected: &'static str,
        /// The actual value.
        found: String,
    },
}

impl fmt::Display for SettingsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(reason) => {
                write!(
                    out,
                    "not the settings that this version of envoy-bedrock renders: {reason}"
                )
            }
            Self::MissingVariable { field, name } => {
                write!(
                    out,
                    "{field}: the environment variable {name} is unset or empty in the Envoy process"
                )
            }
            Self::BadVariable { field, name, error } => {
                write!(out, "{field}: environment variable {name}: {error}")
            }
            Self::NoSealingKey => {
                write!(
                    out,
                    "sealed: the environment variable {SEALING_KEY} of the Envoy process is not a key of 64 hexadecimal digits"
                )
            }
            Self::Sealed { field } => {
                write!(
                    out,
                    "{field}: was not sealed with the key in {SEALING_KEY} of the Envoy process"
                )
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
