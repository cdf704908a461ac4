//! The OpenTelemetry collector that the spend log goes to as well, configured by OpenTelemetry's own variables.
//!
//! Specification: "OpenTelemetry Protocol Exporter" and "Environment Variable Specification". A variable for logs alone
//! wins over the one for all signals, and that over LiteLLM's name for the same. Nothing is read where no endpoint is
//! given. Not there: compression, client certificates, JSON.

mod pairs;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use envoy_bedrock::contract::settings::EnvName;
use http::{HeaderName, HeaderValue};

use crate::address::Address;
use crate::environment::{Environment, SecretValue};

/// Every variable that is read here.
pub const VARIABLES: [&str; 20] = [
    "OTEL_SDK_DISABLED",
    "OTEL_LOGS_EXPORTER",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER",
    "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_HEADERS",
    "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_SERVICE_NAME",
];

/// Where OTLP over HTTP takes logs, below a base URL.
const LOGS_PATH: &str = "/v1/logs";
/// The paths of the signals. LiteLLM's documentation has base URLs that end in one, and LiteLLM replaces it.
const SIGNAL_PATHS: [&str; 3] = ["/v1/traces", "/v1/metrics", LOGS_PATH];
const SERVICE_NAME: &str = "envoy-bedrock";
/// The specification's default.
const TIMEOUT: Duration = Duration::from_secs(10);
/// More would only let batches pile up in front of a collector that does not answer.
const TIMEOUT_MAX_MILLISECONDS: u64 = 60_000;
/// What Envoy writes itself.
const OWN_HEADERS: [&str; 6] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "te",
    "transfer-encoding",
];

/// A collector by OTLP, on the command line.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct CollectorArguments {
    /// Send the spend log to an OpenTelemetry collector, too, with this base URL; OTEL_EXPORTER_OTLP_ENDPOINT, with all
    /// that goes with it, if not given.
    #[arg(long, value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// How the collector is spoken to: http/protobuf or grpc; OTEL_EXPORTER_OTLP_PROTOCOL if not given.
    #[arg(long, value_name = "PROTOCOL")]
    pub otlp_protocol: Option<String>,
}

/// A collector.
#[derive(Clone, Debug)]
pub struct Collector {
    pub(crate) address: Address,
    pub(crate) protocol: Protocol,
    /// Headers of every request to it, none of them twice.
    pub(crate) headers: Vec<CollectorHeader>,
    /// What all records share, as OpenTelemetry names it.
    pub(crate) resource: BTreeMap<String, String>,
    /// Time for one batch.
    pub(crate) timeout: Duration,
    /// CA certificates for its own, in PEM; only where it speaks TLS.
    pub(crate) ca: Option<String>,
}

/// How a collector is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP with binary messages, to this path.
    Http(String),
}

/// A header whose value, likely a secret, is in a variable of the Envoy process and never in a rendered file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CollectorHeader {
    /// In lower case.
    pub(crate) name: String,
    pub(crate) variable: EnvName,
    pub(crate) value: SecretValue,
}

impl fmt::Display for Collector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.protocol {
            Protocol::Grpc => write!(out, "{} (grpc)", self.url()),
            Protocol::Http(_) => write!(out, "{} (http/protobuf)", self.url()),
        }
    }
}

impl Collector {
    /// Where records go.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.address.tls { "https" } else { "http" };
        let path = match &self.protocol {
            Protocol::Grpc => "",
            Protocol::Http(path) => path,
        };
        format!("{scheme}://{}{path}", self.address.authority())
    }
}

/// The collector that `arguments` or `variables` name, if any. `system_ca` is asked only where it is needed.
///
/// # Errors
///
/// The variable or option, what was expected and what was found; never a value that may be secret.
pub fn read(
    arguments: &CollectorArguments,
    variables: &Environment,
    system_ca: impl FnOnce() -> Result<String, String>,
) -> Result<Option<Collector>, String> {
    let Some((source, url, is_whole)) = endpoint(arguments, variables) else {
        return Ok(None);
    };
    let address = Address::parse(url).map_err(|found| {
        format!("{source}: expected a URL like http://localhost:4318 or https://HOST:PORT, but found {found}")
    })?;
    refuse_client_certificates(variables)?;
    let ca = match first(
        variables,
        [
            "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_CERTIFICATE",
        ],
    ) {
        _ if !address.tls => None,
        Some((_, path)) => Some(path.to_owned()),
        None => Some(system_ca()?),
    };
    let protocol = if is_grpc(arguments, variables)? {
        Protocol::Grpc
    } else {
        Protocol::Http(path(&address.base_path, is_whole))
    };
    Ok(Some(Collector {
        address,
        protocol,
        headers: headers(variables)?,
        resource: resource(variables)?,
        timeout: timeout(variables)?,
        ca,
    }))
}

