//! A key and what it may do.

use std::collections::BTreeMap;

use crate::admission::proxy_key::KeyHash;
use crate::admission::reject::Reject;
use crate::contract::keys::KeySettings;
use crate::routing::wildcard::Pattern;
use crate::time::UnixTime;

/// The name of the master key in the spend log and in metrics.
const MASTER_KEY_ALIAS: &str = "master_key";
/// LiteLLM's name for every model.
const ALL_MODELS: &str = "all-proxy-models";
/// How many digits of its hash name a key without an alias in metrics.
const SHORT_DIGITS: usize = 8;

/// The master key or a virtual key.
#[derive(Debug)]
pub struct VirtualKey {
    /// Index in the configuration; the master key is 0.
    pub(crate) index: usize,
    /// Its hash in hexadecimal, by which LiteLLM's tables identify it.
    pub(crate) token: String,
    /// Its name, if it has one.
    pub(crate) alias: Option<String>,
    /// Its team.
    pub(crate) team_id: Option<String>,
    /// The tags of its requests.
    pub(crate) tags: Vec<String>,
    /// `None` if it may call all models.
    models: Option<Vec<ModelName>>,
    aliases: BTreeMap<String, String>,
    expires: Option<UnixTime>,
    is_blocked: bool,
}

/// Which models a key may call.
#[derive(Debug)]
enum ModelName {
    Exact(String),
    Wildcard(Pattern),
}

impl VirtualKey {
    /// The master key, which may do everything.
    pub(super) fn master(hash: &KeyHash) -> Self {
        Self {
            index: 0,
            token: hash.hexadecimal(),
            alias: Some(MASTER_KEY_ALIAS.to_owned()),
            team_id: None,
            tags: Vec::new(),
            models: None,
            aliases: BTreeMap::new(),
            expires: None,
            is_blocked: false,
        }
    }

    pub(super) fn new(index: usize, hash: &KeyHash, settings: &KeySettings) -> Self {
        let models = &settings.models;
        let may_call_all = models.is_empty() || models.iter().any(|name| name == ALL_MODELS);
        let model = |name: &String| match Pattern::parse(name) {
            Some(pattern) => ModelName::Wildcard(pattern),
            None => ModelName::Exact(name.clone()),
        };
        Self {
            index,
            token: hash.hexadecimal(),
            alias: settings.key_alias.clone(),
            team_id: settings.team_id.clone(),
            tags: settings.tags.clone(),
            models: (!may_call_all).then(|| models.iter().map(model).collect()),
            aliases: settings.aliases.clone(),
            expires: settings.expires.map(UnixTime::from_seconds),
            is_blocked: settings.blocked,
        }
    }

    /// Whether this is the master key.
    pub(crate) const fn is_master(&self) -> bool {
        self.index == 0
    }

    /// Its name in metrics: the alias, or the start of its hash.
    pub(crate) fn label(&self) -> &str {
        let short = self.token.get(..SHORT_DIGITS).unwrap_or_default();
        self.alias.as_deref().unwrap_or(short)
    }

    /// Checks whether it can be used at all.
    ///
    /// # Errors
    /// [`Reject::BlockedKey`] or [`Reject::ExpiredKey`].
    pub(super) fn check(&self, now: impl FnOnce() -> UnixTime) -> Result<(), Reject> {
        if self.is_blocked {
            return Err(Reject::BlockedKey);
        }
        match self.expires {
            Some(expires) if now() >= expires => Err(Reject::ExpiredKey),
            _ => Ok(()),
        }
    }

    /// The name of the model that a client means by `name`.
    pub(crate) fn resolve<'a>(&'a self, name: &'a str) -> &'a str {
        self.aliases.get(name).map_or(name, String::as_str)
    }

    /// Whether it may call the model that a client names `name`. `group` is the name of the model
    /// group that this selects, if there is one.
    pub(crate) fn may_call(&self, name: &str, group: Option<&str>) -> bool {
        let Some(models) = &self.models else { return true };
        models.iter().any(|model| match model {
            ModelName::Exact(exact) => exact == name || Some(exact.as_str()) == group,
            ModelName::Wildcard(pattern) => {
                pattern.captures(name).is_some()
                    || group.is_some_and(|group| pattern.captures(group).is_some())
            }
        })
    }
}
