//! The meaning of a valid configuration: `litellm` reads it, `render` renders it, `run` starts it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use envoy_bedrock::contract::settings::{EnvName, Settings};
use envoy_bedrock::secret::Secret;

use crate::credentials::BrokeredCredential;
use crate::environment::Environment;
use crate::litellm::note::Note;

/// A configured gateway.
#[derive(Clone, Debug)]
pub struct Blueprint {
    /// The filter's settings.
    pub settings: Settings,
    /// The region clusters that `settings` names, each once, in the order of their first use.
    pub endpoints: Vec<Endpoint>,
    /// Time limit of a request whose response is not streamed, and of silence on a stream
    /// (`request_timeout`).
    pub request_timeout: Duration,
    /// Literal secrets of the file, passed in variables of the Envoy process so that they are never
    /// rendered.
    pub secrets: BTreeMap<EnvName, Secret>,
    /// Variables of secrets that are not set, if the policy permits that. For the emulator, the
    /// caller sets them.
    pub missing: BTreeSet<EnvName>,
    /// The credentials that the broker must have.
    pub brokered: Vec<BrokeredCredential>,
    /// OpenTelemetry's variables that are set, for [`crate::otlp`]. Their values may be secret.
    pub telemetry: Environment,
    /// What was ignored, skipped or replaced, in the order of the file.
    pub notes: Vec<Note>,
}

/// An upstream that Envoy connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Name of its Envoy cluster: the region for AWS's own hosts, otherwise a name made from host
    /// and port.
    pub cluster: String,
    /// Host to resolve and connect to.
    pub host: String,
    /// Port to connect to.
    pub port: u16,
    /// TLS server name, for which the certificate is verified; `None` for plain HTTP.
    pub server_name: Option<String>,
}
