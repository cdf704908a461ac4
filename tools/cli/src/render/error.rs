//! Why a configuration cannot be rendered.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::otlp::CollectorError;
use crate::prices::PriceListError;

/// Why a configuration cannot be rendered.
#[derive(Debug, Error)]
pub(super) enum RenderError {
    /// The metrics listener has no admin port to connect to.
    #[error(
        "--metrics-port needs a fixed --admin-port, because the metrics come from there, but found --admin-port 0"
    )]
    NoAdminPort,
    /// The price list cannot be used.
    #[error(transparent)]
    Prices(#[from] PriceListError),
    /// The configuration has errors: their messages.
    #[error("{}", .0.join("\n"))]
    Configuration(Vec<String>),
    /// The collector's settings cannot be used.
    #[error(transparent)]
    Collector(#[from] CollectorError),
    /// `--emulator` names a cluster that does not exist.
    #[error("--emulator: expected one of {}, but found '{found}'", known.join(", "))]
    UnknownCluster {
        /// The cluster that does not exist.
        found: String,
        /// The clusters that exist.
        known: Vec<String>,
    },
    /// The output file cannot be written.
    #[error("cannot write {}: {error}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Standard output cannot be written.
    #[error("cannot write to standard output: {0}")]
    StandardOutput(io::Error),
}

impl RenderError {
    /// The messages, one for each error of the configuration.
    pub(super) fn messages(&self) -> Vec<String> {
        match self {
            Self::Configuration(errors) => errors.clone(),
            _ => vec![self.to_string()],
        }
    }
}

/// Text that is not an address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("expected HOST:PORT, but found '{0}'")]
pub struct HostPortError(pub(super) String);

/// Text that is not an argument of `--emulator`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum EmulatorArgumentError {
    /// There is no region.
    #[error("expected REGION=HOST:PORT, but found '{0}'")]
    NoRegion(String),
    /// The address is invalid.
    #[error(transparent)]
    Address(#[from] HostPortError),
}
