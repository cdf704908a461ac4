//! Virtual keys in the plugin configuration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::contract::env_name::EnvName;
use crate::limits::period::{BudgetWindow, Period, window_of};
use crate::pricing::PicoUsd;
use crate::time::UnixTime;

/// A virtual key: the key of one application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySettings {
    /// The key itself, or its hash.
    pub token: TokenSettings,
    /// Its name in the spend log and in metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_alias: Option<String>,
    /// The models that it may call, by name or with `*`. Empty: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// Names that only this key can use: alias → the name of a model.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, String>,
    /// When it expires, in seconds since 1970; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
    /// Whether it is refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub blocked: bool,
    /// The team that it belongs to. Its limits apply if it is among the teams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<String>,
    /// Tags that its requests have in addition to their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What it may use.
    #[serde(default, skip_serializing_if = "LimitSettings::is_empty")]
    pub limits: LimitSettings,
    /// The hash under which what it uses is counted, if that is not its own: that of the first key
    /// that it has replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted_as: Option<String>,
    /// The keys that it has replaced and that are still valid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<FormerToken>,
    /// Its AWS pairs, with which clients can sign instead of sending the key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aws_pairs: Vec<AwsPairSettings>,
}

/// What the access key id of every pair begins with.
pub const ACCESS_KEY_ID_PREFIX: &str = "EBAK";

/// An access key id and a secret access key for the clients of the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsPairSettings {
    /// The access key id.
    pub access_key_id: String,
    /// The secret access key, sealed under the name of the access key id with
    /// [`SealingKey`](crate::sealing::SealingKey).
    pub sealed_secret: String,
    /// Until when it is valid if it was replaced by another one, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<u64>,
}

/// A key that was replaced by another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormerToken {
    /// Its SHA-256: 64 hexadecimal digits.
    pub sha256: String,
    /// Until when it is valid, in seconds since 1970.
    pub valid_until: u64,
}

/// A team: keys that share limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamSettings {
    /// By which keys name it.
    pub team_id: String,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_alias: Option<String>,
    /// The models that its keys may call, by name or with `*`. Empty: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// Whether its keys are refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub blocked: bool,
    /// What its keys may use together.
    #[serde(default, skip_serializing_if = "LimitSettings::is_empty")]
    pub limits: LimitSettings,
}

/// What a key or a team may use, for all workers together. What is absent is unlimited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    /// Requests per minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpm_limit: Option<u64>,
    /// Tokens per minute, of requests and responses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpm_limit: Option<u64>,
    /// Requests per minute of a model, by the name of its group.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub model_rpm_limit: BTreeMap<String, u64>,
    /// Tokens per minute of a model, by the name of its group.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub model_tpm_limit: BTreeMap<String, u64>,
    /// Requests at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel_requests: Option<u64>,
    /// Money. In a box, because most of ten thousand keys may have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Box<BudgetSettings>>,
}

/// A budget, in USD.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetSettings {
    /// The most that may be spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_budget: Option<PicoUsd>,
    /// From which spend on there is a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft_budget: Option<PicoUsd>,
    /// After what time it begins anew; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_duration: Option<Period>,
    /// When it begins anew for the first time, in seconds since 1970, if not as `budget_duration`
    /// says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_reset_at: Option<u64>,
    /// What was spent before this Envoy served its first request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<OpeningSettings>,
}

/// What was spent before an Envoy served its first request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpeningSettings {
    /// The first second of the budget's window in which it was spent, since 1970.
    pub window_start: u64,
    /// Until when it was spent, in seconds since 1970.
    pub as_of: u64,
    /// The amount.
    pub spend: PicoUsd,
}

impl LimitSettings {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl BudgetSettings {
    /// The window that `now` is in.
    pub fn window(&self, now: UnixTime) -> BudgetWindow {
        window_of(self.budget_duration, self.budget_reset_at, now)
    }
}

/// A key, never in readable form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TokenSettings {
    /// Its SHA-256: 64 hexadecimal digits.
    Sha256(String),
    /// The variable that contains it.
    Variable(EnvName),
}
