//! All keys of a configuration, by their hash.

use std::collections::HashMap;
use std::rc::Rc;

use crate::admission::proxy_key::{self, KeyHash, NoKey};
use crate::admission::reject::Reject;
use crate::admission::signature::{SignatureError, is_presigned};
use crate::contract::keys::{ACCESS_KEY_ID_PREFIX, KeySettings, TeamSettings};
use crate::headers::Headers;
use crate::keys::aws_pair::{AwsPair, UnverifiedKey, VerifiedKey};
use crate::keys::ring_entry::RingEntry;
use crate::keys::team::Team;
use crate::keys::virtual_key::VirtualKey;
use crate::limits::LimitSubject;
use crate::secret::Secret;
use crate::time::UnixTime;

/// The master key and the virtual keys.
#[derive(Debug)]
pub(crate) struct KeyRing {
    master_hash: KeyHash,
    master: Rc<VirtualKey>,
    /// Found by a hash, which nobody can choose, so the time of a lookup reveals nothing.
    keys: HashMap<KeyHash, RingEntry>,
    /// By access key id, which is no secret.
    pairs: HashMap<String, (Secret, RingEntry)>,
    teams: Vec<Rc<Team>>,
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
            pairs: HashMap::new(),
            teams,
        }
    }

    /// Adds a pair of the key with this hash.
    pub(crate) fn add_pair(&mut self, of: &KeyHash, pair: AwsPair) {
        if let Some(RingEntry { key, .. }) = self.keys.get(of) {
            let entry = RingEntry {
                key: Rc::clone(key),
                valid_until: pair.valid_until,
            };
            self.pairs.insert(pair.access_key_id, (pair.secret, entry));
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

    /// The signature of a request that presents the access key id of a pair. Its key can only be
    /// used once the signature is verified.
    ///
    /// # Errors
    /// [`Reject::Signature`], or [`Reject::WrongKey`] if there is no signature with that pair.
    pub(crate) fn signature(
        &self,
        headers: Headers<'_>,
        now: UnixTime,
    ) -> Result<Option<UnverifiedKey>, Reject> {
        let presented = proxy_key::presented(headers).ok();
        let presented = presented.and_then(|id| std::str::from_utf8(id).ok());
        let pair = presented.and_then(|id| self.pairs.get_key_value(id));
        let signed = pair.map(|(id, (secret, entry))| UnverifiedKey::read(entry, id, secret, headers, now));
        signed.transpose()
    }

    /// The key that a request presents, or with whose pair it is `verified` to be signed, if it can
    /// be used. `now` is called only for a key that expires.
    ///
    /// # Errors
    /// [`Reject::NoKey`], [`Reject::WrongKey`], [`Reject::Signature`], [`Reject::BlockedKey`],
    /// [`Reject::BlockedTeam`] or [`Reject::ExpiredKey`].
    pub(crate) fn admit(
        &self,
        headers: Headers<'_>,
        verified: Option<&VerifiedKey>,
        now: impl Fn() -> UnixTime,
    ) -> Result<Rc<VirtualKey>, Reject> {
        if let Some(verified) = verified {
            return verified.entry().admit(now);
        }
        let presented = proxy_key::presented(headers).map_err(|error| no_key(error, headers))?;
        let hash = KeyHash::of(presented);
        if self.master_hash.matches(&hash) {
            return Ok(Rc::clone(&self.master));
        }
        match self.keys.get(&hash) {
            Some(entry) => entry.admit(now),
            // A pair that was deleted, or one whose signature is not verified.
            None if presented.starts_with(ACCESS_KEY_ID_PREFIX.as_bytes()) => {
                Err(SignatureError::Unrecognized.into())
            }
            None => Err(Reject::WrongKey),
        }
    }
}

/// A request without a key may have a signature in its query.
fn no_key(error: NoKey, headers: Headers<'_>) -> Reject {
    let path = headers.all(":path").next().unwrap_or_default();
    match path.split(|byte| *byte == b'?').nth(1) {
        Some(query) if error == NoKey::Missing && is_presigned(query) => SignatureError::Presigned.into(),
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests;
