//! Why a configuration cannot be used. No message contains the value of a secret.

use std::fmt;

use crate::document::location::{Location, without_indices};
use crate::document::problem::FileProblem;

/// Most errors about the same field of different list elements that are shown one by one.
const SIMILAR_MAX: usize = 3;

/// One reason why a configuration cannot be used. `Display` is one line: `file:line: field:
/// problem`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// Where the problem is.
    pub location: Location,
    /// The problem.
    pub problem: Problem,
}

impl ReadError {
    /// Whether a protecting setting that does not work here is the problem.
    pub fn is_unprotected(&self) -> bool {
        matches!(self.problem, Problem::Unprotected { .. })
    }

    /// Whether a secret, or the variable that should hold it, is missing.
    pub fn is_missing_secret(&self) -> bool {
        matches!(
            self.problem,
            Problem::File(FileProblem::VariableNotSet { .. }) | Problem::NoMasterKey
        )
    }
}

/// What is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The file or one of its values cannot be read.
    File(FileProblem),
    /// A misspelled setting that LiteLLM would ignore.
    Slip {
        /// The name in the file, in quotes.
        found: String,
        /// The setting that was meant.
        meant: &'static str,
    },
    /// An AWS setting that LiteLLM does not have.
    UnknownSetting {
        /// Its name, in quotes.
        setting: String,
    },
    /// A setting where LiteLLM does not read it.
    Misplaced {
        /// Its name, in quotes.
        setting: String,
        /// What to write instead, and where.
        instead: Placement,
    },
    /// No proxy key for the gateway's clients.
    NoMasterKey,
    /// A setting that LiteLLM supports and this gateway does not. It cannot be ignored: it changes
    /// where requests go, or with whose rights.
    Unsupported {
        /// The setting.
        setting: String,
        /// What to use instead.
        instead: &'static str,
    },
    /// A setting that protects and does not work here.
    Unprotected {
        /// The setting, as `--accept-unprotected` takes it.
        name: String,
        /// What LiteLLM does and this gateway does not.
        lost: &'static str,
    },
    /// The configuration is inside the file: in a Helm values file or a ConfigMap.
    Nested {
        /// What the file looks like.
        looks_like: &'static str,
        /// Where the configuration is, as a path for `yq`.
        path: String,
    },
    /// A name or id that must be unique is used twice.
    Duplicate {
        /// What it is, with its value.
        what: String,
        /// Path of its first use.
        first: String,
    },
    /// The deployments of a model group have different guardrails.
    OtherGuardrail {
        /// Where the group's first guardrail is.
        first: Location,
        /// Whether this deployment has no guardrail at all.
        is_missing: bool,
    },
    /// There is nothing that the gateway can serve.
    NoDeployments {
        /// The providers of skipped deployments, each once.
        others: Vec<String>,
        /// Whether Bedrock deployments were left out.
        left_out: bool,
    },
}

/// Where a misplaced setting belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// `litellm_params` of the same entry.
    LitellmParams,
    /// `credential_values` of the same entry.
    CredentialValues,
    /// `litellm_params` of each deployment.
    EachDeployment,
    /// As `guardrailConfig`, in `litellm_params` of each deployment.
    GuardrailOfEachDeployment,
}

impl From<FileProblem> for Problem {
    fn from(problem: FileProblem) -> Self {
        Problem::File(problem)
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Placement::LitellmParams => "move it to litellm_params",
            Placement::CredentialValues => "move it to credential_values",
            Placement::EachDeployment => "move it to the litellm_params of each deployment",
            Placement::GuardrailOfEachDeployment => {
                "set guardrailConfig in the litellm_params of each deployment"
            }
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::File(problem) => problem.fmt(out),
            Problem::Slip { found, meant } => write!(out, "{found} has no effect: use {meant}"),
            Problem::UnknownSetting { setting } => {
                write!(out, "LiteLLM has no setting {setting}: correct or remove it")
            }
            Problem::Misplaced { setting, instead } => {
                write!(out, "{setting} has no effect here: {instead}")
            }
            Problem::NoMasterKey => out.write_str(
                "no proxy key for clients: set general_settings.master_key or the environment variable \
                 LITELLM_MASTER_KEY",
            ),
            Problem::Unsupported { setting, instead } => {
                write!(out, "{setting} is not supported yet: use {instead}")
            }
            Problem::Unprotected { name, lost } => write!(
                out,
                "this protection does not work here: {lost}. Remove the setting, or start without the protection: \
                 --accept-unprotected {name}"
            ),
            Problem::Nested { looks_like, path } => write!(
                out,
                "model_list must be at the top of the file, but it is under {path}. This looks like {looks_like}: \
                 extract the configuration first, for example with yq '{path}' FILE > config.yaml"
            ),
            Problem::Duplicate { what, first } => write!(out, "{what} is already used at {first}"),
            Problem::OtherGuardrail { first, is_missing } => {
                let found = if *is_missing {
                    "this deployment has no guardrailConfig, unlike"
                } else {
                    "this guardrailConfig differs from"
                };
                write!(
                    out,
                    "{found} {first}: all deployments of a model_name must have the same one, because they get the \
                     same request body"
                )
            }
            Problem::NoDeployments { others, left_out } => match others.as_slice() {
                _ if *left_out => out.write_str("no Bedrock deployment that can be served"),
                [] => out.write_str("no Bedrock deployment"),
                others => write!(
                    out,
                    "no Bedrock deployment, only deployments for {}",
                    others.join(", ")
                ),
            },
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.location, self.problem)
    }
}

