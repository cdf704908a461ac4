//! `envoy-bedrock check`: says whether a configuration is valid and what it means.

mod credentials;
mod report;
mod text;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::environment::{Environment, SecretPolicy};
use crate::litellm::{self, ReadError, Tolerance};
use crate::prices::PriceList;
use credentials::ReportForm;
use report::CheckReport;

/// Validate a LiteLLM config.yaml and print what it means.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  envoy-bedrock check config.yaml
  envoy-bedrock check config.yaml --credentials

Exit codes: 0 the configuration is valid, 1 it is not valid, a file cannot be read or (with --credentials) a\ncredential cannot be obtained, 2 wrong usage.")]
pub struct CheckArguments {
    /// The configuration. Files that it includes are read as well.
    #[arg(value_name = "CONFIG")]
    config: PathBuf,
    /// Print one JSON object instead of text. Later versions only add keys to it.
    #[arg(long)]
    json: bool,
    /// Get every credential once, and list whose it is, when it expires, or why it cannot be
    /// obtained.
    #[arg(long, conflicts_with = "secrets_later")]
    credentials: bool,
    /// List variables of secrets that are not set, instead of reporting errors.
    #[arg(long)]
    secrets_later: bool,
    /// Price list to use instead of the built-in one: LiteLLM's own file, or a list written by
    /// `prices --import`.
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    #[command(flatten)]
    tolerance: Tolerance,
}

/// The form of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text with colours.
    Text {
        /// Width of the terminal, if it is known.
        columns: Option<u16>,
    },
    /// One JSON object.
    Json,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckOutcome {
    /// Whether the configuration is valid.
    pub valid: bool,
    /// Whether missing secrets are the only errors.
    pub only_secrets_missing: bool,
    /// The report.
    pub output: String,
}

/// Runs the command. Its help documents the exit codes.
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
    let prices = match PriceList::of_file(arguments.prices.as_deref()) {
        Ok(prices) => prices,
        Err(error) => {
            let _ = writeln!(anstream::stderr(), "error: {error}");
            return ExitCode::from(1);
        }
    };
    if arguments.credentials
        && let Ok(blueprint) = litellm::read_tolerant(
            &arguments.config,
            environment,
            mode,
            &prices,
            &arguments.tolerance,
        )
    {
        let form = match format {
            Format::Json => ReportForm::Json,
            Format::Text { columns } => ReportForm::Table { columns },
        };
        let (report, all_work) = credentials::report(&blueprint, environment, form);
        let _ = anstream::stdout().write_all(report.as_bytes());
        return ExitCode::from(u8::from(!all_work));
    }
    let outcome = outcome_tolerant(
        &arguments.config,
        environment,
        mode,
        &prices,
        &arguments.tolerance,
        format,
    );
    // A reader that stops early (`| head`) does not make the configuration invalid.
    let _ = anstream::stdout().write_all(outcome.output.as_bytes());
    if outcome.only_secrets_missing {
        let _ = writeln!(
            anstream::stderr(),
            "to check everything else without these variables, use --secrets-later"
        );
    }
    if outcome.valid {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    }
}

/// Checks the configuration at `config`. The report never contains a secret.
pub fn outcome(config: &Path, environment: &Environment, mode: SecretPolicy, format: Format) -> CheckOutcome {
    outcome_priced(config, environment, mode, PriceList::built_in(), format)
}

/// [`outcome`] with another price list.
pub fn outcome_priced(
    config: &Path,
    environment: &Environment,
    mode: SecretPolicy,
    prices: &PriceList,
    format: Format,
) -> CheckOutcome {
    outcome_tolerant(config, environment, mode, prices, &Tolerance::default(), format)
}

/// [`outcome_priced`] with what the operator accepts.
pub fn outcome_tolerant(
    config: &Path,
    environment: &Environment,
    mode: SecretPolicy,
    prices: &PriceList,
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
