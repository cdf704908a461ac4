//! `envoy-bedrock run`: from a config.yaml to a gateway that serves.
//!
//! It renders the configuration, starts Envoy with the secrets in its environment, restarts it if
//! it crashes, and runs until a signal ends it. Without AWS credentials the emulator runs in this
//! process, and Envoy connects to it instead of AWS. Everything else is as in production: names,
//! certificates, signatures and what Envoy does.

mod admin_forwarder;
mod backend;
mod banner;
mod child;
mod demo;
mod drain;
mod envoy;
mod envoy_directory;
mod error;
mod exit;
mod kept_envoy;
mod launch;
mod memory;
mod oom_kills;
mod options;
mod ports;
mod prepare;
mod process;
mod restarts;
#[cfg(target_os = "linux")]
mod reuse_port;
mod run_broker;
mod shared_port;
mod signals;
mod source;
mod spend_log_watch;
mod standby;
mod supervisor;
mod tls_pair;
mod wanted;

pub use child::EnvoyChild;
pub use options::RunArguments;

use std::io::Write;
use std::process::ExitCode;

use crate::environment::Environment;
use crate::log::{self, LogFormat};
use error::RunError;
use prepare::Prepared;

/// Runs the gateway until a signal ends it. The command's help documents the exit codes.
pub fn run(arguments: &RunArguments, environment: &Environment) -> ExitCode {
    log::install("run", arguments.log_format);
    let outcome = prepare::prepare(arguments, environment).and_then(|prepared| serve(arguments, prepared));
    match outcome {
        Ok(code) => code,
        Err(error) => {
            error
                .messages()
                .iter()
                .for_each(|message| report(arguments.log_format, message));
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

/// Reports why the command ends. As plain text this looks like the errors of other commands.
fn report(format: LogFormat, message: &str) {
    match format {
        LogFormat::Json => tracing::error!("{message}"),
        LogFormat::Text => {
            let _ = writeln!(anstream::stderr(), "error: {message}");
        }
    }
}
