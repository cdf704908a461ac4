//! What a rendered configuration depends on besides the blueprint: the environment of one Envoy.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use super::broker::BrokerAddress;
use super::error::HostPortError;
use super::heap::HeapLimit;
use super::runtime::FilterRuntime;
use crate::blueprint::Blueprint;
use crate::otlp::Collector;

/// What a configuration is rendered from.
#[derive(Clone, Debug)]
pub(crate) struct Rendering {
    pub(crate) blueprint: Blueprint,
    pub(crate) options: RenderOptions,
}

/// The environment of one Envoy. Paths are rendered unchanged, so Envoy resolves relative ones in
/// its working directory.
#[derive(Clone, Debug)]
pub struct RenderOptions {
    /// What runs the filter.
    pub runtime: FilterRuntime,
    /// The compiled filter.
    pub filter: String,
    /// The listeners for clients.
    pub listeners: Listeners,
    /// Port of the admin interface on 127.0.0.1; 0 picks a free one.
    pub admin_port: u16,
    /// Port of the listener for Prometheus. It needs an admin port other than 0.
    pub metrics_port: Option<u16>,
    /// CA certificates to verify the certificates of AWS or the emulator with, in PEM.
    pub upstream_ca: String,
    /// Where the spend log is written.
    pub access_log: AccessLog,
    /// Where the spend log is also sent.
    pub collector: Option<Collector>,
    /// Addresses to connect to instead of a cluster's own. Host names, certificates and signatures
    /// do not change.
    pub emulators: BTreeMap<String, HostPort>,
    /// Where the filter finds secrets.
    pub secrets: SecretSource,
    /// Where the credential broker listens.
    pub broker: BrokerAddress,
    /// The limit of Envoy's heap.
    pub max_heap: HeapLimit,
}

/// Where the filter finds secrets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecretSource {
    /// In variables of the Envoy process.
    #[default]
    Environment,
    /// In the settings, sealed with a key in a variable of the Envoy process.
    Sealed,
}

/// The listeners for clients.
#[derive(Clone, Debug)]
pub struct Listeners {
    /// Address of all listeners.
    pub bind: IpAddr,
    /// Port of the plain listener.
    pub port: u16,
    /// The TLS listener, if any.
    pub tls: Option<Tls>,
}

/// A TLS listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Its port.
    pub port: u16,
    /// Certificate and intermediates, in PEM.
    pub certificate: String,
    /// The private key, in PEM.
    pub key: String,
}

/// Where the spend log is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLog {
    /// Envoy's standard output.
    Stdout,
    /// A file, to which Envoy appends.
    File(String),
}

impl Default for RenderOptions {
    /// The defaults of `render`: the layout of the repository and Debian's CA certificates.
    fn default() -> Self {
        Self {
            runtime: FilterRuntime::default(),
            filter: FilterRuntime::default().default_path().to_owned(),
            listeners: Listeners {
                bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                port: 4000,
                tls: None,
            },
            admin_port: 9901,
            metrics_port: None,
            upstream_ca: "/etc/ssl/certs/ca-certificates.crt".to_owned(),
            access_log: AccessLog::Stdout,
            collector: None,
            emulators: BTreeMap::new(),
            secrets: SecretSource::default(),
            broker: BrokerAddress::default(),
            max_heap: HeapLimit::DEFAULT,
        }
    }
}

/// A host name or IP address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// The host, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl FromStr for HostPort {
    type Err = HostPortError;

    fn from_str(text: &str) -> Result<Self, HostPortError> {
        let wrong = || HostPortError(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let port = port.parse().ok().filter(|&port| port != 0).ok_or_else(wrong)?;
        if bare.is_empty() || (bare == host && host.contains(':')) {
            return Err(wrong());
        }
        Ok(Self {
            host: bare.to_owned(),
            port,
        })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(out, "[{}]:{}", self.host, self.port)
        } else {
            write!(out, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_port_is_parsed_and_written_with_its_brackets() {
        for text in ["emulator:9101", "127.0.0.1:1", "[::1]:65535"] {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
        for text in ["emulator", "emulator:", ":1", "a:0", "a:65536", "::1:80"] {
            assert_eq!(text.parse::<HostPort>(), Err(HostPortError(text.to_owned())));
        }
    }
}
