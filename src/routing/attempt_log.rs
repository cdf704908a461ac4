//! What happened to each attempt of a plan, written by the signer role and read by the gateway
//! role.

use std::cell::{Cell, RefCell};

use crate::routing::verdict::Verdict;

/// A deployment of one of a plan's model groups, both by their index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
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
    pub(crate) target: Target,
    /// The status of the response; 0 if there was none.
    pub(crate) status: u16,
    /// What the response says about further attempts.
    pub(crate) verdict: Verdict,
}

impl AttemptLog {
    /// Records attempt `number` (the first is 1). `planned` is the target of an earlier attempt,
    /// counted in the same way, that has failed before it could be signed.
    pub(crate) fn begin(&self, number: u64, target: Target, planned: impl Fn(usize) -> Option<Target>) {
        let mut attempts = self.attempts.borrow_mut();
        let before = number.saturating_sub(1);
        while u64::try_from(attempts.len()).unwrap_or(u64::MAX) < before {
            let Some(target) = planned(attempts.len()) else {
                break;
            };
            attempts.push(Attempt::to(target));
        }
        attempts.truncate(usize::try_from(before).unwrap_or(usize::MAX));
        attempts.push(Attempt::to(target));
    }

    /// Records the response to attempt `number`.
    pub(crate) fn record_response(&self, number: u64, status: u16, verdict: Verdict) {
        let index = number
            .checked_sub(1)
            .and_then(|index| usize::try_from(index).ok());
        let mut attempts = self.attempts.borrow_mut();
        if let Some(attempt) = index.and_then(|index| attempts.get_mut(index)) {
            attempt.status = status;
            attempt.verdict = verdict;
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
    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.attempts.borrow().clone()
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
    const fn to(target: Target) -> Self {
        Self {
            target,
            status: 0,
            verdict: Verdict::Final,
        }
    }
}
