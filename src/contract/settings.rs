//! The serialized plugin configuration. Reader and writer are both in this repository, so unknown
//! fields are errors.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use crate::contract::env_name::EnvName;
use crate::contract::keys::{KeySettings, TeamSettings, TokenSettings};
use crate::contract::routing::{DeploymentRouting, ModelRouting, RoutingSettings, is_default};
use crate::pricing::Rates;

/// Default limit for request bodies: 32 MiB. It exceeds Bedrock's limit of 25,000,000 bytes, so
/// that clients see Bedrock's own error.
pub const BODY_LIMIT_DEFAULT_BYTES: u64 = 32 * 1024 * 1024;

/// Default limit for the request bodies that Envoy holds at once, for all workers together: 512
/// MiB.
pub const BUFFERED_BODIES_DEFAULT_BYTES: u64 = 512 * 1024 * 1024;

/// The status of requests that exceed a budget, as in LiteLLM.
pub const BUDGET_EXCEEDED_STATUS: u16 = 422;

/// Maximum attempts per request.
pub const ATTEMPTS_MAX: u32 = 11;

/// Default number of rows in the history of a worker.
pub const HISTORY_DEFAULT_ROWS: u32 = 1000;

const fn history_default_rows() -> u32 {
    HISTORY_DEFAULT_ROWS
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde requires"
)]
const fn is_history_default(rows: &u32) -> bool {
    *rows == HISTORY_DEFAULT_ROWS
}

/// The plugin configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The key that clients must present.
    pub master_key: EnvName,
    /// Maximum attempts per request: LiteLLM's `num_retries` + 1, at least 1.
    pub attempts: u32,
    /// Largest request body, in bytes.
    pub body_limit_bytes: u64,
    /// Maximum bytes of request bodies that Envoy holds at once, for all workers together;
    /// [`BUFFERED_BODIES_DEFAULT_BYTES`] if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffered_bodies_bytes: Option<u64>,
    /// Maximum model requests at once, for all workers together; unlimited if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel_requests: Option<u64>,
    /// Number of rows that each worker keeps for `GET /spend/logs`; 0 disables it.
    #[serde(default = "history_default_rows", skip_serializing_if = "is_history_default")]
    pub history_rows: u32,
    /// The virtual keys.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        with = "crate::contract::long_list"
    )]
    pub keys: Vec<KeySettings>,
    /// The teams.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<TeamSettings>,
    /// The status of requests that exceed a budget; [`BUDGET_EXCEEDED_STATUS`] if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_exceeded_status: Option<u16>,
    /// How requests are routed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub routing: RoutingSettings,
    /// The model groups, in the order of the configuration.
    pub models: Vec<ModelSettings>,
    /// Further names of model groups (`model_group_alias`): alias → `ModelSettings::name`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, String>,
    /// Names, possibly with `*`, for which requests are refused even if a wildcard matches: the
    /// configuration has deployments for them that the gateway does not support.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub withheld: BTreeSet<String>,
    /// The price list for models that match a wildcard, for [`crate::pricing::lookup_rates`]. Empty
    /// if no deployment needs it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub catalogue: BTreeMap<String, Rates>,
    /// The credential broker, if a deployment needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker: Option<BrokerSettings>,
    /// Values of variables that Envoy's environment does not have, each sealed under its name with
    /// [`SealingKey`](crate::sealing::SealingKey), so that a secret can change while Envoy runs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sealed: BTreeMap<EnvName, String>,
    /// How these settings came to be active, if a program keeps them up to date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reload: Option<ReloadStatus>,
}

/// What happened to changes to the configuration, and of Envoy, since their program started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReloadStatus {
    /// When the active configuration was loaded, in seconds since 1970.
    pub loaded_at: u64,
    /// How many changes could be used, without the first configuration.
    pub succeeded: u64,
    /// How many changes could not be used.
    pub failed: u64,
    /// How often Envoy was restarted, or replaced by its standby. `None` if the program does not
    /// run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u64>,
    /// Why the newest change could not be used. `None` if it is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<ReloadFailure>,
}

/// Why a changed configuration is not active.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReloadFailure {
    /// The errors, one on each line, with file, line and field. Contains no secret.
    pub error: String,
    /// Since when the configuration has been unusable, in seconds since 1970.
    pub since: u64,
}

impl Settings {
    /// The most attempts that a request can make: those of a model and of all its fallbacks, up to
    /// [`ATTEMPTS_MAX`]. Envoy's route allows as many.
    pub fn attempts_at_most(&self) -> u32 {
        let attempts = |model: &ModelSettings| {
            let routing = &model.routing;
            let of_deployments = model
                .deployments
                .iter()
                .filter_map(|deployment| deployment.routing.retries);
            let retries = routing.retries.values().copied().chain(of_deployments).max();
            self.attempts.max(retries.unwrap_or(0).saturating_add(1))
        };
        let all = self.models.iter().map(attempts);
        let most = all.max().unwrap_or(self.attempts);
        let fallbacks = self
            .models
            .iter()
            .map(|model| model.routing.fallback_count())
            .max()
            .unwrap_or(0);
        let fallbacks = u32::try_from(fallbacks).unwrap_or(u32::MAX);
        most.saturating_mul(fallbacks.saturating_add(1)).min(ATTEMPTS_MAX)
    }

    /// Every deployment, in the order of the configuration.
    pub fn deployments(&self) -> impl Iterator<Item = &DeploymentSettings> {
        self.models.iter().flat_map(|model| &model.deployments)
    }

    /// Whether the secrets of AWS pairs must be opened with the sealing key.
    pub fn has_aws_pairs(&self) -> bool {
        self.keys.iter().any(|key| !key.aws_pairs.is_empty())
    }

