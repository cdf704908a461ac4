//! All keys of a configuration, by their hash.

use std::collections::HashMap;
use std::rc::Rc;

use crate::admission::proxy_key::{self, KeyHash};
use crate::admission::reject::Reject;
use crate::contract::keys::{KeySettings, TeamSettings};
use crate::headers::Headers;
use crate::keys::team::Team;
use crate::keys::virtual_key::VirtualKey;
use crate::limits::LimitSubject;
use crate::time::UnixTime;

/// The master key and the virtual keys.
#[derive(Debug)]
pub(crate) struct KeyRing {
    master_hash: KeyHash,
    master: Rc<VirtualKey>,
    /// Found by a hash, which nobody can choose, so the time of a lookup reveals nothing.
    keys: HashMap<KeyHash, RingEntry>,
    teams: Vec<Rc<Team>>,
}

#[derive(Debug)]
struct RingEntry {
    key: Rc<VirtualKey>,
    /// Until when a key can be used that was replaced by this one.
    valid_until: Option<UnixTime>,
}

impl KeyRing {
    /// The keys of a configuration, with the hashes of their tokens. The first of two keys with the
    /// same hash wins.
    pub(crate) fn new<'a>(
        master_hash: KeyHash,
        settings: impl IntoIterator<Item = (KeyHash, &'a KeySettings)>,
        teams: &[TeamSettings],
    ) -> Self {
        let teams: Vec<_> = teams.iter().map(|team| Rc::new(Team::new(team))).collect();
        let by_id: HashMap<_, _> = teams.iter().map(|team| (&*team.id, team)).collect();
        let mut keys = HashMap::new();
        for (index, (hash, settings)) in (1..).zip(settings) {
            let team = settings.team_id.as_deref().and_then(|id| by_id.get(id).copied());
            let key = Rc::new(VirtualKey::new(index, &hash, settings, team.map(Rc::clone)));
            let former = settings.former.iter().filter_map(|former| {
                let until = UnixTime::from_seconds(former.valid_until);
                Some((KeyHash::parse(&former.sha256)?, Some(until)))
            });
            for (hash, valid_until) in former.chain([(hash, None)]) {
                let key = Rc::clone(&key);
                keys.entry(hash).or_insert(RingEntry { key, valid_until });
            }
        }
        Self {
            master: Rc::new(VirtualKey::master(&master_hash)),
            master_hash,
            keys,
            teams,
        }
    }

    /// The virtual key with this hash in hexadecimal digits, or this key itself.
    pub(crate) fn find(&self, name: &str) -> Option<Rc<VirtualKey>> {
        let hash = KeyHash::parse(name).unwrap_or_else(|| KeyHash::of(name.as_bytes()));
        self.keys.get(&hash).map(|entry| Rc::clone(&entry.key))
    }

    /// Whom all limits are for.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = &LimitSubject> {
        let current = self.keys.values().filter(|entry| entry.valid_until.is_none());
        let of_keys = current.filter_map(|entry| entry.key.quota.as_ref());
        let quotas = of_keys.chain(self.teams.iter().map(|team| &team.quota));
        quotas.flat_map(|quota| quota.all()).map(|subject| &**subject)
    }

    /// The master key.
    pub(crate) fn master(&self) -> Rc<VirtualKey> {
        Rc::clone(&self.master)
    }

    /// The key that a request presents, if it can be used. `now` is called only for a key that
    /// expires.
    ///
    /// # Errors
    /// [`Reject::NoKey`], [`Reject::WrongKey`], [`Reject::BlockedKey`] or [`Reject::ExpiredKey`].
    pub(crate) fn admit(
        &self,
        headers: Headers<'_>,
        now: impl Fn() -> UnixTime,
    ) -> Result<Rc<VirtualKey>, Reject> {
        let hash = KeyHash::of(proxy_key::presented(headers)?);
        if self.master_hash.matches(&hash) {
            return Ok(Rc::clone(&self.master));
        }
        let RingEntry { key, valid_until } = self.keys.get(&hash).ok_or(Reject::WrongKey)?;
        key.check(&now)?;
        match valid_until {
            Some(until) if now() >= *until => Err(Reject::ExpiredKey),
            _ => Ok(Rc::clone(key)),
        }
    }
}

#[cfg(test)]
mod tests;
