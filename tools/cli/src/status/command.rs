//! `envoy-bedrock status`: the arguments and the output.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use envoy_bedrock::time::UnixTime;
use terminal_size::{Height, Width, terminal_size};
use tokio::time::sleep;

use super::connection::Connection;
use super::error::StatusError;
use super::report::StatusReport;
use super::text;

/// To the first line and column.
const HOME: &str = "\x1b[H";
/// Erases the rest of the line.
const ERASE_LINE: &str = "\x1b[K";
/// Erases the rest of the screen.
const ERASE_BELOW: &str = "\x1b[J";

/// Show what the deployments of a running gateway are doing, until Ctrl-C.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  envoy-bedrock status
  envoy-bedrock status --once
  envoy-bedrock status --admin http://127.0.0.1:9901 --json

Everything is counted since Envoy started. REQUESTS are those sent to the deployment, including retries; ERRORS had no
successful response. STATE and IN FLIGHT come from GET /health of the gateway, for the models that the key may use. Each
such question is a row of the spend log, with the call type internal.

Exit codes: 0 success, 1 no gateway is running there, 2 wrong usage.")]
pub struct StatusArguments {
    /// URL of Envoy's admin interface, instead of that of `run`.
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// State directory of `run`.
    #[arg(long, value_name = "DIRECTORY", default_value = ".envoy-bedrock")]
    state: PathBuf,
    /// A key of the gateway. Without one, it is not known which deployments cool down.
    #[arg(long, env = "LITELLM_MASTER_KEY", hide_env_values = true)]
    key: Option<String>,
    /// Seconds between two refreshes, over which requests a second are measured.
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
    /// Print it once, after the interval.
    #[arg(long)]
    once: bool,
    /// Print one JSON object, once. Later versions only add keys to it.
    #[arg(long)]
    json: bool,
}

/// Runs the command. Its help documents the exit codes.
pub fn run(arguments: &StatusArguments) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let shown = match runtime {
        Ok(runtime) => runtime.block_on(show(arguments)),
        Err(error) => Err(StatusError::Runtime(error)),
    };
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(anstream::stderr(), "error: {error}");
            ExitCode::from(1)
        }
    }
}

async fn show(arguments: &StatusArguments) -> Result<(), StatusError> {
    let connection = Connection::find(arguments.admin.as_deref(), &arguments.state).await?;
    let interval = Duration::from_secs(arguments.interval);
    let mut before = connection.sample().await?;
    loop {
        sleep(interval).await;
        let now = connection.sample().await?;
        let states = match &arguments.key {
            Some(key) => connection.states(key).await,
            None => Err("GET /health needs a key: set LITELLM_MASTER_KEY or --key".to_owned()),
        };
        let report = StatusReport::new(&before, &now, states);
        if arguments.json {
            let _ = anstream::stdout().write_all(report.json().as_bytes());
            return Ok(());
        }
        let table = text::table(&report, columns(), unix_time());
        if arguments.once {
            let _ = anstream::stdout().write_all(table.as_bytes());
            return Ok(());
        }
        if redraw(&table).is_err() {
            // The reader has gone.
            return Ok(());
        }
        before = now;
    }
}

/// Replaces what the terminal shows. Elsewhere, the tables follow one another.
fn redraw(table: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if !out.is_terminal() {
        writeln!(out, "{table}")?;
        return out.flush();
    }
    let rows = terminal_size().map_or(usize::MAX, |(_, Height(rows))| usize::from(rows));
    out.write_all(HOME.as_bytes())?;
    for line in table.lines().take(rows.saturating_sub(1)) {
        writeln!(out, "{line}{ERASE_LINE}")?;
    }
    out.write_all(ERASE_BELOW.as_bytes())?;
    out.flush()
}

/// Width of the terminal, if standard output is one.
fn columns() -> Option<u16> {
    let width = terminal_size().map(|(Width(columns), _)| columns);
    width.filter(|_| std::io::stdout().is_terminal())
}

fn unix_time() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    UnixTime::from_seconds(since.map_or(0, |since| since.as_secs()))
}
