//! The wire form of the plugin configuration. Both sides of it are in this repository, so unknown fields are errors.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::pricing::Rates;

/// Largest request body by default: 32 MiB, above Bedrock's own 25,000,000 bytes, so that Bedrock's answer is seen.
pub const BODY_LIMIT_DEFAULT_BYTES: u64 = 32 * 1024 * 1024;

/// Requests of a worker that are remembered by default.
pub const HISTORY_DEFAULT_ROWS: u32 = 1000;

const fn history_default_rows() -> u32 {
    HISTORY_DEFAULT_ROWS
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
const fn is_history_default(rows: &u32) -> bool {
    *rows == HISTORY_DEFAULT_ROWS
}

/// Name of an environment variable of the Envoy process that holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EnvName(pub String);

/// The plugin configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The key that clients have to present.
    pub master_key: EnvName,
    /// Attempts that a request may make: LiteLLM's `num_retries` + 1. At least 1.
    pub attempts: u32,
    /// Largest request body, in bytes.
    pub body_limit_bytes: u64,
    /// How many requests of a worker `GET /spend/logs` remembers; 0 for none.
    #[serde(default = "history_default_rows", skip_serializing_if = "is_history_default")]
    pub history_rows: u32,
    /// The models that clients can name, in the order of the configuration.
    pub models: Vec<ModelSettings>,
    /// Other names of models (`model_group_alias`): alias → `ModelSettings::name`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, String>,
    /// Names, possibly with `*`, that no wildcard may serve: the configuration has other deployments for them, which are
    /// not served. Requests for them are refused.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub withheld: BTreeSet<String>,
    /// Prices of what a wildcard can stand for, to be looked up by [`crate::pricing::lookup`]; empty where no deployment
    /// needs it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub catalogue: BTreeMap<String, Rates>,
}

impl Settings {
    /// Every deployment, in the order of the configuration.
    pub fn deployments(&self) -> impl Iterator<Item = &DeploymentSettings> {
        self.models.iter().flat_map(|model| &model.deployments)
    }

    /// Every variable that holds a secret, each once.
    pub fn secret_names(&self) -> BTreeSet<&EnvName> {
        let of_deployments = self
            .deployments()
            .flat_map(|deployment| deployment.credentials.names());
        std::iter::once(&self.master_key).chain(of_deployments).collect()
    }
}

/// One `model_name` and the deployments behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSettings {
    /// What clients call it. A `*` in it is LiteLLM's wildcard: it matches any run of characters.
    pub name: String,
    /// Where its requests can go, in the order of the configuration. At least one.
    pub deployments: Vec<DeploymentSettings>,
    /// The guardrail of every request, wherever it goes: all attempts of a request send the same body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guardrail: Option<GuardrailSettings>,
}

/// LiteLLM's `guardrailConfig`: what Bedrock applies to each request and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardrailSettings {
    /// The guardrail's id or ARN.
    pub identifier: String,
    /// `DRAFT`, or the number of a version.
    pub version: String,
    /// Whether answers tell what the guardrail did.
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
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Enabled, Self::Disabled, Self::EnabledFull];

    /// As Converse spells it.
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
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Sync, Self::Async];

    /// As ConverseStream spells it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Async => "async",
        }
    }
}

impl ModelSettings {
    /// Place of the first deployment that is the same as the one at `index`: same endpoint, model id and credentials.
    /// Trying one after the other has failed is trying the same thing again.
    pub fn twin(&self, index: usize) -> usize {
        let is_twin = |other: &DeploymentSettings| {
            self.deployments
                .get(index)
                .is_some_and(|deployment| deployment.is_same_as(other))
        };
        self.deployments.iter().position(is_twin).unwrap_or(index)
    }
}

/// A model id in one region (or at one endpoint) with one set of credentials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentSettings {
    /// `model_info.id`, or a stable digest of what the deployment is. Unique in the configuration.
    pub id: String,
    /// Bedrock's model id, inference profile id or ARN, not percent-encoded. With a wildcard name, the n-th `*` in
    /// it stands for what the n-th `*` of the name matched.
    pub model: String,
    /// Region of the signature's scope.
    pub region: String,
    /// Name of the Envoy cluster that connects to the endpoint.
    pub cluster: String,
    /// Host of the upstream request, as signed: with the port only where it is not the scheme's own.
    pub authority: String,
    /// Path in front of `/model/…`, without a slash at its end; mostly empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub base_path: String,
    /// How its requests are authenticated to AWS.
    pub credentials: CredentialSettings,
    /// Share of the first attempts among its siblings of the same `order`. 0: only after another has failed.
    pub weight: u64,
    /// LiteLLM's `order`: lower ones are tried first, the next only when they have failed.
    #[serde(default)]
    pub order: i64,
    /// The foundation model behind `model`, where that is an ARN that does not name it: CountTokens takes no other id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_model: Option<String>,
    /// What its tokens cost. Without it, a wildcard's price is in [`Settings::catalogue`], and any other is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
}

impl DeploymentSettings {
    /// Whether both make the same requests of the same endpoint. Credentials are compared by the names of their variables:
    /// two variables that hold the same value count as different.
    fn is_same_as(&self, other: &Self) -> bool {
        self.cluster == other.cluster
            && self.authority == other.authority
            && self.base_path == other.base_path
            && self.region == other.region
            && self.model == other.model
            && self.credentials == other.credentials
    }
}

/// Where a deployment's secrets are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum CredentialSettings {
    /// Requests are signed with Signature Version 4.
    Sigv4 {
        /// Variable of the access key id.
        access_key_id: EnvName,
        /// Variable of the secret access key.
        secret_access_key: EnvName,
        /// Variable of the session token of temporary credentials. Not set or empty: they are long-term ones.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_token: Option<EnvName>,
    },
    /// Requests carry a Bedrock API key.
    Bearer {
        /// Variable of the API key.
        api_key: EnvName,
    },
}

impl CredentialSettings {
    /// The variables that hold the credentials.
    pub fn names(&self) -> impl Iterator<Item = &EnvName> {
        let names = match self {
            Self::Sigv4 {
                access_key_id,
                secret_access_key,
                session_token,
            } => [
                Some(access_key_id),
                Some(secret_access_key),
                session_token.as_ref(),
            ],
            Self::Bearer { api_key } => [Some(api_key), None, None],
        };
        names.into_iter().flatten()
    }
}
