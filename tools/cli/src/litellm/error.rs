//! What is wrong with a configuration: where it stands, what was expected, what was found. Never a secret's value.

use std::borrow::Cow;
use std::fmt;

use crate::document::location::{Location, without_indices};

/// Most errors that say the same about the same field and are shown one by one.
const ALIKE_MAX: usize = 3;

/// One reason why a configuration cannot be used. `Display` is one line: `file:line: field: expected X, but found Y`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// Where.
    pub location: Location,
    /// What.
    pub problem: Problem,
}

impl ReadError {
    /// Whether it is about a setting that protects and does not work here.
    pub(crate) fn is_unprotected(&self) -> bool {
        matches!(self.problem, Problem::Unprotected { .. })
    }
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
    NoCredentials {
        /// Variables that are set and that this gateway cannot use.
        unusable: Vec<&'static str>,
    },
    /// A name that LiteLLM does not know, instead of one that it knows.
    Slip {
        /// The name, in quotes.
        found: String,
        /// What it was meant to be.
        meant: &'static str,
    },
    /// A setting of AWS's that LiteLLM does not know.
    UnknownSetting {
        /// The name, in quotes.
        setting: String,
    },
    /// A setting where LiteLLM does not read it.
    Misplaced {
        /// The name, in quotes.
        setting: String,
        /// Where it would be read.
        belongs: &'static str,
    },
    /// No key for the gateway's clients.
    NoMasterKey,
    /// A setting that would change who is asked or with what rights, so that it must not be ignored.
    Unsupported {
        /// The setting.
        setting: String,
        /// What to use in its place.
        instead: &'static str,
    },
    /// A setting that protects and does not work here.
    Unprotected {
        /// The setting, as `--accept-unprotected` takes it.
        name: String,
        /// What it does, and what happens here instead.
        lost: &'static str,
    },
    /// The configuration stands somewhere inside the file: a Helm values file, a ConfigMap.
    Nested {
        /// What the file seems to be.
        seems: &'static str,
        /// Where the configuration is, as `yq` takes it.
        path: String,
    },
    /// Something that must be unique is there twice.
    Duplicate {
        /// What it is, with its value.
        what: String,
        /// Path of the first.
        first: String,
    },
    /// A deployment has another guardrail than its group.
    OtherGuardrail {
        /// Where the group's stands.
        first: Location,
        /// What the deployment has.
        found: &'static str,
    },
    /// Nothing is left that the gateway could serve.
    NoDeployments {
        /// Whom the deployments that were skipped are for, each once.
        others: Vec<String>,
        /// Whether deployments of Bedrock's were left out.
        left_out: bool,
    },
}

/// What is the matter with variables that lead to credentials by way of a profile, a role or a container.
pub(crate) const UNUSABLE: &str = "which cannot be used yet: make keys of the credentials with \
                                   `eval \"$(aws configure export-credentials --format env)\"`";

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
            Problem::NoCredentials { unusable } => {
                out.write_str(
                    "expected credentials (aws_access_key_id and aws_secret_access_key, or api_key, or the environment \
                     variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_BEARER_TOKEN_BEDROCK), but found ",
                )?;
                match unusable.as_slice() {
                    [] => out.write_str("none"),
                    names => write!(out, "only {}, {UNUSABLE}", names.join(", ")),
                }
            }
            Problem::Slip { found, meant } => {
                write!(out, "expected {meant}, but found {found}, which has no effect")
            }
            Problem::UnknownSetting { setting } => {
                write!(out, "expected a setting that LiteLLM knows, but found {setting}")
            }
            Problem::Misplaced { setting, belongs } => {
                write!(out, "expected {setting} under {belongs}, but found it here, where it has no effect")
            }
            Problem::NoMasterKey => out.write_str(
                "expected a key for the clients of the gateway (general_settings.master_key, or the environment \
                 variable LITELLM_MASTER_KEY), but found none",
            ),
            Problem::Unsupported { setting, instead } => {
                write!(out, "expected {instead}, but found {setting}, which is not supported yet")
            }
            Problem::Unprotected { name, lost } => write!(
                out,
                "this setting protects, and has no effect here: {lost}. Remove it, or start without it: --accept-unprotected {name}"
            ),
            Problem::Nested { seems, path } => write!(
                out,
                "expected model_list at the top of the file, but found it under {path}: this seems to be {seems}, so \
                 extract the configuration first, for example with yq '{path}' FILE > config.yaml"
            ),
            Problem::Duplicate { what, first } => {
                write!(out, "expected each {what} once, but found it also at {first}")
            }
            Problem::OtherGuardrail { first, found } => {
                write!(
                    out,
                    "expected the same guardrailConfig as at {first}, because all deployments of a model_name get the \
                     same request body, which is hashed once, but found {found}"
                )
            }
            Problem::NoDeployments { others, left_out } => {
                out.write_str("expected at least one Bedrock deployment in model_list, but found ")?;
                match others.as_slice() {
                    _ if *left_out => out.write_str("none that can be served"),
                    [] => out.write_str("none"),
                    others => write!(out, "only deployments for {}", others.join(", ")),
                }
            }
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.location, self.problem)
    }
}

impl std::error::Error for ReadError {}

