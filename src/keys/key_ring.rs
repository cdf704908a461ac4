//! All keys of a configuration, by their hash.

use std::collections::HashMap;
use std::rc::Rc;

use crate::admission::proxy_key::{self, KeyHash};
use crate::admission::reject::Reject;
use crate::contract::keys::KeySettings;
use crate::headers::Headers;
use crate::keys::virtual_key::VirtualKey;
use crate::time::UnixTime;

/// The master key and the virtual keys.
#[derive(Debug)]
pub(crate) struct KeyRing {
    master_hash: KeyHash,
    master: Rc<VirtualKey>,
    /// Found by a hash, which nobody can choose, so the time of a lookup reveals nothing.
    keys: HashMap<KeyHash, Rc<VirtualKey>>,
}

impl KeyRing {
    /// The keys of a configuration, with the hashes of their tokens. The first of two keys with the
    /// same hash wins.
    pub(crate) fn new<'a>(
        master_hash: KeyHash,
        settings: impl IntoIterator<Item = (KeyHash, &'a KeySettings)>,
    ) -> Self {
        let mut keys = HashMap::new();
        for (index, (hash, settings)) in (1..).zip(settings) {
            let key = VirtualKey::new(index, &hash, settings);
            keys.entry(hash).or_insert_with(|| Rc::new(key));
        }
        Self {
            master: Rc::new(VirtualKey::master(&master_hash)),
            master_hash,
            keys,
        }
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
        now: impl FnOnce() -> UnixTime,
    ) -> Result<Rc<VirtualKey>, Reject> {
        let hash = KeyHash::of(proxy_key::presented(headers)?);
        if self.master_hash.matches(&hash) {
            return Ok(Rc::clone(&self.master));
        }
        let key = self.keys.get(&hash).ok_or(Reject::WrongKey)?;
        key.check(now)?;
        Ok(Rc::clone(key))
    }
}

#[cfg(test)]
mod tests;
