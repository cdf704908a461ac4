//! What a credential of a client stands for: a key, possibly until some time.

use std::rc::Rc;

use crate::admission::reject::Reject;
use crate::keys::virtual_key::VirtualKey;
use crate::time::UnixTime;

/// The key that a credential stands for.
#[derive(Clone, Debug)]
pub(super) struct RingEntry {
    pub(super) key: Rc<VirtualKey>,
    /// Until when the credential can be used, if it was replaced by another one.
    pub(super) valid_until: Option<UnixTime>,
}

impl RingEntry {
    /// The key, if it can be used.
    ///
    /// # Errors
    /// [`Reject::BlockedKey`], [`Reject::BlockedTeam`] or [`Reject::ExpiredKey`].
    pub(super) fn admit(&self, now: impl Fn() -> UnixTime) -> Result<Rc<VirtualKey>, Reject> {
        self.key.check(&now)?;
        match self.valid_until {
            Some(until) if now() >= until => Err(Reject::ExpiredKey),
            _ => Ok(Rc::clone(&self.key)),
        }
    }
}
