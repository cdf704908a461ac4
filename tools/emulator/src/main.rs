//! The `bedrock-emulator` command.

mod arguments;

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use bedrock_emulator::{Emulator, EmulatorError};
use clap::Parser;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use arguments::{EmulatorArguments, UnreadablePemFile};

#[tokio::main]
async fn main() -> ExitCode {
    match run(EmulatorArguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bedrock-emulator: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: EmulatorArguments) -> Result<(), EmulatorCommandError> {
    let ca_out = arguments.ca_out.clone();
    let mut terminated = signal(SignalKind::terminate()).map_err(EmulatorCommandError::Signals)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(EmulatorCommandError::Signals)?;
    let config = arguments.config().map_err(EmulatorCommandError::Arguments)?;
    let emulator = Emulator::start(config)
        .await
        .map_err(EmulatorCommandError::Start)?;
    if let Some(path) = &ca_out {
        std::fs::write(path, emulator.ca_pem()).map_err(|source| EmulatorCommandError::WriteCa {
            path: path.clone(),
            source,
        })?;
    }
    let ready = json!({
        "control": format!("http://{}", emulator.control()),
        "identity": emulator.identity().map(|address| format!("http://{address}")),
        "regions": emulator.addresses(),
        "ca_out": ca_out,
    });
    // The reader of the line may be gone.
    let _ = writeln!(io::stdout(), "{ready}");
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    emulator.shutdown().await;
    Ok(())
}

/// Why the command fails.
#[derive(Debug)]
enum EmulatorCommandError {
    Signals(io::Error),
    Arguments(UnreadablePemFile),
    Start(EmulatorError),
    WriteCa { path: PathBuf, source: io::Error },
}

impl fmt::Display for EmulatorCommandError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signals(error) => write!(out, "cannot handle signals: {error}"),
            Self::Arguments(error) => error.fmt(out),
            Self::Start(error) => error.fmt(out),
            Self::WriteCa { path, source } => write!(out, "cannot write {}: {source}", path.display()),
        }
    }
}
