//! `envoy-bedrock run`: everything between a config.yaml and a gateway that answers.
//!
//! It draws the configuration, starts Envoy with the secrets in its environment, and waits for either to end. Without
//! credentials for AWS the emulator runs in this process and only the addresses that Envoy connects to are replaced:
//! names, certificates, signatures and the whole of Envoy's work stay what they are in production.

mod admin;
mod backend;
mod banner;
mod demo;
mod envoy;
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
use prepare::Prepared;

/// Runs the gateway until it is told to stop. The exit codes are those of the command's help.
pub fn run(arguments: &RunArguments, environment: &Environment) -> ExitCode {
    let outcome = prepare::prepare(arguments, environment).and_then(|prepared| serve(arguments, prepared));
    match outcome {
        Ok(code) => code,
        Err(errors) => {
            let mut stderr = anstream::stderr();
            for error in errors {
                let _ = writeln!(stderr, "error: {error}");
            }
            ExitCode::from(1)
        }
    }
}

fn serve(arguments: &RunArguments, prepared: Prepared) -> Result<ExitCode, Vec<String>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| vec![format!("expected to start threads, but found: {error}")])?;
    // On this thread: the end of the thread that starts Envoy is the end of Envoy.
    runtime.block_on(supervisor::serve(arguments, prepared))
}
