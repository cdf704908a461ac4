//! `envoy-bedrock run`: from a config.yaml to a gateway that serves.
//!
//! It renders the configuration, starts Envoy with the secrets in its environment, and runs until
//! Envoy or the user ends it. Without AWS credentials the emulator runs in this process, and Envoy
//! connects to it instead of AWS. Everything else is as in production: names, certificates,
//! signatures and what Envoy does.

mod admin;
mod backend;
mod banner;
mod demo;
mod envoy;
mod error;
mod log;
mod options;
mod ports;
mod prepare;
mod supervisor;

pub use options::RunArguments;
pub use supervisor::EnvoyChild;

use std::io::Write;
use std::process::ExitCode;

use crate::environment::Environment;
use error::RunError;
use prepare::Prepared;

/// Runs the gateway until a signal ends it. The command's help documents the exit codes.
pub fn run(arguments: &RunArguments, environment: &Environment) -> ExitCode {
    let outcome = prepare::prepare(arguments, environment).and_then(|prepared| serve(arguments, prepared));
    match outcome {
        Ok(code) => code,
        Err(error) => {
            let mut stderr = anstream::stderr();
            for message in error.messages() {
                let _ = writeln!(stderr, "error: {message}");
            }
            ExitCode::from(1)
        }
    }
}

fn serve(arguments: &RunArguments, prepared: Prepared) -> Result<ExitCode, RunError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| RunError::System("start threads", error))?;
    // On this thread, because the kernel ends Envoy when the thread that started it ends.
    runtime.block_on(supervisor::serve(arguments, prepared))
}
