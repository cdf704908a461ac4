//! The configuration of an emulator.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::identity::Identity;
use serde::Serialize;

/// The access key id that is known by default.
pub const DEMO_ACCESS_KEY_ID: &str = "AKIAEMULATORDEMO0001";
/// The secret of [`DEMO_ACCESS_KEY_ID`]. Like real ones, it has a `/` and a `+`.
pub const DEMO_SECRET_ACCESS_KEY: &str = "emulator/demo+secret/worthless/elsewhere";
/// The Bedrock API key that is known by default.
pub const DEMO_API_KEY: &str = "ABSKemulatorDemoKey";

/// The environment variable that names the journal if the configuration does not.
pub const JOURNAL_VARIABLE: &str = "BEDROCK_EMULATOR_JOURNAL";

/// Entries that the log keeps by default: a few hundred MB at most.
pub const LOG_LIMIT_DEFAULT: usize = 100_000;

/// The configuration of an emulator.
#[derive(Clone, Debug)]
pub struct EmulatorConfig {
    /// The address that every port is bound to.
    pub bind: IpAddr,
    /// Port of the control API; 0 for any free port.
    pub control_port: u16,
    /// Port of the identity service; 0 for any free port, `None` for no such service.
    pub identity_port: Option<u16>,
    /// The regions, each with its own name.
    pub regions: Vec<RegionConfig>,
    /// The credentials that requests may be signed with.
    pub credentials: Vec<KnownCredential>,
    /// The Bedrock API keys that are accepted as bearer tokens.
    pub api_keys: Vec<String>,
    /// Model ids and ARNs that exist besides the built-in ones.
    pub models: Vec<String>,
    /// The certificate of the TLS ports.
    pub tls: TlsConfig,
    /// What happens to requests that a gateway must never send.
    pub strictness: Strictness,
    /// Prefix of every path, without a trailing slash; usually empty. Requests without it name no
    /// operation.
    pub base_path: String,
    /// Entries that the log keeps; the oldest are removed first. 0 turns it off.
    pub log_limit: usize,
    /// File to which each entry is appended as a JSON line. If `None`, the environment variable
    /// [`JOURNAL_VARIABLE`] may name one, so that a whole test suite shares it.
    pub journal: Option<PathBuf>,
}

impl Default for EmulatorConfig {
    /// Loopback, free ports, no region, the demo credential and API key, a generated certificate.
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            control_port: 0,
            identity_port: None,
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

/// A region and its ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionConfig {
    /// The region that a signature must name, such as `us-west-2`.
    pub name: String,
    /// Plain HTTP port; 0 for any free port.
    pub plain_port: Option<u16>,
    /// TLS port; 0 for any free port.
    pub tls_port: Option<u16>,
}

/// Where a region listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RegionAddresses {
    /// Plain HTTP.
    pub http: Option<SocketAddr>,
    /// TLS.
    pub https: Option<SocketAddr>,
}

/// A credential that requests may be signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct KnownCredential {
    /// `AKIA…`, or `ASIA…` for temporary credentials. If two are equal, the first one counts.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
    /// Of temporary credentials. Every request must carry it, and sign it.
    pub session_token: Option<String>,
}

impl KnownCredential {
    /// The form in which `aws-sigv4` takes it.
    pub(crate) fn identity(&self) -> Identity {
        Credentials::new(
            &self.access_key_id,
            &self.secret_access_key,
            self.session_token.clone(),
            None,
            "emulator",
        )
        .into()
    }
}

impl fmt::Debug for KnownCredential {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "KnownCredential({}, [redacted])", self.access_key_id)
    }
}

/// The certificate of the TLS ports.
#[derive(Clone)]
pub enum TlsConfig {
    /// Generate a CA and a certificate for `localhost`, 127.0.0.1, ::1 and the Bedrock host name of
    /// each region.
    Generated {
        /// More names and addresses.
        host_names: Vec<String>,
    },
    /// A certificate in PEM.
    Pem {
        /// The certificate, followed by its intermediates.
        certificate: String,
        /// The private key of the certificate.
        key: String,
    },
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Generated { host_names } => write!(out, "Generated({host_names:?})"),
            Self::Pem { .. } => out.write_str("Pem([redacted])"),
        }
    }
}

/// What happens to a request that a gateway must never send. Its violations are always logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// The request is refused with 400.
    Refuse,
    /// The request is served: for SDKs that call the emulator directly.
    Record,
}
