//! What an emulator is started with, and why it could not be.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Serialize;

/// Access key id that is known when no credential is given.
pub const DEMO_ACCESS_KEY_ID: &str = "AKIAEMULATORDEMO0001";
/// Secret of [`DEMO_ACCESS_KEY_ID`]. It has a `/` and a `+`, as real ones do.
pub const DEMO_SECRET_ACCESS_KEY: &str = "emulator/demo+secret/worthless/elsewhere";
/// API key that is known when none is given.
pub const DEMO_API_KEY: &str = "ABSKemulatorDemoKey";

/// Environment variable that names the journal when the configuration does not.
pub const JOURNAL_VARIABLE: &str = "BEDROCK_EMULATOR_JOURNAL";

/// Entries that the log keeps by default: some hundred MB at most.
pub const LOG_LIMIT_DEFAULT: usize = 100_000;

/// An emulator to start.
#[derive(Clone, Debug)]
pub struct EmulatorConfig {
    /// Address that every port is bound to.
    pub bind: IpAddr,
    /// Port of the control API; 0 means any.
    pub control_port: u16,
    /// The regions. Names must differ.
    pub regions: Vec<RegionConfig>,
    /// Whose signatures can be right.
    pub credentials: Vec<KnownCredential>,
    /// Bearer tokens that are accepted: Bedrock API keys.
    pub api_keys: Vec<String>,
    /// Model ids or ARNs that exist besides the built-in ones ([`crate::models`]).
    pub models: Vec<String>,
    /// Certificate of the TLS ports.
    pub tls: TlsConfig,
    /// What happens to a request that no real gateway may send.
    pub strictness: Strictness,
    /// Prefix of every path, without a slash at its end; mostly empty. Requests without it are unknown operations.
    pub base_path: String,
    /// Entries that the log keeps, the oldest go first; 0 turns it off.
    pub log_limit: usize,
    /// File to which each finished entry is appended as a JSON line; `None` means the one that the environment
    /// variable [`JOURNAL_VARIABLE`] names, if any, so that a whole test suite can share one.
    pub journal: Option<PathBuf>,
}

impl Default for EmulatorConfig {
    /// Loopback, any ports, no region, the demo credential and API key, a generated certificate.
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            control_port: 0,
            regions: Vec::new(),
            credentials: vec![KnownCredential {
                access_key_id: DEMO_ACCESS_KEY_ID.to_owned(),
                secret_access_key: DEMO_SECRET_ACCESS_KEY.to_owned(),
                session_token: None,
            }],
            api_keys: vec![DEMO_API_KEY.to_owned()],
            models: Vec::new(),
            tls: TlsConfig::Generated {
                host_names: Vec::new(),
            },
            strictness: Strictness::Refuse,
            base_path: String::new(),
            log_limit: LOG_LIMIT_DEFAULT,
            journal: None,
        }
    }
}

/// One region and its ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionConfig {
    /// `us-west-2`: what the scope of a signature must name.
    pub name: String,
    /// Plain HTTP port: `None` for none, 0 for any.
    pub plain_port: Option<u16>,
    /// TLS port: `None` for none, 0 for any.
    pub tls_port: Option<u16>,
}

/// Where a region listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RegionAddresses {
    /// Plain HTTP.
    pub http: Option<SocketAddr>,
    /// TLS.
    pub https: Option<SocketAddr>,
}

/// A key pair that requests may be signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct KnownCredential {
    /// `AKIA…`, or `ASIA…` for temporary ones. Unique.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
    /// Of temporary credentials: every request must carry and sign it.
    pub session_token: Option<String>,
}

impl std::fmt::Debug for KnownCredential {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Credential({}, [redacted])", self.access_key_id)
    }
}

/// Where the certificate comes from.
#[derive(Clone)]
pub enum TlsConfig {
    /// A CA and a certificate are made at start. `localhost`, 127.0.0.1, ::1 and Bedrock's own host name of each
    /// region are always in it.
    Generated {
        /// Further names and addresses.
        host_names: Vec<String>,
    },
    /// Given as PEM text.
    Pem {
        /// The certificate, followed by its intermediates.
        certificate: String,
        /// Its private key.
        key: String,
    },
}

impl std::fmt::Debug for TlsConfig {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Generated { host_names } => write!(out, "Generated({host_names:?})"),
            Self::Pem { .. } => out.write_str("Pem([redacted])"),
        }
    }
}

/// What happens to a request that no real gateway may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// It is refused with 400, and its violations are in the log.
    Refuse,
    /// It is served, and its violations are in the log: for SDKs that are pointed straight at the emulator.
    Record,
}

/// Why an emulator could not be started.
#[derive(Debug)]
pub enum EmulatorError {
    /// A port is taken or may not be bound.
    Bind {
        /// `control`, or the region and which of its ports.
        what: String,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Two regions have the same name, or there is none.
    Regions(String),
    /// The certificate or its key cannot be used.
    Tls(String),
    /// The journal cannot be opened.
    Journal {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl std::fmt::Display for EmulatorError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bind {
                what,
                address,
                source,
            } => {
                write!(
                    out,
                    "expected a free port for {what}, but found {address} unusable: {source}"
                )
            }
            Self::Regions(found) => write!(out, "expected regions with different names, but found {found}"),
            Self::Tls(found) => write!(
                out,
                "expected a certificate and its key in PEM, but found {found}"
            ),
            Self::Journal { path, source } => {
                write!(
                    out,
                    "expected a journal that can be written, but found {}: {source}",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for EmulatorError {}
