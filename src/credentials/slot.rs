//! One credential: what the broker last answered, and when to ask it next.

use std::cell::RefCell;
use std::rc::Rc;

use crate::credentials::answer::{self, BrokerFailure};
use crate::credentials::issued::IssuedCredential;
use crate::time::UnixTime;

/// How long before its expiry a credential is asked for again, in milliseconds, unless that is more
/// than two fifths of its life: the broker renews a short-lived one after half of its life.
const EARLY_MILLISECONDS: u64 = 10 * 60 * 1000;
/// How often a credential that never expires is asked for, in case its source has changed.
const ENDLESS_MILLISECONDS: u64 = 10 * 60 * 1000;
/// Shortest and longest time until the broker is asked again after it has answered with the same
/// credential as before, in milliseconds.
const SAME_MILLISECONDS: (u64, u64) = (250, 10_000);
/// Time until the broker is asked again while its first fetch is under way, in milliseconds.
const PENDING_MILLISECONDS: u64 = 250;
/// Time between calls that fail, in milliseconds. The broker answers from memory and backs off by
/// itself, so a call costs AWS nothing.
const FAILED_MILLISECONDS: u64 = 1000;
/// Shortest time between two calls because AWS has refused a credential, in milliseconds.
const REJECTED_MILLISECONDS: u64 = 10_000;
/// How long a call counts as under way, in milliseconds: more than its timeout. The answer to a
/// call is lost if its plugin is destroyed.
const CALL_MILLISECONDS: u64 = 6000;
/// How long the broker may take for a conclusive answer, in milliseconds, so that a broker that
/// never starts does not keep a gateway with other credentials from being ready.
const WAITING_MILLISECONDS: u64 = 15_000;

/// What follows the path if AWS has refused the credential, whose name comes next.
pub(crate) const REJECTED: &str = "?rejected=";

/// A credential in one VM.
#[derive(Debug)]
pub struct CredentialSlot {
    path: String,
    is_bearer: bool,
    state: RefCell<SlotState>,
}

#[derive(Debug, Default)]
struct SlotState {
    issued: Option<Rc<IssuedCredential>>,
    /// Why the last call failed; `None` if it succeeded.
    failure: Option<BrokerFailure>,
    /// When the broker was first asked.
    first_asked: Option<UnixTime>,
    /// When to ask next.
    ask_at: UnixTime,
    /// When the call that is under way began.
    asking: Option<UnixTime>,
    /// When the broker was last asked because AWS had refused a credential.
    asked_after_rejection: Option<UnixTime>,
}

/// What an answer has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokerNews {
    /// Nothing worth a message.
    Nothing,
    /// The call failed, unlike the previous one or for another reason.
    Failed(BrokerFailure),
    /// There is a credential after calls that failed.
    Recovered,
}

impl CredentialSlot {
    pub(super) fn new(path: String, is_bearer: bool) -> Self {
        Self {
            path,
            is_bearer,
            state: RefCell::default(),
        }
    }

    /// What the broker is asked for.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// AWS has refused the credential that the broker calls `name`, in another VM.
    pub fn reject(&self, name: &str) {
        let state = self.state.borrow();
        if let Some(issued) = state.issued.as_ref().filter(|issued| issued.name == name) {
            issued.reject();
        }
    }

    /// Whether it is a Bedrock API key, not an access key.
    pub(crate) const fn is_bearer(&self) -> bool {
        self.is_bearer
    }

    /// The credential, if there is one that has not expired.
    pub(crate) fn current(&self, now: UnixTime) -> Option<Rc<IssuedCredential>> {
        let state = self.state.borrow();
        state
            .issued
            .as_ref()
            .filter(|issued| issued.is_valid(now))
            .cloned()
    }

    /// When the credential expires, in seconds since 1970; 0 if there is none or it never does.
    pub(crate) fn expires_seconds(&self) -> u64 {
        let state = self.state.borrow();
        let expires = state.issued.as_ref().and_then(|issued| issued.expires);
        expires.map_or(0, UnixTime::seconds)
    }

