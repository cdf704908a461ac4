//! The `bedrock-emulator` command.

mod arguments;

use std::io::Write;
use std::process::ExitCode;

use bedrock_emulator::Emulator;
use clap::Parser;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use arguments::EmulatorArguments;

#[tokio::main]
async fn main() -> ExitCode {
    match run(EmulatorArguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("bedrock-emulator: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: EmulatorArguments) -> Result<(), String> {
    let ca_out = arguments.ca_out.clone();
    let mut terminated = signal(SignalKind::terminate())
        .map_err(|error| format!("expected to catch signals, but found {error}"))?;
    let mut interrupted = signal(SignalKind::interrupt())
        .map_err(|error| format!("expected to catch signals, but found {error}"))?;
    let emulator = Emulator::start(arguments.config()?)
        .await
        .map_err(|error| error.to_string())?;
    if let Some(path) = &ca_out {
        std::fs::write(path, emulator.ca_pem())
            .map_err(|error| format!("expected to write {}, but found {error}", path.display()))?;
    }
    let ready = json!({
        "control": format!("http://{}", emulator.control()),
        "regions": emulator.addresses(),
        "ca_out": ca_out,
    });
    // Whoever started it may have stopped listening.
    let _ = writeln!(std::io::stdout(), "{ready}");
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    emulator.shutdown().await;
    Ok(())
}