/// The endpoint, where it is from, and whether its path is the whole one.
fn endpoint<'a>(
    arguments: &'a CollectorArguments,
    variables: &'a Environment,
) -> Option<(&'static str, &'a str, bool)> {
    if let Some(url) = &arguments.otlp_endpoint {
        return Some(("--otlp-endpoint", url, false));
    }
    let is_disabled = variables
        .value("OTEL_SDK_DISABLED")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let goes_elsewhere = variables
        .value("OTEL_LOGS_EXPORTER")
        .is_some_and(|exporters| !exporters.split(',').any(|exporter| exporter.trim() == "otlp"));
    if is_disabled || goes_elsewhere {
        return None;
    }
    let own = first(variables, ["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"]).map(|(name, url)| (name, url, true));
    let shared = || first(variables, ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_ENDPOINT"]);
    own.or_else(|| shared().map(|(name, url)| (name, url, false)))
}

/// The first of `names` that is set.
fn first<'a, const N: usize>(
    variables: &'a Environment,
    names: [&'static str; N],
) -> Option<(&'static str, &'a str)> {
    names
        .into_iter()
        .find_map(|name| Some((name, variables.value(name)?)))
}

fn path(given: &str, is_whole: bool) -> String {
    if is_whole {
        return if given.is_empty() { "/" } else { given }.to_owned();
    }
    let base = SIGNAL_PATHS
        .iter()
        .find_map(|signal| given.strip_suffix(signal))
        .unwrap_or(given);
    format!("{base}{LOGS_PATH}")
}

fn is_grpc(arguments: &CollectorArguments, variables: &Environment) -> Result<bool, String> {
    let option = arguments.otlp_protocol.as_deref();
    let names = [
        "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "OTEL_EXPORTER",
    ];
    let given = option
        .map(|value| ("--otlp-protocol", value))
        .or_else(|| first(variables, names));
    match given {
        Some((_, "grpc" | "otlp_grpc")) => Ok(true),
        // As LiteLLM: it sends binary messages where it is told JSON, which every collector takes at the same place, and
        // its default of `console` gives way to an endpoint.
        None | Some((_, "http/protobuf" | "http/json" | "otlp_http") | ("OTEL_EXPORTER", "console")) => {
            Ok(false)
        }
        Some((source, other)) => Err(format!(
            "{source}: expected grpc or http/protobuf, but found '{other}'"
        )),
    }
}

fn headers(variables: &Environment) -> Result<Vec<CollectorHeader>, String> {
    let names = [
        "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_HEADERS",
    ];
    let Some((source, text)) = first(variables, names) else {
        return Ok(Vec::new());
    };
    let wrong = |expected: &str, found: &str| format!("{source}: expected {expected}, but found {found}");
    let mut headers: Vec<CollectorHeader> = Vec::new();
    for (key, value) in pairs::read(source, text)? {
        let name = HeaderName::from_bytes(key.as_bytes())
            .map_err(|_| wrong("names of HTTP headers", "another character in one"))?
            .as_str()
            .to_owned();
        if OWN_HEADERS.contains(&name.as_str()) {
            return Err(wrong("no header that Envoy writes itself", &name));
        }
        if HeaderValue::from_str(&value).is_err() {
            let expected = format!("a value of printable ASCII characters for {name}");
            return Err(wrong(&expected, "another one"));
        }
        let variable = variable(&name);
        if headers.iter().any(|known| known.variable == variable) {
            return Err(wrong("each header once", &format!("{name} again")));
        }
        headers.push(CollectorHeader {
            name,
            variable,
            value: SecretValue(value),
        });
    }
    Ok(headers)
}

/// `x-api-key` → `ENVOY_BEDROCK_OTLP_HEADER_X_API_KEY`.
fn variable(header: &str) -> EnvName {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    let name: String = header.chars().map(safe).collect();
    EnvName(format!("ENVOY_BEDROCK_OTLP_HEADER_{name}"))
}

fn resource(variables: &Environment) -> Result<BTreeMap<String, String>, String> {
    const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
    let given = match variables.value(ATTRIBUTES) {
        Some(text) => pairs::read(ATTRIBUTES, text)?,
        None => Vec::new(),
    };
    let mut attributes = BTreeMap::from([("service.name".to_owned(), SERVICE_NAME.to_owned())]);
    attributes.extend(given);
    if let Some(name) = variables.value("OTEL_SERVICE_NAME") {
        attributes.insert("service.name".to_owned(), name.to_owned());
    }
    Ok(attributes)
}

fn timeout(variables: &Environment) -> Result<Duration, String> {
    let names = ["OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];
    let Some((source, text)) = first(variables, names) else {
        return Ok(TIMEOUT);
    };
    let milliseconds = text
        .parse()
        .ok()
        .filter(|count| (1..=TIMEOUT_MAX_MILLISECONDS).contains(count));
    milliseconds.map(Duration::from_millis).ok_or_else(|| {
        format!("{source}: expected milliseconds from 1 to {TIMEOUT_MAX_MILLISECONDS}, but found '{text}'")
    })
}

fn refuse_client_certificates(variables: &Environment) -> Result<(), String> {
    let names = [
        "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY",
    ];
    match first(variables, names) {
        Some((source, _)) => Err(format!(
            "{source}: expected no client certificate, which is not supported yet, but found one"
        )),
        None => Ok(()),
    }
}
