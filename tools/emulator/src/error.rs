//! Why an emulator cannot start.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::pem;

/// Why an emulator cannot start.
#[derive(Debug)]
pub enum EmulatorError {
    /// A port is in use, or the user may not bind it.
    Bind {
        /// What the port is for.
        purpose: String,
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// There is no region, one has no name, or two have the same name.
    Regions(Vec<String>),
    /// The certificate or its key cannot be used.
    Tls(TlsError),
    /// The journal cannot be opened.
    Journal {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl fmt::Display for EmulatorError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind {
                purpose,
                address,
                source,
            } => write!(out, "cannot bind the port for {purpose} to {address}: {source}"),
            Self::Regions(names) => write!(
                out,
                "expected at least one region and a different name for each, but found {names:?}"
            ),
            Self::Tls(error) => error.fmt(out),
            Self::Journal { path, source } => {
                write!(out, "cannot open the journal {}: {source}", path.display())
            }
        }
    }
}

impl std::error::Error for EmulatorError {}

impl From<TlsError> for EmulatorError {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
    }
}

/// Why the TLS ports cannot be served.
#[derive(Debug)]
pub enum TlsError {
    /// No certificate can be generated, for example because a host name is invalid.
    Generate(rcgen::Error),
    /// The certificate is not valid PEM.
    Certificate(pem::Error),
    /// The private key is not valid PEM.
    Key(pem::Error),
    /// The certificate and the key cannot be used together.
    Pair(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Generate(error) => write!(out, "cannot generate a certificate: {error}"),
            Self::Certificate(error) => write!(out, "the TLS certificate is not valid PEM: {error}"),
            Self::Key(error) => write!(out, "the TLS key is not valid PEM: {error}"),
            Self::Pair(error) => {
                write!(
                    out,
                    "the TLS certificate and its key cannot be used as a pair: {error}"
                )
            }
        }
    }
}

impl std::error::Error for TlsError {}