    /// The name of every variable that holds a secret, without duplicates.
    pub fn secret_names(&self) -> BTreeSet<&EnvName> {
        let of_deployments = self
            .deployments()
            .flat_map(|deployment| deployment.credentials.names());
        let of_broker = self
            .broker
            .iter()
            .filter_map(|broker| broker.authorization.as_ref());
        let of_keys = self.keys.iter().filter_map(|key| match &key.token {
            TokenSettings::Variable(name) => Some(name),
            TokenSettings::Sha256(_) => None,
        });
        std::iter::once(&self.master_key)
            .chain(of_deployments)
            .chain(of_broker)
            .chain(of_keys)
            .collect()
    }
}

/// A model group: the deployments with one `model_name`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSettings {
    /// The name used by clients. As in LiteLLM, a `*` matches any sequence of characters.
    pub name: String,
    /// The deployments, in the order of the configuration. At least one.
    pub deployments: Vec<DeploymentSettings>,
    /// The guardrail of all requests. It is the same for all deployments, because all attempts send
    /// the same body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guardrail: Option<GuardrailSettings>,
    /// Its retries and fallbacks.
    #[serde(default, skip_serializing_if = "is_default")]
    pub routing: ModelRouting,
}

/// LiteLLM's `guardrailConfig`: the guardrail that Bedrock applies to requests and responses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardrailSettings {
    /// The guardrail's id or ARN.
    pub identifier: String,
    /// `DRAFT` or a version number.
    pub version: String,
    /// Whether responses report what the guardrail did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<GuardrailTrace>,
    /// Whether ConverseStream waits for the guardrail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_processing_mode: Option<StreamProcessingMode>,
}

/// `trace` of a `guardrailConfig`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "AWS's own words")]
pub enum GuardrailTrace {
    Enabled,
    Disabled,
    EnabledFull,
}

impl GuardrailTrace {
    /// All values.
    pub const ALL: [Self; 3] = [Self::Enabled, Self::Disabled, Self::EnabledFull];

    /// The value in Converse requests.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::EnabledFull => "enabled_full",
        }
    }
}

/// `streamProcessingMode` of a `guardrailConfig`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "AWS's own words")]
pub enum StreamProcessingMode {
    Sync,
    Async,
}

impl StreamProcessingMode {
    /// All values.
    pub const ALL: [Self; 2] = [Self::Sync, Self::Async];

    /// The value in ConverseStream requests.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Async => "async",
        }
    }
}

/// A Bedrock model id in one region with one set of credentials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentSettings {
    /// `model_info.id`, or a stable digest of the deployment's settings. Unique in the
    /// configuration.
    pub id: String,
    /// The Bedrock model id, inference profile id or ARN, not percent-encoded. Its n-th `*` stands
    /// for what the n-th `*` in the name of the model group matched.
    pub model: String,
    /// The AWS region, for signatures.
    pub region: String,
    /// The region cluster: the name of the Envoy cluster that connects to the endpoint.
    pub cluster: String,
    /// The `host` of upstream requests, with a port only if it is not the default of the scheme.
    pub authority: String,
    /// Path before `/model/…`, without a trailing slash. Usually empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub base_path: String,
    /// The credentials for AWS.
    pub credentials: CredentialSettings,
    /// Relative share of first attempts among deployments of the same `order`. With 0, the
    /// deployment is only used for retries, unless all have 0.
    pub weight: u64,
    /// LiteLLM's `order`: deployments with a higher one are only tried after those with a lower one
    /// have failed.
    #[serde(default)]
    pub order: i64,
    /// The foundation model of `model`, if that is an ARN that does not name it. CountTokens
    /// requires it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_model: Option<String>,
    /// The rates. If missing, they are looked up in [`Settings::catalogue`] for a wildcard, and
    /// unknown otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
    /// Its limits, cooldowns and retries.
    #[serde(default, skip_serializing_if = "is_default")]
    pub routing: DeploymentRouting,
}

/// How the requests of a deployment are authenticated to AWS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum CredentialSettings {
    /// Requests are signed with Signature Version 4.
    Sigv4(AccessKeyNames),
    /// Requests carry a Bedrock API key.
    Bearer {
        /// The variable with the API key.
        api_key: EnvName,
    },
    /// The credential broker has the credentials.
    Brokered {
        /// The broker's name for them: 16 hexadecimal digits.
        id: String,
        /// Whether requests carry short-term Bedrock API keys instead of signatures.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        bearer: bool,
        /// Access keys that are used instead of the broker if their variables are set.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        environment: Option<AccessKeyNames>,
    },
}

/// The environment variables with an access key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessKeyNames {
    /// The access key id.
    pub access_key_id: EnvName,
    /// The secret access key.
    pub secret_access_key: EnvName,
    /// The session token of temporary credentials. The variable may be unset or empty for long-term
    /// ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<EnvName>,
}

/// Where the filter gets credentials that are not in Envoy's environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerSettings {
    /// The Envoy cluster that connects to the credential broker.
    pub cluster: String,
    /// The variable with the authorization token of a broker that listens on TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<EnvName>,
}

impl CredentialSettings {
    /// The variables that hold the credentials.
    pub fn names(&self) -> impl Iterator<Item = &EnvName> {
        let (keys, api_key) = match self {
            Self::Sigv4(keys) => (Some(keys), None),
            Self::Bearer { api_key } => (None, Some(api_key)),
            Self::Brokered { environment, .. } => (environment.as_ref(), None),
        };
        keys.into_iter().flat_map(AccessKeyNames::names).chain(api_key)
    }
}

impl AccessKeyNames {
    /// The variables.
    pub fn names(&self) -> impl Iterator<Item = &EnvName> {
        [&self.access_key_id, &self.secret_access_key]
            .into_iter()
            .chain(&self.session_token)
    }
}