    /// Why the last call failed; `None` if it succeeded.
    pub(crate) fn failure(&self) -> Option<BrokerFailure> {
        self.state.borrow().failure.clone()
    }

    /// Whether the broker has yet to say if there is a credential.
    pub(crate) fn is_waiting(&self, now: UnixTime) -> bool {
        let state = self.state.borrow();
        let is_inconclusive = state.failure.as_ref().is_none_or(BrokerFailure::is_inconclusive);
        let is_early = |first| is_within(first, now, WAITING_MILLISECONDS);
        state.issued.is_none() && is_inconclusive && state.first_asked.is_none_or(is_early)
    }

    /// The path to ask the broker for now, if a call is due. It counts as under way then.
    pub(crate) fn begin_call(&self, now: UnixTime) -> Option<String> {
        let state = &mut *self.state.borrow_mut();
        if state
            .asking
            .is_some_and(|since| is_within(since, now, CALL_MILLISECONDS))
        {
            return None;
        }
        let may_reject = !state
            .asked_after_rejection
            .is_some_and(|last| is_within(last, now, REJECTED_MILLISECONDS));
        let rejected = state.issued.as_ref().filter(|issued| issued.is_rejected());
        let path = match rejected {
            Some(issued) if may_reject => {
                issued.reported();
                state.asked_after_rejection = Some(now);
                format!("{}{REJECTED}{}", self.path, issued.name)
            }
            _ if now >= state.ask_at => self.path.clone(),
            _ => return None,
        };
        state.asking = Some(now);
        state.first_asked.get_or_insert(now);
        Some(path)
    }

    /// The answer to a call will never arrive.
    pub fn abandon_call(&self) {
        self.state.borrow_mut().asking = None;
    }

    /// The answer to a call: its `status`, which is 0 if there was none, and its body.
    pub(crate) fn finish_call(&self, status: u16, body: &[u8], now: UnixTime) -> BrokerNews {
        let answer = answer::read(self.is_bearer, status, body);
        let answer = answer.and_then(|issued| match issued.is_valid(now) {
            true => Ok(issued),
            false => Err(BrokerFailure::expired()),
        });
        let state = &mut *self.state.borrow_mut();
        state.asking = None;
        match answer {
            Ok(issued) => state.succeed(issued, now),
            Err(failure) => state.fail(failure, now),
        }
    }
}

impl SlotState {
    fn succeed(&mut self, issued: IssuedCredential, now: UnixTime) -> BrokerNews {
        let left = issued.expires.map(|expires| expires.milliseconds_since(now));
        let same = self.issued.as_ref().filter(|held| held.is_same_as(&issued));
        let wait = match (left, same) {
            (None, _) => ENDLESS_MILLISECONDS,
            // The broker is late.
            (Some(left), Some(_)) => (left / 4).clamp(SAME_MILLISECONDS.0, SAME_MILLISECONDS.1),
            (Some(left), None) => left.saturating_sub(EARLY_MILLISECONDS.min(left.saturating_mul(2) / 5)),
        };
        self.ask_at = now.after_milliseconds(wait);
        if same.is_none() {
            self.issued = Some(Rc::new(issued));
        }
        match self.failure.take() {
            Some(failure) if !failure.is_pending() => BrokerNews::Recovered,
            _ => BrokerNews::Nothing,
        }
    }

    fn fail(&mut self, failure: BrokerFailure, now: UnixTime) -> BrokerNews {
        let wait = if failure.is_pending() {
            PENDING_MILLISECONDS
        } else {
            FAILED_MILLISECONDS
        };
        self.ask_at = now.after_milliseconds(wait);
        let is_news = !failure.is_pending() && self.failure.as_ref() != Some(&failure);
        self.failure = Some(failure.clone());
        if is_news {
            BrokerNews::Failed(failure)
        } else {
            BrokerNews::Nothing
        }
    }
}

/// Whether `now` is less than this many milliseconds after `since`. A clock that was set back is no
/// reason to wait.
fn is_within(since: UnixTime, now: UnixTime, milliseconds: u64) -> bool {
    now >= since && now.milliseconds_since(since) < milliseconds
}

#[cfg(test)]
mod tests;
