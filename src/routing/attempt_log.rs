//! What happened to each attempt of a plan, written by the signer role and read by the gateway
//! role.

use std::cell::{Cell, RefCell};

use crate::routing::verdict::Verdict;
use crate::time::UnixTime;

/// A deployment of one of a plan's model groups, both by their index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AttemptTarget {
    /// The model group: 0 is the one that the client selected, others are its fallbacks.
    pub(crate) group: usize,
    pub(crate) deployment: usize,
}

/// The attempts made, and the time taken to sign them.
#[derive(Debug, Default)]
pub(crate) struct AttemptLog {
    attempts: RefCell<Vec<Attempt>>,
    signing_nanoseconds: Cell<u64>,
}

/// One attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub(crate) target: AttemptTarget,
    /// The status of the response; 0 if there was none.
    pub(crate) status: u16,
    /// What the response says about further attempts.
    pub(crate) verdict: Verdict,
    /// Whether the response says that the request is invalid.
    pub(crate) is_invalid: bool,
    /// Whether it probes a deployment whose cooldown is over.
    pub(crate) is_probe: bool,
    /// Whether other requests have learned from it.
    pub(crate) is_reported: bool,
    /// When it was signed.
    pub(crate) started: UnixTime,
}

impl AttemptLog {
    /// Records attempt `number` (the first is 1). `planned` is the target of an earlier attempt,
    /// counted from 0, that has failed before it could be signed.
    pub(crate) fn begin(
        &self,
        number: u64,
        attempt: Attempt,
        planned: impl Fn(usize) -> Option<AttemptTarget>,
    ) {
        let mut attempts = self.attempts.borrow_mut();
        let before = number.saturating_sub(1);
        while u64::try_from(attempts.len()).unwrap_or(u64::MAX) < before {
            let Some(target) = planned(attempts.len()) else {
                break;
            };
            attempts.push(Attempt::to(target, attempt.started));
        }
        attempts.truncate(usize::try_from(before).unwrap_or(usize::MAX));
        attempts.push(attempt);
    }

    /// Records the response to attempt `number`, and returns the attempt.
    pub(crate) fn record_response(
        &self,
        number: u64,
        status: u16,
        verdict: Verdict,
        is_invalid: bool,
    ) -> Option<Attempt> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        let mut attempts = self.attempts.borrow_mut();
        let attempt = attempts.get_mut(index)?;
        attempt.status = status;
        attempt.verdict = verdict;
        attempt.is_invalid = is_invalid;
        attempt.is_reported = true;
        Some(*attempt)
    }

    /// Other requests have learned from all attempts before attempt `number`.
    pub(crate) fn mark_reported(&self, number: u64) {
        let before = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        for attempt in self.attempts.borrow_mut().iter_mut().take(before) {
            attempt.is_reported = true;
        }
    }

    /// Number of attempts made so far.
    pub(crate) fn attempt_count(&self) -> u64 {
        u64::try_from(self.attempts.borrow().len()).unwrap_or(u64::MAX)
    }

    /// The last attempt.
    pub(crate) fn last(&self) -> Option<Attempt> {
        self.attempts.borrow().last().copied()
    }

    /// The attempts made so far, in order.
    pub(crate) fn attempts(&self) -> impl Iterator<Item = Attempt> {
        (0..).map_while(|index: usize| self.attempts.borrow().get(index).copied())
    }

    /// Adds to the time taken by signing.
    pub(crate) fn add_signing_time(&self, nanoseconds: u64) {
        self.signing_nanoseconds
            .set(self.signing_nanoseconds.get().saturating_add(nanoseconds));
    }

    /// The time taken to sign all attempts so far.
    pub(crate) const fn signing_nanoseconds(&self) -> u64 {
        self.signing_nanoseconds.get()
    }
}

impl Attempt {
    pub(crate) const fn to(target: AttemptTarget, started: UnixTime) -> Self {
        Self {
            target,
            status: 0,
            verdict: Verdict::Final,
            is_invalid: false,
            is_probe: false,
            is_reported: false,
            started,
        }
    }
}
