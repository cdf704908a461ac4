//! What happened to each attempt of a plan, written by the signer role and read by the gateway
//! role.

use std::array;
use std::cell::Cell;

use crate::routing::active_config::ATTEMPTS_MAX;
use crate::routing::verdict::Verdict;

/// Number of attempts that are recorded: the maximum.
const ATTEMPTS: usize = ATTEMPTS_MAX as usize;

/// The attempts made, and the time taken to sign them.
#[derive(Debug)]
pub(crate) struct AttemptLog {
    /// Number of attempts made.
    attempt_count: Cell<u64>,
    attempts: [Cell<Attempt>; ATTEMPTS],
    signing_nanoseconds: Cell<u64>,
}

/// One attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    /// The index of its deployment in the plan.
    pub(crate) plan_index: usize,
    /// The status of the response; 0 if there was none.
    pub(crate) status: u16,
    /// What the response says about further attempts.
    pub(crate) verdict: Verdict,
}

impl Default for AttemptLog {
    fn default() -> Self {
        let planned = |plan_index| Attempt {
            plan_index,
            status: 0,
            verdict: Verdict::Final,
        };
        Self {
            attempt_count: Cell::default(),
            attempts: array::from_fn(|index| Cell::new(planned(index))),
            signing_nanoseconds: Cell::default(),
        }
    }
}

impl AttemptLog {
    /// Records that attempt `number` (the first is 1) goes to the deployment at `plan_index`.
    pub(crate) fn begin(&self, number: u64, plan_index: usize) {
        self.attempt_count.set(number);
        self.update(number, |attempt| Attempt {
            plan_index,
            ..attempt
        });
    }

    /// Records the response to attempt `number`.
    pub(crate) fn record_response(&self, number: u64, status: u16, verdict: Verdict) {
        self.update(number, |attempt| Attempt {
            status,
            verdict,
            ..attempt
        });
    }

    /// Number of attempts made so far.
    pub(crate) const fn attempt_count(&self) -> u64 {
        self.attempt_count.get()
    }

    /// Returns attempt `number`, or `None` if it exceeds the maximum.
    pub(crate) fn attempt(&self, number: u64) -> Option<Attempt> {
        self.attempts.get(index(number)?).map(Cell::get)
    }

    /// The attempts made so far, in order.
    pub(crate) fn attempts(&self) -> impl Iterator<Item = Attempt> {
        let made = usize::try_from(self.attempt_count()).unwrap_or(usize::MAX);
        self.attempts.iter().take(made).map(Cell::get)
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

    fn update(&self, number: u64, change: impl FnOnce(Attempt) -> Attempt) {
        if let Some(attempt) = index(number).and_then(|index| self.attempts.get(index)) {
            attempt.set(change(attempt.get()));
        }
    }
}

/// Attempts are counted from 1.
fn index(number: u64) -> Option<usize> {
    usize::try_from(number.checked_sub(1)?).ok()
}
