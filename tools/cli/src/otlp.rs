//! The OpenTelemetry collector to which the spend log is also sent, configured by OpenTelemetry's
//! own variables.
//!
//! Specification: "OpenTelemetry Protocol Exporter" and "Environment Variable Specification". A
//! variable for logs takes precedence over the one for all signals, and that over LiteLLM's name
//! for the same setting. Without an endpoint, no other variable is read. Compression, client
//! certificates and JSON are not supported.

mod error;
mod pairs;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use envoy_bedrock::contract::settings::EnvName;
use envoy_bedrock::secret::Secret;
use http::{HeaderName, HeaderValue};

use crate::address::Address;
pub(crate) use error::CollectorError;
use error::CollectorProblem;

use crate::environment::Environment;

/// Every variable that this module reads.
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

/// Path of logs in OTLP over HTTP, below a base URL.
const LOGS_PATH: &str = "/v1/logs";
/// Paths of all signals. LiteLLM's documentation has base URLs that end in one of them, and LiteLLM
/// replaces it.
const SIGNAL_PATHS: [&str; 3] = ["/v1/traces", "/v1/metrics", LOGS_PATH];
const SERVICE_NAME: &str = "envoy-bedrock";
/// Default of the specification.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A longer timeout would only let batches pile up for a collector that does not respond.
const TIMEOUT_MAX_MILLISECONDS: u64 = 60_000;
/// Headers that Envoy sets itself.
const OWN_HEADERS: [&str; 6] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "te",
    "transfer-encoding",
];

/// A collector on the command line.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct CollectorArguments {
    /// Also send the spend log to the OpenTelemetry collector at this base URL. Without it,
    /// OTEL_EXPORTER_OTLP_ENDPOINT and related variables apply.
    #[arg(long, value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// Protocol of the collector: http/protobuf or grpc. Without it, OTEL_EXPORTER_OTLP_PROTOCOL
    /// applies.
    #[arg(long, value_name = "PROTOCOL")]
    pub otlp_protocol: Option<String>,
}

/// A collector of the spend log.
#[derive(Clone, Debug)]
pub struct Collector {
    pub(crate) address: Address,
    pub(crate) protocol: Protocol,
    /// Headers of every request, each once.
    pub(crate) headers: Vec<CollectorHeader>,
    /// Resource attributes, which all records share.
    pub(crate) resource: BTreeMap<String, String>,
    /// Time limit for one batch.
    pub(crate) timeout: Duration,
    /// File of CA certificates for the collector, in PEM; `None` without TLS.
    pub(crate) ca: Option<String>,
}

/// How records are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP with binary messages, to this path.
    Http(String),
}

/// A header whose value, which may be a secret, is passed in a variable of the Envoy process and
/// never rendered.
#[derive(Clone, Debug)]
pub(crate) struct CollectorHeader {
    /// Lower-case name.
    pub(crate) name: String,
    pub(crate) variable: EnvName,
    pub(crate) value: Secret,
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
    /// The URL that records are sent to.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.address.tls { "https" } else { "http" };
        let path = match &self.protocol {
            Protocol::Grpc => "",
            Protocol::Http(path) => path,
        };
        format!("{scheme}://{}{path}", self.address.authority())
    }
}

/// The collector that `arguments` or `variables` name, if any. `system_ca` is called only if it is
/// needed.
///
/// # Errors
///
/// The first variable or option that cannot be used, or the error of `system_ca`.
pub(crate) fn read<E: From<CollectorError>>(
    arguments: &CollectorArguments,
    variables: &Environment,
    system_ca: impl FnOnce() -> Result<String, E>,
) -> Result<Option<Collector>, E> {
    let Some((setting, url, is_complete)) = endpoint(arguments, variables) else {
        return Ok(None);
    };
    let address = Address::parse(url).map_err(|error| CollectorProblem::Url(error).of(setting))?;
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
        Protocol::Http(path(&address.base_path, is_complete))
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

/// The setting of the endpoint, its URL, and whether the URL is complete or a base.
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

fn path(given: &str, is_complete: bool) -> String {
    if is_complete {
        return if given.is_empty() { "/" } else { given }.to_owned();
    }
    let base = SIGNAL_PATHS
        .iter()
        .find_map(|signal| given.strip_suffix(signal))
        .unwrap_or(given);
    format!("{base}{LOGS_PATH}")
}

fn is_grpc(arguments: &CollectorArguments, variables: &Environment) -> Result<bool, CollectorError> {
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
        // As in LiteLLM: for JSON it sends binary messages, which every collector accepts at the
        // same path, and an endpoint overrides its default of `console`.
        None | Some((_, "http/protobuf" | "http/json" | "otlp_http") | ("OTEL_EXPORTER", "console")) => {
            Ok(false)
        }
        Some((setting, other)) => Err(CollectorProblem::Protocol(other.to_owned()).of(setting)),
    }
}

fn headers(variables: &Environment) -> Result<Vec<CollectorHeader>, CollectorError> {
    let names = [
        "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_HEADERS",
    ];
    let Some((setting, text)) = first(variables, names) else {
        return Ok(Vec::new());
    };
    let mut headers: Vec<CollectorHeader> = Vec::new();
    for (key, value) in pairs::read(text).map_err(|problem| problem.of(setting))? {
        let name = HeaderName::from_bytes(key.as_bytes())
            .map_err(|_| CollectorProblem::HeaderName.of(setting))?
            .as_str()
            .to_owned();
        if OWN_HEADERS.contains(&name.as_str()) {
            return Err(CollectorProblem::OwnHeader(name).of(setting));
        }
        if HeaderValue::from_str(&value).is_err() {
            return Err(CollectorProblem::HeaderValue(name).of(setting));
        }
        let variable = variable(&name);
        if headers.iter().any(|known| known.variable == variable) {
            return Err(CollectorProblem::DuplicateHeader(name).of(setting));
        }
        headers.push(CollectorHeader {
            name,
            variable,
            value: Secret::new(value),
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

fn resource(variables: &Environment) -> Result<BTreeMap<String, String>, CollectorError> {
    const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
    let given = match variables.value(ATTRIBUTES) {
        Some(text) => pairs::read(text).map_err(|problem| problem.of(ATTRIBUTES))?,
        None => Vec::new(),
    };
    let mut attributes = BTreeMap::from([("service.name".to_owned(), SERVICE_NAME.to_owned())]);
    attributes.extend(given);
    if let Some(name) = variables.value("OTEL_SERVICE_NAME") {
        attributes.insert("service.name".to_owned(), name.to_owned());
    }
    Ok(attributes)
}

fn timeout(variables: &Environment) -> Result<Duration, CollectorError> {
    let names = ["OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];
    let Some((setting, text)) = first(variables, names) else {
        return Ok(TIMEOUT);
    };
    let milliseconds = text
        .parse()
        .ok()
        .filter(|count| (1..=TIMEOUT_MAX_MILLISECONDS).contains(count));
    milliseconds.map(Duration::from_millis).ok_or_else(|| {
        let (found, max) = (text.to_owned(), TIMEOUT_MAX_MILLISECONDS);
        CollectorProblem::Timeout { found, max }.of(setting)
    })
}

fn refuse_client_certificates(variables: &Environment) -> Result<(), CollectorError> {
    let names = [
        "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY",
    ];
    match first(variables, names) {
        Some((setting, _)) => Err(CollectorProblem::ClientCertificate.of(setting)),
        None => Ok(()),
    }
}
