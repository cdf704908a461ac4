//! What one request holds of the limits of its key and team. Dropping it returns that, however the
//! request ends.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::capacity::Presence;
use crate::limits::exceeded::GrantError;
use crate::limits::limiter::Limiter;
use crate::limits::subject::{LimitSubject, Standing};
pub(crate) use crate::limits::tally::Amount;
use crate::limits::tally::Tally;
use crate::time::UnixTime;

/// What one request holds.
#[derive(Debug)]
pub(crate) struct Grant {
    limiter: Rc<Limiter>,
    holdings: RefCell<Vec<Holding>>,
    state: Cell<GrantState>,
    /// Keeps this VM in the ledger, so that others do not drop what the request holds.
    presence: Option<Rc<Presence>>,
}

/// What one request holds of one subject.
#[derive(Debug)]
struct Holding {
    subject: Rc<LimitSubject>,
    /// The minute that the request is counted in; `None` if only its spend is counted.
    minute: Option<u64>,
    /// What the request has reserved.
    reserved: Amount,
    /// `None` if the tally was not read yet.
    standing: Option<Standing>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GrantState {
    /// The request is not dispatched: if it ends, it was not served.
    Admitted,
    Dispatched,
    /// Nothing is held any more.
    Settled,
}

impl Grant {
    /// Counts a request for all `subjects`, or for none of them.
    ///
    /// # Errors
    /// [`GrantError`]
    pub(crate) fn take(
        limiter: &Rc<Limiter>,
        subjects: &[Rc<LimitSubject>],
        now: UnixTime,
    ) -> Result<Self, GrantError> {
        limiter.settle_debts(now);
        let is_limited = subjects.iter().any(|subject| subject.limits.are_checked());
        let presence = is_limited.then(|| Presence::take(limiter.capacity()));
        let presence = presence.transpose().map_err(|_| GrantError::Uncountable)?;
        let grant = Self {
            limiter: Rc::clone(limiter),
            holdings: RefCell::default(),
            state: Cell::new(GrantState::Admitted),
            presence: presence.map(Rc::new),
        };
        for subject in subjects {
            let mut holding = Holding {
                subject: Rc::clone(subject),
                minute: None,
                reserved: Amount::default(),
                standing: None,
            };
            if subject.limits.are_checked() {
                let admit = limiter.change(subject, now, |tally, vm| tally.admit(vm, &subject.limits, now));
                // If this fails, dropping the grant returns what was taken before.
                let (minute, standing) = admit?;
                holding.minute = Some(minute);
                holding.standing = Some(standing);
            }
            grant.holdings.borrow_mut().push(holding);
        }
        Ok(grant)
    }

    /// Whether the request must reserve what it will probably use.
    pub(crate) fn needs_reservation(&self) -> bool {
        let holdings = self.holdings.borrow();
        let mut subjects = holdings.iter().map(|holding| &holding.subject);
        subjects.any(|subject| subject.limits.needs_reservations())
    }

    /// Reserves what the request will probably use.
    ///
    /// # Errors
    /// [`GrantError`]. The request must then be refused, and the grant dropped.
    pub(crate) fn reserve(&self, amount: Amount, now: UnixTime) -> Result<(), GrantError> {
        for holding in self.holdings.borrow_mut().iter_mut() {
            let limits = &holding.subject.limits;
            if limits.needs_reservations() {
                let reserve = self.limiter.change(&holding.subject, now, |tally, vm| {
                    tally.reserve(vm, amount, limits, now)
                });
                holding.standing = Some(reserve?.1);
                holding.reserved = amount;
            }
        }
        Ok(())
    }

    /// The request goes upstream, so it counts from now on, whatever happens.
    pub(crate) fn dispatch(&self) {
        self.state.set(GrantState::Dispatched);
    }

    /// The request is over, and has used this. Later calls have no effect.
    pub(crate) fn settle(&self, used: impl FnOnce() -> Amount, now: UnixTime) {
        if self.state.replace(GrantState::Settled) == GrantState::Settled {
            return;
        }
        let used = used();
        for holding in self.holdings.borrow_mut().iter_mut() {
            let subject = Rc::clone(&holding.subject);
            let held = holding.minute.map(|_| holding.reserved);
            let presence = self.presence.clone();
            let settle = move |tally: &mut Tally, vm| tally.settle(vm, held, used, &subject.limits, now);
            let settled = self
                .limiter
                .change_surely(&holding.subject, now, presence, settle);
            holding.standing = settled.or(holding.standing);
        }
    }

    /// Each subject, and how it stands at `now`, if that is known.
    pub(crate) fn standings(&self, now: UnixTime) -> Vec<(Rc<LimitSubject>, Standing)> {
        let holdings = self.holdings.borrow();
        let standings = holdings.iter().filter_map(|holding| {
            let subject = &holding.subject;
            let known = holding.standing;
            let standing = known.or_else(|| self.limiter.standing(subject, now))?;
            Some((Rc::clone(subject), standing))
        });
        standings.collect()
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        let state = self.state.get();
        if state == GrantState::Settled {
            return;
        }
        for holding in self.holdings.get_mut() {
            let (subject, reserved) = (&holding.subject, holding.reserved);
            let Some(minute) = holding.minute else { continue };
            // The time only matters for what is shown.
            let now = UnixTime::default();
            let presence = self.presence.clone();
            self.limiter
                .change_surely(subject, now, presence, move |tally, vm| {
                    tally.give_back(vm, reserved);
                    if state == GrantState::Admitted {
                        tally.uncount(minute);
                    }
                });
        }
    }
}
