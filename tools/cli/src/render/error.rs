//! Why a configuration cannot be rendered.

use std::io;
use std::path::PathBuf;

use envoy_bedrock::sealing::SEALING_KEY;
use thiserror::Error;

use crate::otlp::CollectorError;
use crate::prices::PriceListError;

/// Why a configuration cannot be rendered.
#[derive(Debug, Error)]
pub(crate) enum RenderError {
    #[error(
        "--metrics-port needs a fixed --admin-port, because the metrics come from there, but found --admin-port 0"
    )]
    NoAdminPort,
    #[error(transparent)]
    Prices(#[from] PriceListError),
    /// The configuration has errors: their messages.
    #[error("{}", .0.join("\n"))]
    Configuration(Vec<String>),
    #[error(transparent)]
    Collector(#[from] CollectorError),
    #[error("--emulator: expected one of {}, but found '{found}'", known.join(", "))]
    UnknownCluster { found: String, known: Vec<String> },
    #[error("cannot write {}: {error}", path.display())]
    Unwritable { path: PathBuf, error: io::Error },
    #[error("the path {} is not valid UTF-8", .0.display())]
    NotUtf8(PathBuf),
    #[error(
        "the variable {SEALING_KEY} is not a key: expected 64 hexadecimal digits (`openssl rand -hex 32`)"
    )]
    BadSealingKey,
    /// A running Envoy could not use the files.
    #[error(
        "{}: the Envoy with the admin interface 127.0.0.1:{admin_port} uses this file, and its filter reads {before} \
         from its environment, but the new file needs {after}: set the same {SEALING_KEY} as for Envoy or, without \
         one, use a configuration with the same variables; otherwise stop that Envoy, and start it after this command",
        path.display()
    )]
    OtherVariables {
        path: PathBuf,
        admin_port: u16,
        before: String,
        after: String,
    },
    /// A running Envoy could not open the secrets.
    #[error(
        "{}: the Envoy with the admin interface 127.0.0.1:{admin_port} uses this file, whose secrets are sealed with \
         another key: set the same {SEALING_KEY} as for Envoy, or stop that Envoy, and start it after this command",
        path.display()
    )]
    OtherSealingKey { path: PathBuf, admin_port: u16 },
    #[error("cannot ask Envoy: {0}")]
    Runtime(io::Error),
    #[error("cannot write to standard output: {0}")]
    StandardOutput(io::Error),
}

impl RenderError {
    /// The messages, one for each error of the configuration.
    pub(crate) fn messages(&self) -> Vec<String> {
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

/// Text that is not an address of the credential broker.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "expected the path of a socket or a port of the loopback address, such as 127.0.0.1:9100, but found '{0}'"
)]
pub struct BrokerAddressError(pub(super) String);

/// Text that is not an argument of `--emulator`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum EmulatorArgumentError {
    #[error("expected REGION=HOST:PORT, but found '{0}'")]
    NoRegion(String),
    #[error(transparent)]
    Address(#[from] HostPortError),
}
