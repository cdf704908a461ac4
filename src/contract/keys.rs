//! Virtual keys in the plugin configuration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::contract::env_name::EnvName;

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
    /// The team that it belongs to, for the spend log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<String>,
    /// Tags that its requests have in addition to their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
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
