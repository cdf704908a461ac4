//! `envoy-bedrock check`: says whether a configuration can be used, and what it means.

mod report;
mod text;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::litellm::{self, Environment, Secrets};
use report::Report;

/// Validate a LiteLLM config.yaml and print what it means.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 the configuration is valid, 1 it is not (or cannot be read), 2 wrong usage."
)]
pub struct Arguments {
    /// The configuration, with everything that it includes.
    #[arg(value_name = "CONFIG")]
    config: PathBuf,
    /// Print one JSON object instead of text (the keys are documented in `check/report.rs`).
    #[arg(long)]
    json: bool,
    /// Do not require the variables of secrets to be set; they are listed instead.
    #[arg(long)]
    secrets_later: bool,
}

/// Runs the command; the exit codes are those of its help.
pub fn run(arguments: &Arguments, environment: &Environment) -> ExitCode {
    let mode = if arguments.secrets_later {
        Secrets::MayComeLater
    } else {
        Secrets::MustExist
    };
    let outcome = litellm::read(&arguments.config, environment, mode);
    let report = Report::of(&arguments.config.display().to_string(), &outcome);
    let output = if arguments.json {
        report.json()
    } else {
        text::render(&report, width())
    };
    let valid = outcome.is_ok();
    // A reader that has seen enough (`| head`) is no failure of the configuration.
    let _ = anstream::stdout().write_all(output.as_bytes());
    if !valid && !arguments.secrets_later && only_unset(&outcome) {
        let _ = writeln!(
            anstream::stderr(),
            "To check all else without these variables, use --secrets-later."
        );
    }
    if valid {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    }
}

/// Columns of the terminal, if there is one.
fn width() -> Option<u16> {
    terminal_size::terminal_size().map(|(terminal_size::Width(columns), _)| columns)
}

fn only_unset(outcome: &Result<crate::blueprint::Blueprint, Vec<litellm::ConfigError>>) -> bool {
    use litellm::Problem::{NoCredentials, NoMasterKey, VariableNotSet};
    let about_secrets = |error: &litellm::ConfigError| {
        matches!(error.problem, VariableNotSet { .. } | NoCredentials | NoMasterKey)
    };
    outcome
        .as_ref()
        .is_err_and(|errors| errors.iter().all(about_secrets))
}

#[cfg(test)]
mod tests;
