//! What happened to the attempts of a plan. The signer role writes it and the gateway role reads it.

use std::array;
use std::cell::Cell;

use crate::routing::active_config::ATTEMPTS_MAX;
use crate::routing::verdict::Verdict;

/// Attempts that are recorded: all that a request can make.
const PLACES: usize = ATTEMPTS_MAX as usize;

/// The attempts made, and the time it took to sign them.
#[derive(Debug)]
pub(crate) struct AttemptLog {
    /// Attempts made.
    attempted: Cell<u64>,
    attempts: [Cell<Attempt>; PLACES],
    /// Time that signing has taken, in nanoseconds.
    signing: Cell<u64>,
}

/// One attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    /// Index of its deployment in the plan.
    pub(crate) place: usize,
    /// Status of the response, 0 if there was none.
    pub(crate) status: u16,
    /// What the response says about further attempts.
    pub(crate) verdict: Verdict,
}

impl Default for AttemptLog {
    fn default() -> Self {
        let planned = |place| Attempt {
            place,
            status: 0,
            verdict: Verdict::Final,
        };
        Self {
            attempted: Cell::default(),
            attempts: array::from_fn(|index| Cell::new(planned(index))),
            signing: Cell::default(),
        }
    }
}

impl AttemptLog {
    /// Attempt `number` (the first is 1) goes to the deployment at index `place` of the plan.
    pub(crate) fn begin(&self, number: u64, place: usize) {
        self.attempted.set(number);
        self.update(number, |attempt| Attempt { place, ..attempt });
    }

    /// Attempt `number` got a response.
    pub(crate) fn record_response(&self, number: u64, status: u16, verdict: Verdict) {
        self.update(number, |attempt| Attempt {
            status,
            verdict,
            ..attempt
        });
    }

    /// Attempts made so far.
    pub(crate) const fn attempted(&self) -> u64 {
        self.attempted.get()
    }

    /// Attempt `number`; `None` if it is beyond what a request can make.
    pub(crate) fn attempt(&self, number: u64) -> Option<Attempt> {
        self.attempts.get(index(number)?).map(Cell::get)
    }

    /// The attempts made so far, in order.
    pub(crate) fn attempts(&self) -> impl Iterator<Item = Attempt> {
        let made = usize::try_from(self.attempted()).unwrap_or(usize::MAX);
        self.attempts.iter().take(made).map(Cell::get)
    }

    /// Adds to the time that signing has taken, in nanoseconds.
    pub(crate) fn add_signing_time(&self, nanoseconds: u64) {
        self.signing.set(self.signing.get().saturating_add(nanoseconds));
    }

    /// Time that signing all attempts has taken, in nanoseconds.
    pub(crate) const fn signing_nanoseconds(&self) -> u64 {
        self.signing.get()
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
