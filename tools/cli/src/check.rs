//! `envoy-bedrock check`: says whether a configuration can be used, and what it means.

mod report;
mod text;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::environment::{Environment, SecretPolicy};
use crate::litellm::{self, ReadError, Tolerance};
use crate::prices::Catalogue;
use report::CheckReport;

/// Validate a LiteLLM config.yaml and print what it means.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 the configuration is valid, 1 it is not (or a file cannot be read), 2 wrong usage."
)]
pub struct CheckArguments {
    /// The configuration, with everything that it includes.
    #[arg(value_name = "CONFIG")]
    config: PathBuf,
    /// Print one JSON object instead of text. Later versions only add keys to it.
    #[arg(long)]
    json: bool,
    /// Do not require the variables of secrets to be set; they are listed instead.
    #[arg(long)]
    secrets_later: bool,
    /// Price list to use instead of the built-in one: LiteLLM's own file or one that `prices --import` wrote.
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    #[command(flatten)]
    tolerance: Tolerance,
}

/// How the report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people: at most that many columns wide where a number is given, and with colours.
    Text {
        /// Width of the terminal.
        columns: Option<u16>,
    },
    /// One JSON object.
    Json,
}

/// What there is to say about a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckOutcome {
    /// Whether it can be used.
    pub valid: bool,
    /// Whether all that is wrong is that secrets are not there.
    pub only_secrets_missing: bool,
    /// The report.
    pub output: String,
}

/// Runs the command; the exit codes are those of its help.
pub fn run(arguments: &CheckArguments, environment: &Environment) -> ExitCode {
    let mode = if arguments.secrets_later {
        SecretPolicy::MayComeLater
    } else {
        SecretPolicy::MustExist
    };
    let columns = terminal_size::terminal_size().map(|(terminal_size::Width(columns), _)| columns);
    let format = if arguments.json {
        Format::Json
    } else {
        Format::Text { columns }
    };
    let prices = match Catalogue::of_file(arguments.prices.as_deref()) {
        Ok(prices) => prices,
        Err(error) => {
            let _ = writeln!(anstream::stderr(), "error: {error}");
            return ExitCode::from(1);
        }
    };
    let outcome = outcome_tolerant(
        &arguments.config,
        environment,
        mode,
        &prices,
        &arguments.tolerance,
        format,
    );
    // A reader that has seen enough (`| head`) is no failure of the configuration.
    let _ = anstream::stdout().write_all(outcome.output.as_bytes());
    if outcome.only_secrets_missing {
        let _ = writeln!(
            anstream::stderr(),
            "to check all else without these variables, use --secrets-later"
        );
    }
    if outcome.valid {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    }
}

/// The report about the configuration at `config`. No secret is ever in it.
pub fn outcome(config: &Path, environment: &Environment, mode: SecretPolicy, format: Format) -> CheckOutcome {
    outcome_priced(config, environment, mode, Catalogue::built_in(), format)
}

/// [`outcome`] with another price list than the built-in one.
pub fn outcome_priced(
    config: &Path,
    environment: &Environment,
    mode: SecretPolicy,
    prices: &Catalogue,
    format: Format,
) -> CheckOutcome {
    outcome_tolerant(config, environment, mode, prices, &Tolerance::default(), format)
}

/// [`outcome_priced`] with what the operator accepts.
pub fn outcome_tolerant(
    config: &Path,
    environment: &Environment,
    mode: SecretPolicy,
    prices: &Catalogue,
    tolerance: &Tolerance,
    format: Format,
) -> CheckOutcome {
    let read = litellm::read_tolerant(config, environment, mode, prices, tolerance);
    let remedies = match &read {
        Ok(_) => Vec::new(),
        Err(errors) => litellm::remedies(config, environment, mode, prices, tolerance, errors),
    };
    let only_secrets_missing = read
        .as_ref()
        .is_err_and(|errors| errors.iter().all(ReadError::is_missing_secret));
    let report = CheckReport::of(&config.display().to_string(), &read, remedies);
    let output = match format {
        Format::Json => report.json(),
        Format::Text { columns } => text::render(&report, columns),
    };
    CheckOutcome {
        valid: read.is_ok(),
        only_secrets_missing,
        output,
    }
}

#[cfg(test)]
mod tests;
