//! The tools that the command needs. A missing tool is a failure, never a skip.

#![allow(dead_code, reason = "each test program uses some of them")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Variables that change what the command does.
const FOREIGN: [&str; 24] = [
    "LOG_FORMAT",
    "DRAIN_SECONDS",
    "SHUTDOWN_DELAY_SECONDS",
    "ACCEPT_UNPROTECTED",
    "LEAVE_OUT_UNSUPPORTED",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_REGION",
    "AWS_REGION_NAME",
    "LITELLM_MASTER_KEY",
    "BEDROCK",
    "PORT",
    "TLS_PORT",
    "ENVOY",
    "SSL_CERT_FILE",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_BEDROCK_RUNTIME_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
];

/// The command, in an environment without secrets and settings.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_envoy-bedrock"));
    for name in FOREIGN.iter().chain(&envoy_bedrock_cli::otlp::VARIABLES) {
        command.env_remove(name);
    }
    command
}

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// The compiled filter.
pub(crate) fn filter() -> PathBuf {
    present(repository().join("dist/envoy-bedrock.wasm"), "make filter")
}

/// Envoy: `ENVOY`, or the binary in the virtual environment.
pub(crate) fn envoy() -> PathBuf {
    let named = std::env::var_os("ENVOY").map(PathBuf::from);
    present(
        named.unwrap_or_else(|| repository().join(".venv/bin/envoy")),
        "make .venv/.requirements-installed",
    )
}

fn present(path: PathBuf, remedy: &str) -> PathBuf {
    assert!(
        path.is_file(),
        "{} does not exist: run `{remedy}`",
        path.display()
    );
    path
}
