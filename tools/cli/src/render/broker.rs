//! The cluster of the credential broker. No route leads to it: only the filter calls it.

use std::fmt::Write;
use std::net::SocketAddr;
use std::str::FromStr;

use envoy_bedrock::contract::names::CLUSTER_BROKER;
use serde_json::{Value, json};

use super::common::socket_address;
use super::duration::seconds;
use super::error::BrokerAddressError;
use super::upstream::circuit_breakers;
use crate::blueprint::Blueprint;
use crate::credentials::{CredentialSource, DEFAULT_SOCKET};

/// Where the credential broker listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokerAddress {
    /// A Unix socket.
    Socket(String),
    /// A port of the loopback address. The broker there requires a token.
    Loopback(SocketAddr),
}

impl Default for BrokerAddress {
    fn default() -> Self {
        Self::Socket(DEFAULT_SOCKET.to_owned())
    }
}

impl FromStr for BrokerAddress {
    type Err = BrokerAddressError;

    fn from_str(text: &str) -> Result<Self, BrokerAddressError> {
        if text.starts_with('/') {
            return Ok(Self::Socket(text.to_owned()));
        }
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() && address.port() != 0 => Ok(Self::Loopback(address)),
            _ => Err(BrokerAddressError(text.to_owned())),
        }
    }
}

pub(super) fn cluster(address: &BrokerAddress) -> Value {
    let address = match address {
        BrokerAddress::Socket(path) => json!({ "pipe": { "path": path } }),
        BrokerAddress::Loopback(address) => socket_address(&address.ip().to_string(), address.port()),
    };
    json!({
        "name": CLUSTER_BROKER,
        "type": "STATIC",
        "connect_timeout": seconds(1),
        "circuit_breakers": circuit_breakers(),
        "load_assignment": {
            "cluster_name": CLUSTER_BROKER,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address } }] }],
        },
    })
}

/// Which deployments need the broker, as lines for the top of the rendered file.
pub(super) fn comment(blueprint: &Blueprint) -> String {
    let mut lines = String::new();
    let needed = blueprint.settings.broker.is_some().then_some(&blueprint.brokered);
    for credential in needed.into_iter().flatten() {
        let deployments = credential.deployments.join(", ");
        let unless = match credential.source {
            CredentialSource::DefaultChain => ", unless AWS_ACCESS_KEY_ID is set for Envoy",
            _ => "",
        };
        let _ = write!(lines, "\n  {deployments}: {}{unless}", credential.source);
    }
    if lines.is_empty() {
        return lines;
    }
    format!("\nThese deployments need the credential broker, `envoy-bedrock credentials`:{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_path_or_a_port_of_the_loopback_address() {
        let parse = |text: &str| text.parse::<BrokerAddress>();
        assert_eq!(
            parse("/run/b.sock"),
            Ok(BrokerAddress::Socket("/run/b.sock".to_owned()))
        );
        for text in ["127.0.0.1:9100", "[::1]:9100"] {
            assert_eq!(parse(text), Ok(BrokerAddress::Loopback(text.parse().unwrap())));
        }
        for text in ["", "b.sock", "10.0.0.1:9100", "127.0.0.1:0", "localhost:9100"] {
            assert_eq!(parse(text), Err(BrokerAddressError(text.to_owned())), "{text}");
        }
    }
}
