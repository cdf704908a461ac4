//! A key and what it may do.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::admission::proxy_key::KeyHash;
use crate::admission::reject::Reject;
use crate::contract::keys::KeySettings;
use crate::keys::allowed_models::AllowedModels;
use crate::keys::quota::Quota;
use crate::keys::team::Team;
use crate::limits::{Holder, LimitSubject};
use crate::time::UnixTime;

/// The name of the master key in the spend log and in metrics.
const MASTER_KEY_ALIAS: &str = "master_key";
/// How many digits of its hash name a key without an alias in metrics.
const SHORT_DIGITS: usize = 8;

/// The master key or a virtual key.
#[derive(Debug)]
pub struct VirtualKey {
    /// Index in the configuration; the master key is 0.
    pub(crate) index: usize,
    /// Its hash in hexadecimal, by which LiteLLM's tables identify it.
    pub(crate) token: Rc<str>,
    /// Its name, if it has one.
    pub(crate) alias: Option<String>,
    /// The id of its team.
    pub(crate) team_id: Option<String>,
    /// Its team, if that is configured.
    pub(crate) team: Option<Rc<Team>>,
    /// The tags of its requests.
    pub(crate) tags: Vec<String>,
    /// When it expires.
    pub(crate) expires: Option<UnixTime>,
    /// Its limits; `None` for the master key.
    pub(crate) quota: Option<Quota>,
    models: AllowedModels,
    aliases: BTreeMap<String, String>,
    is_blocked: bool,
}

impl VirtualKey {
    /// The master key, which may do everything.
    pub(super) fn master(hash: &KeyHash) -> Self {
        Self {
            index: 0,
            token: hash.hexadecimal().into(),
            alias: Some(MASTER_KEY_ALIAS.to_owned()),
            team_id: None,
            team: None,
            tags: Vec::new(),
            expires: None,
            quota: None,
            models: AllowedModels::default(),
            aliases: BTreeMap::new(),
            is_blocked: false,
        }
    }

    pub(super) fn new(index: usize, hash: &KeyHash, settings: &KeySettings, team: Option<Rc<Team>>) -> Self {
        let token: Rc<str> = hash.hexadecimal().into();
        let counted_as = settings
            .counted_as
            .as_deref()
            .map_or_else(|| Rc::clone(&token), Rc::from);
        let of_model = |model| Holder::KeyModel(Rc::clone(&counted_as), model);
        let quota = Quota::new(&settings.limits, Holder::Key(Rc::clone(&counted_as)), of_model);
        Self {
            index,
            alias: settings.key_alias.clone(),
            team_id: settings.team_id.clone(),
            team,
            tags: settings.tags.clone(),
            expires: settings.expires.map(UnixTime::from_seconds),
            quota: Some(quota),
            models: AllowedModels::new(&settings.models),
            aliases: settings.aliases.clone(),
            is_blocked: settings.blocked,
            token,
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
    /// [`Reject::BlockedKey`], [`Reject::BlockedTeam`] or [`Reject::ExpiredKey`].
    pub(super) fn check(&self, now: impl Fn() -> UnixTime) -> Result<(), Reject> {
        if self.is_blocked {
            return Err(Reject::BlockedKey);
        }
        if let Some(team) = self.team.as_ref().filter(|team| team.is_blocked) {
            return Err(Reject::BlockedTeam(team.id.as_ref().into()));
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

    /// The models that it may call, as configured. Empty: all of them.
    pub(crate) fn models(&self) -> &[String] {
        &self.models.names
    }

    /// The names that only this key can use.
    pub(crate) fn aliases(&self) -> impl Iterator<Item = (&str, &str)> {
        let aliases = self.aliases.iter();
        aliases.map(|(alias, model)| (alias.as_str(), model.as_str()))
    }

    /// Whether it may call the model that a client names `name`. `group` is the name of the model
    /// group that this selects, if there is one.
    pub(crate) fn may_call(&self, name: &str, group: Option<&str>) -> bool {
        let team = self.team.as_ref();
        self.models.contains(name, group) && team.is_none_or(|team| team.models.contains(name, group))
    }

    /// Whom the limits for its requests of the model group `group` are for.
    pub(crate) fn subjects(&self, group: &str) -> Vec<Rc<LimitSubject>> {
        let quotas = self
            .quota
            .iter()
            .chain(self.team.as_ref().map(|team| &team.quota));
        quotas.flat_map(|quota| quota.subjects(group)).cloned().collect()
    }
}
