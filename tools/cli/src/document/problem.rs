//! Why a file or one of its values cannot be read. No message contains the value of a secret.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::sync::Arc;

/// What is wrong with a file or with one of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileProblem {
    /// The file cannot be read.
    Unreadable {
        /// Its name, where another file includes it.
        included: Option<Arc<str>>,
        /// The reason.
        reason: UnreadableConfig,
    },
    /// The file is not valid YAML.
    Syntax {
        /// Column, from 1.
        column: usize,
        /// What is wrong there.
        found: String,
    },
    /// A value of the wrong type or outside the accepted range.
    Unexpected {
        /// What the field accepts.
        expected: Cow<'static, str>,
        /// What it contains; only the kind of value where the field can hold a secret.
        found: String,
    },
    /// A required field is absent.
    Missing {
        /// The field, and what it is for where its name does not say so.
        what: &'static str,
    },
    /// A field refers to an environment variable that is unset or empty.
    VariableNotSet {
        /// The name of the variable.
        name: String,
    },
    /// A secret with a reference that only LiteLLM can resolve.
    UnsupportedReference {
        /// How the reference starts.
        prefix: &'static str,
    },
}

/// Why a file cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnreadableConfig {
    /// The operating system refuses.
    Io(io::ErrorKind),
    /// The file is larger than this many bytes.
    TooLarge(u64),
    /// UTF-16, which some Windows programs write. LiteLLM does not read it either.
    Utf16,
    /// The file is not valid UTF-8.
    NotUtf8 {
        /// The line of the first invalid character, from 1.
        line: usize,
    },
}

impl fmt::Display for FileProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable {
                included: Some(file),
                reason,
            } => write!(out, "cannot read {file}: {reason}"),
            Self::Unreadable {
                included: None,
                reason,
            } => write!(out, "cannot read the file: {reason}"),
            Self::Syntax { column, found } => write!(out, "invalid YAML in column {column}: {found}"),
            Self::Unexpected { expected, found } => write!(out, "expected {expected}, but found {found}"),
            Self::Missing { what } => write!(out, "missing {what}"),
            Self::VariableNotSet { name } => {
                write!(out, "the environment variable {name} is unset or empty")
            }
            Self::UnsupportedReference { prefix } => write!(
                out,
                "{prefix} references are not supported: use the value itself or os.environ/NAME"
            ),
        }
    }
}

impl fmt::Display for UnreadableConfig {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(io::ErrorKind::NotFound) => out.write_str("no such file"),
            Self::Io(kind) => kind.fmt(out),
            Self::TooLarge(limit) => write!(out, "it is larger than {limit} bytes"),
            Self::Utf16 => out.write_str("it is UTF-16: save it as UTF-8"),
            Self::NotUtf8 { line } => {
                write!(
                    out,
                    "line {line} contains a character that is not UTF-8: save it as UTF-8"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_has_a_message() {
        let text = |text: &str| text.to_owned();
        let cases = [
            (
                FileProblem::Unreadable {
                    included: None,
                    reason: UnreadableConfig::Io(io::ErrorKind::PermissionDenied),
                },
                "cannot read the file: permission denied",
            ),
            (
                FileProblem::Unreadable {
                    included: Some("more.yaml".into()),
                    reason: UnreadableConfig::TooLarge(9),
                },
                "cannot read more.yaml: it is larger than 9 bytes",
            ),
            (
                FileProblem::Unreadable {
                    included: None,
                    reason: UnreadableConfig::Utf16,
                },
                "cannot read the file: it is UTF-16: save it as UTF-8",
            ),
            (
                FileProblem::Unreadable {
                    included: None,
                    reason: UnreadableConfig::NotUtf8 { line: 2 },
                },
                "cannot read the file: line 2 contains a character that is not UTF-8: save it as UTF-8",
            ),
            (
                FileProblem::Syntax {
                    column: 3,
                    found: text("a tab"),
                },
                "invalid YAML in column 3: a tab",
            ),
            (
                FileProblem::Unexpected {
                    expected: "a string".into(),
                    found: text("a list"),
                },
                "expected a string, but found a list",
            ),
            (FileProblem::Missing { what: "model" }, "missing model"),
            (
                FileProblem::VariableNotSet { name: text("X") },
                "the environment variable X is unset or empty",
            ),
            (
                FileProblem::UnsupportedReference { prefix: "oidc/" },
                "oidc/ references are not supported: use the value itself or os.environ/NAME",
            ),
        ];
        for (problem, expected) in cases {
            assert_eq!(problem.to_string(), expected);
        }
    }
}
