//! What a rendered configuration needs to know besides the blueprint: the surroundings of one Envoy.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use crate::otlp::Collector;

/// The surroundings of one Envoy. Paths are written as they are, so Envoy resolves them in its working directory.
#[derive(Clone, Debug)]
pub struct RenderOptions {
    /// The compiled filter.
    pub filter: String,
    /// Where clients connect.
    pub listeners: Listeners,
    /// Port of the admin interface, on 127.0.0.1 only; 0 means any.
    pub admin_port: u16,
    /// Port of the listener for Prometheus, if there is one; it needs an admin port that is not 0.
    pub metrics_port: Option<u16>,
    /// CA certificates that AWS's (or the emulator's) certificates are checked against, in PEM.
    pub upstream_ca: String,
    /// Where the access log goes.
    pub access_log: AccessLog,
    /// Where the access log goes as well.
    pub collector: Option<Collector>,
    /// Addresses to connect to in place of a cluster's own; names, certificates and signatures stay what they are.
    pub emulators: BTreeMap<String, HostPort>,
}

/// Where clients connect.
#[derive(Clone, Debug)]
pub struct Listeners {
    /// Address of all listeners.
    pub bind: IpAddr,
    /// Port of the plain listener.
    pub port: u16,
    /// The TLS listener, if there is one.
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

/// Where the access log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLog {
    /// Envoy's standard output.
    Stdout,
    /// A file that is appended to.
    File(String),
}

impl Default for RenderOptions {
    /// What `render` assumes: the layout of the repository, and Debian's CA certificates.
    fn default() -> Self {
        Self {
            filter: "dist/envoy-bedrock.wasm".to_owned(),
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
        }
    }
}

/// A host name or address and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected HOST:PORT, but found '{text}'");
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
    fn a_host_and_port_is_read_and_written_with_its_brackets() {
        for text in ["emulator:9101", "127.0.0.1:1", "[::1]:65535"] {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
        for text in ["emulator", "emulator:", ":1", "a:0", "a:65536", "::1:80"] {
            let expected = format!("expected HOST:PORT, but found '{text}'");
            assert_eq!(text.parse::<HostPort>(), Err(expected));
        }
    }
}
