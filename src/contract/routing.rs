//! How requests are routed: choosing a deployment, cooldowns, retries, fallbacks and time limits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// LiteLLM's default `cooldown_time`: 5 seconds.
pub const COOLDOWN_DEFAULT_MILLISECONDS: u64 = 5000;

/// What applies to all models.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoutingSettings {
    /// How a deployment is chosen.
    #[serde(skip_serializing_if = "is_default")]
    pub strategy: Strategy,
    /// For [`Strategy::LatencyBased`]: a deployment counts as one of the fastest if it takes at most
    /// this much longer than the fastest, as a fraction. LiteLLM's `lowest_latency_buffer`.
    #[serde(skip_serializing_if = "is_default")]
    pub latency_buffer: f64,
    /// When deployments cool down, unless they have [`DeploymentRouting::cooldown`].
    #[serde(skip_serializing_if = "is_default")]
    pub cooldown: CooldownSettings,
    /// What keeps a conversation with one deployment, besides its session id.
    #[serde(skip_serializing_if = "is_default")]
    pub affinity: Affinity,
    /// The least time before another attempt on the same deployment, in milliseconds. LiteLLM's
    /// `retry_after`.
    #[serde(skip_serializing_if = "is_default")]
    pub retry_after_milliseconds: u64,
    /// The most time for a response that does not stream, with all attempts and the time between
    /// them, in milliseconds. LiteLLM's `request_timeout`. Envoy's route has it, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_limit_milliseconds: Option<u64>,
}

/// How a deployment is chosen among those of the lowest `order` that can serve a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// At random, by weight.
    #[default]
    SimpleShuffle,
    /// The one with the fewest requests at the moment.
    LeastBusy,
    /// The one with the shortest time to the first byte, as an exponentially weighted average.
    LatencyBased,
    /// The one with the fewest tokens in the current minute.
    UsageBased,
    /// The cheapest one.
    CostBased,
}

/// What a conversation is recognized by, so that it stays with one deployment and its prompt cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Affinity {
    /// The request's `x-litellm-session-id`, if it has one.
    #[default]
    Session,
    /// The session id or, without one, the client's key.
    Key,
}

/// When a deployment cools down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CooldownSettings {
    /// LiteLLM's `disable_cooldowns`.
    #[serde(skip_serializing_if = "is_default")]
    pub disabled: bool,
    /// How long, in milliseconds, if the response does not say so. LiteLLM's `cooldown_time`.
    pub milliseconds: u64,
    /// Whether it is as long whatever the response says. True for a deployment with its own
    /// `cooldown_time`, as in LiteLLM.
    #[serde(skip_serializing_if = "is_default")]
    pub ignores_retry_after: bool,
    /// Failures within the cooldown time that do not count yet. `None`: LiteLLM's rules without
    /// `allowed_fails`, which cool a deployment at once when it is throttled or unusable, and after
    /// other failures when more than half of at least five requests of a minute have failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_fails: Option<u32>,
    /// The same for some classes of failures. LiteLLM's `allowed_fails_policy`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub allowed_fails_policy: BTreeMap<FailureClass, u32>,
}

impl Default for CooldownSettings {
    fn default() -> Self {
        Self {
            disabled: false,
            milliseconds: COOLDOWN_DEFAULT_MILLISECONDS,
            ignores_retry_after: false,
            allowed_fails: None,
            allowed_fails_policy: BTreeMap::new(),
        }
    }
}

/// The classes of failures that LiteLLM's policies tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// Bedrock refuses the request: 400 and others of 4xx.
    BadRequest,
    /// Bedrock refuses the credentials, or access to the model: 401 and 403.
    Authentication,
    /// No response in time: 408, and a time limit that is exceeded.
    Timeout,
    /// The deployment is throttled: 429.
    RateLimit,
    /// A guardrail or the model's provider refuses the content.
    ContentPolicy,
    /// 5xx, and connections that fail.
    InternalServer,
}

impl FailureClass {
    /// All classes.
    pub const ALL: [Self; 6] = [
        Self::BadRequest,
        Self::Authentication,
        Self::Timeout,
        Self::RateLimit,
        Self::ContentPolicy,
        Self::InternalServer,
    ];
}

/// What applies to a model group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelRouting {
    /// Retries for some classes of failures, instead of `Settings::attempts` - 1. LiteLLM's
    /// `retry_policy` and `model_group_retry_policy`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub retries: BTreeMap<FailureClass, u32>,
    /// The models that are tried when this one cannot serve a request.
    #[serde(skip_serializing_if = "is_default")]
    pub fallbacks: Fallbacks,
    /// The same for requests that select the model by one of these names: aliases, and names that
    /// its wildcard matches.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub named_fallbacks: BTreeMap<String, Fallbacks>,
}

/// Other models that are tried when one cannot serve a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fallbacks {
    /// Their names, in order. LiteLLM's `fallbacks` and `default_fallbacks`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub general: Vec<String>,
    /// The same, if the request is too long for the model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub context_window: Vec<String>,
}

impl Fallbacks {
    /// The most of them that a request can have.
    fn count(&self) -> usize {
        self.general.len().max(self.context_window.len())
    }
}

impl ModelRouting {
    /// Whether a request can have a fallback.
    pub fn has_fallbacks(&self) -> bool {
        self.fallback_count() > 0
    }

    /// The most fallbacks that a request can have.
    pub(super) fn fallback_count(&self) -> usize {
        let named = self.named_fallbacks.values().map(Fallbacks::count);
        named.fold(self.fallbacks.count(), usize::max)
    }

    /// The fallbacks of requests for the model `name`.
    pub(crate) fn fallbacks(&self, name: &str) -> &Fallbacks {
        self.named_fallbacks.get(name).unwrap_or(&self.fallbacks)
    }
}

/// What applies to one deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeploymentRouting {
    /// The most requests per minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpm: Option<u64>,
    /// The most tokens per minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tpm: Option<u64>,
    /// The most requests at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_parallel_requests: Option<u64>,
    /// When it cools down; [`RoutingSettings::cooldown`] if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<CooldownSettings>,
    /// Retries after an attempt on this deployment, instead of `Settings::attempts` - 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// The most time for an attempt whose response does not stream, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_milliseconds: Option<u64>,
    /// The most time to the first byte of a stream, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_timeout_milliseconds: Option<u64>,
}

/// Whether a value is the default, which is left out.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
