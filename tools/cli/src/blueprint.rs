//! What a configuration file means, complete and checked: made by `litellm`, drawn by `render`, started by `run`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use envoy_bedrock::contract::settings::{EnvName, Settings};

use crate::environment::{Environment, SecretValue};
use crate::litellm::note::Note;

/// A gateway as configured.
#[derive(Clone, Debug)]
pub struct Blueprint {
    /// What the filter runs on.
    pub settings: Settings,
    /// The clusters that `settings` names, each once, in the order of their first use.
    pub endpoints: Vec<Endpoint>,
    /// Bound of a whole request that answers with one body, and of silence on a stream (`request_timeout`).
    pub request_timeout: Duration,
    /// Literal secrets of the file, moved to variables of the Envoy process so that none is ever rendered.
    pub secrets: BTreeMap<EnvName, SecretValue>,
    /// Variables of secrets that are not set, where the reader was told to tolerate it. An emulator's caller sets them.
    pub missing: BTreeSet<EnvName>,
    /// OpenTelemetry's variables that are set, for [`crate::otlp::read`]. Their values may be secret.
    pub telemetry: Environment,
    /// What was ignored, skipped or replaced, in the order of the file.
    pub notes: Vec<Note>,
}

/// An upstream that Envoy connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Name of its Envoy cluster: the region for AWS's own hosts, else one made from host and port.
    pub cluster: String,
    /// Name that is resolved and connected to.
    pub host: String,
    /// Port that is connected to.
    pub port: u16,
    /// TLS server name (checked against the certificate), or `None` for plain HTTP.
    pub server_name: Option<String>,
}