/// A line for each error; of many that say the same about the same field of several list elements, the first ones and
/// how many more there are.
pub fn error_lines(errors: &[ReadError]) -> Vec<String> {
    let mut kinds: Vec<(String, &Problem, usize)> = Vec::new();
    let mut lines = Vec::new();
    for error in errors {
        let pattern = without_indices(&error.location.path);
        let known = kinds
            .iter_mut()
            .find(|(path, problem, _)| *path == pattern && **problem == error.problem);
        let count = match known {
            Some((.., count)) => {
                *count += 1;
                *count
            }
            None => {
                kinds.push((pattern, &error.problem, 1));
                1
            }
        };
        if count <= ALIKE_MAX {
            lines.push(error.to_string());
        }
    }
    for (path, problem, count) in kinds.iter().filter(|(.., count)| *count > ALIKE_MAX) {
        let more = count - ALIKE_MAX;
        lines.push(format!("{path}: {more} more like this: {problem}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_says_what_was_expected_and_what_was_found() {
        let text = |text: &str| text.to_owned();
        let cases = [
            (
                Problem::Unreadable(text("permission denied")),
                "expected a readable file, but found: permission denied",
            ),
            (
                Problem::Syntax {
                    column: 3,
                    found: text("a tab"),
                },
                "expected valid YAML, but found an error in column 3: a tab",
            ),
            (
                Problem::Unexpected {
                    expected: "a string".into(),
                    found: text("a list"),
                },
                "expected a string, but found a list",
            ),
            (
                Problem::Missing { expected: "a model" },
                "expected a model, but found nothing",
            ),
            (
                Problem::VariableNotSet { name: text("X") },
                "expected the environment variable X to be set, but found it unset or empty",
            ),
            (
                Problem::NoCredentials {
                    unusable: vec!["AWS_PROFILE", "AWS_CONFIG_FILE"],
                },
                "expected credentials (aws_access_key_id and aws_secret_access_key, or api_key, or the environment \
                 variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_BEARER_TOKEN_BEDROCK), but found only \
                 AWS_PROFILE, AWS_CONFIG_FILE, which cannot be used yet: make keys of the credentials with \
                 `eval \"$(aws configure export-credentials --format env)\"`",
            ),
            (
                Problem::Slip {
                    found: text("\"aws_region\""),
                    meant: "aws_region_name",
                },
                "expected aws_region_name, but found \"aws_region\", which has no effect",
            ),
            (
                Problem::UnknownSetting {
                    setting: text("\"aws_x\""),
                },
                "expected a setting that LiteLLM knows, but found \"aws_x\"",
            ),
            (
                Problem::Misplaced {
                    setting: text("\"api_key\""),
                    belongs: "credential_values",
                },
                "expected \"api_key\" under credential_values, but found it here, where it has no effect",
            ),
            (
                Problem::NoCredentials { unusable: Vec::new() },
                "expected credentials (aws_access_key_id and aws_secret_access_key, or api_key, or the environment \
                 variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_BEARER_TOKEN_BEDROCK), but found none",
            ),
            (
                Problem::NoMasterKey,
                "expected a key for the clients of the gateway (general_settings.master_key, or the environment \
                 variable LITELLM_MASTER_KEY), but found none",
            ),
            (
                Problem::Unsupported {
                    setting: text("aws_role_name"),
                    instead: "api_key",
                },
                "expected api_key, but found aws_role_name, which is not supported yet",
            ),
            (
                Problem::Unprotected {
                    name: text("allowed_ips"),
                    lost: "it lets only certain addresses in; here every address may call",
                },
                "this setting protects, and has no effect here: it lets only certain addresses in; here every address may \
                 call. Remove it, or start without it: --accept-unprotected allowed_ips",
            ),
            (
                Problem::Nested {
                    seems: "a Kubernetes ConfigMap",
                    path: text(".data.\"config.yaml\""),
                },
                "expected model_list at the top of the file, but found it under .data.\"config.yaml\": this seems to be \
                 a Kubernetes ConfigMap, so extract the configuration first, for example with yq \
                 '.data.\"config.yaml\"' FILE > config.yaml",
            ),
            (
                Problem::Duplicate {
                    what: text("id \"a\""),
                    first: text("model_list[0]"),
                },
                "expected each id \"a\" once, but found it also at model_list[0]",
            ),
            (
                Problem::OtherGuardrail {
                    first: Location::file("config.yaml").field("model_list").on_line(3),
                    found: "none",
                },
                "expected the same guardrailConfig as at config.yaml:3: model_list, because all deployments of a \
                 model_name get the same request body, which is hashed once, but found none",
            ),
            (
                Problem::NoDeployments {
                    others: Vec::new(),
                    left_out: false,
                },
                "expected at least one Bedrock deployment in model_list, but found none",
            ),
            (
                Problem::NoDeployments {
                    others: vec![text("azure")],
                    left_out: true,
                },
                "expected at least one Bedrock deployment in model_list, but found none that can be served",
            ),
            (
                Problem::NoDeployments {
                    others: vec![text("azure"), text("openai")],
                    left_out: false,
                },
                "expected at least one Bedrock deployment in model_list, but found only deployments for azure, openai",
            ),
        ];
        for (problem, expected) in cases {
            assert_eq!(problem.to_string(), expected);
        }
    }

    #[test]
    fn many_errors_that_are_alike_are_a_few_lines() {
        let error = |index: usize| ReadError {
            location: Location::file("c")
                .field("model_list")
                .element(index)
                .field("model_name")
                .on_line(index),
            problem: Problem::Missing { expected: "a name" },
        };
        let lines = |count: usize| error_lines(&(0..count).map(error).collect::<Vec<_>>());
        assert_eq!(lines(ALIKE_MAX).len(), ALIKE_MAX);
        assert_eq!(lines(ALIKE_MAX + 1).len(), ALIKE_MAX + 1);
        assert_eq!(
            lines(50).last().unwrap(),
            "model_list[].model_name: 47 more like this: expected a name, but found nothing"
        );
    }
}