impl std::error::Error for ReadError {}

/// One line for each error. Where many list elements have the same problem with the same field,
/// only the first few are shown, and a last line counts the others.
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
        if count <= SIMILAR_MAX {
            lines.push(error.to_string());
        }
    }
    for (path, problem, count) in kinds.iter().filter(|(.., count)| *count > SIMILAR_MAX) {
        let more = count - SIMILAR_MAX;
        lines.push(format!("{path}: {more} more like this: {problem}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_says_what_is_wrong_and_what_to_do() {
        let text = |text: &str| text.to_owned();
        let guardrail_at = Location::file("config.yaml").field("model_list").on_line(3);
        let cases = [
            (
                Problem::File(FileProblem::Missing { what: "model" }),
                "missing model",
            ),
            (
                Problem::Slip {
                    found: text("\"aws_region\""),
                    meant: "aws_region_name",
                },
                "\"aws_region\" has no effect: use aws_region_name",
            ),
            (
                Problem::UnknownSetting {
                    setting: text("\"aws_x\""),
                },
                "LiteLLM has no setting \"aws_x\": correct or remove it",
            ),
            (
                Problem::Misplaced {
                    setting: text("\"api_key\""),
                    instead: Placement::CredentialValues,
                },
                "\"api_key\" has no effect here: move it to credential_values",
            ),
            (
                Problem::Misplaced {
                    setting: text("\"guardrail_config\""),
                    instead: Placement::GuardrailOfEachDeployment,
                },
                "\"guardrail_config\" has no effect here: set guardrailConfig in the litellm_params of each deployment",
            ),
            (
                Problem::NoMasterKey,
                "no proxy key for clients: set general_settings.master_key or the environment variable \
                 LITELLM_MASTER_KEY",
            ),
            (
                Problem::Unsupported {
                    setting: text("aws_role_name"),
                    instead: "api_key",
                },
                "aws_role_name is not supported yet: use api_key",
            ),
            (
                Problem::Unprotected {
                    name: text("allowed_ips"),
                    lost: "only certain addresses get in; here every address does",
                },
                "this protection does not work here: only certain addresses get in; here every address does. Remove \
                 the setting, or start without the protection: --accept-unprotected allowed_ips",
            ),
            (
                Problem::Nested {
                    looks_like: "a Kubernetes ConfigMap",
                    path: text(".data.\"config.yaml\""),
                },
                "model_list must be at the top of the file, but it is under .data.\"config.yaml\". This looks like a \
                 Kubernetes ConfigMap: extract the configuration first, for example with yq '.data.\"config.yaml\"' \
                 FILE > config.yaml",
            ),
            (
                Problem::Duplicate {
                    what: text("id \"a\""),
                    first: text("model_list[0]"),
                },
                "id \"a\" is already used at model_list[0]",
            ),
            (
                Problem::OtherGuardrail {
                    first: guardrail_at.clone(),
                    is_missing: true,
                },
                "this deployment has no guardrailConfig, unlike config.yaml:3: model_list: all deployments of a \
                 model_name must have the same one, because they get the same request body",
            ),
            (
                Problem::OtherGuardrail {
                    first: guardrail_at,
                    is_missing: false,
                },
                "this guardrailConfig differs from config.yaml:3: model_list: all deployments of a model_name must \
                 have the same one, because they get the same request body",
            ),
            (
                Problem::NoDeployments {
                    others: Vec::new(),
                    left_out: false,
                },
                "no Bedrock deployment",
            ),
            (
                Problem::NoDeployments {
                    others: vec![text("azure")],
                    left_out: true,
                },
                "no Bedrock deployment that can be served",
            ),
            (
                Problem::NoDeployments {
                    others: vec![text("azure"), text("openai")],
                    left_out: false,
                },
                "no Bedrock deployment, only deployments for azure, openai",
            ),
        ];
        for (problem, expected) in cases {
            assert_eq!(problem.to_string(), expected);
        }
    }

    #[test]
    fn many_similar_errors_are_a_few_lines() {
        let error = |index: usize| ReadError {
            location: Location::file("c")
                .field("model_list")
                .element(index)
                .field("model_name")
                .on_line(index),
            problem: FileProblem::Missing { what: "model_name" }.into(),
        };
        let lines = |count: usize| error_lines(&(0..count).map(error).collect::<Vec<_>>());
        assert_eq!(lines(SIMILAR_MAX).len(), SIMILAR_MAX);
        assert_eq!(lines(SIMILAR_MAX + 1).len(), SIMILAR_MAX + 1);
        assert_eq!(
            lines(50).last().unwrap(),
            "model_list[].model_name: 47 more like this: missing model_name"
        );
    }
}
