//! Changes tallies by compare-and-swap.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use crate::capacity::{Capacity, Presence, SharedStore, StoreError};
use crate::limits::exceeded::{Exceeded, ExceededLimit, GrantError};
use crate::limits::subject::{LimitSubject, Standing};
use crate::limits::tally::Tally;
use crate::time::UnixTime;

/// Maximum compare-and-swap attempts. Each failure means that another VM succeeded.
const WRITE_ATTEMPTS: u32 = 1000;

/// The limits' tallies, as a VM sees them.
pub struct Limiter {
    /// Tells which VMs live.
    capacity: Rc<Capacity>,
    store: Box<dyn SharedStore>,
    debts: RefCell<Vec<Debt>>,
}

/// A change of a tally by a VM.
type TallyChange = dyn Fn(&mut Tally, u64);

/// A change that failed and must still be made.
struct Debt {
    subject: Rc<LimitSubject>,
    change: Box<TallyChange>,
    /// Keeps this VM in the ledger meanwhile.
    _presence: Option<Rc<Presence>>,
}

impl fmt::Debug for Limiter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Limiter").finish_non_exhaustive()
    }
}

impl Limiter {
    /// The tallies in `store`, for the VM of `capacity`.
    pub fn new(capacity: Rc<Capacity>, store: Box<dyn SharedStore>) -> Self {
        Self {
            capacity,
            store,
            debts: RefCell::default(),
        }
    }

    /// What all workers together may do at once.
    pub(crate) const fn capacity(&self) -> &Rc<Capacity> {
        &self.capacity
    }

    /// Creates the tallies of these subjects, unless they exist. Envoy configures the filter on its
    /// main thread first, so no worker is using them yet.
    pub(crate) fn open<'a>(&self, subjects: impl Iterator<Item = &'a LimitSubject>) {
        for subject in subjects {
            let shared_key = subject.shared_key();
            if self.store.read(&shared_key) == Ok(None) {
                let empty = Tally::default().serialize();
                let _later = self.store.write(&shared_key, &empty, 0);
            }
        }
    }

    /// How a subject stands; `None` if its tally cannot be read.
    pub(crate) fn standing(&self, subject: &LimitSubject, now: UnixTime) -> Option<Standing> {
        let (mut tally, _) = self.read(&subject.shared_key()).ok()?;
        if let Ok(living) = self.capacity.living() {
            tally.drop_dead(|vm| living.contains(&vm));
        }
        Some(tally.standing(&subject.limits, now))
    }

    /// Changes the tally of a subject. A change that would exceed a limit is tried again without
    /// what dead VMs hold.
    pub(super) fn change<T>(
        &self,
        subject: &LimitSubject,
        now: UnixTime,
        change: impl Fn(&mut Tally, u64) -> Result<T, ExceededLimit>,
    ) -> Result<(T, Standing), GrantError> {
        let (vm, shared_key) = (self.capacity.vm(), subject.shared_key());
        let mut checks_dead = false;
        for _ in 0..WRITE_ATTEMPTS {
            let (mut tally, number) = self.read(&shared_key)?;
            if checks_dead {
                let living = self.capacity.living().map_err(|_| GrantError::Uncountable)?;
                tally.drop_dead(|other| other == vm || living.contains(&other));
            }
            match change(&mut tally, vm) {
                Ok(result) => {
                    if self.store.write(&shared_key, &tally.serialize(), number) {
                        return Ok((result, tally.standing(&subject.limits, now)));
                    }
                }
                Err(_) if !checks_dead => checks_dead = true,
                Err(limit) => {
                    let holder = subject.holder.clone();
                    let at = now;
                    return Err(GrantError::Exceeded(Box::new(Exceeded { holder, limit, at })));
                }
            }
        }
        Err(GrantError::Uncountable)
    }

    /// Makes a change that cannot exceed a limit. If it fails now, it is made by a later
    /// [`Limiter::settle_debts`]. `presence` keeps this VM in the ledger until then.
    pub(super) fn change_surely(
        &self,
        subject: &Rc<LimitSubject>,
        now: UnixTime,
        presence: Option<Rc<Presence>>,
        change: impl Fn(&mut Tally, u64) + 'static,
    ) -> Option<Standing> {
        let debt = Debt {
            subject: Rc::clone(subject),
            change: Box::new(change),
            _presence: presence,
        };
        self.pay(debt, now)
    }

    /// Makes the changes that have failed. Must be called from time to time.
    pub fn settle_debts(&self, now: UnixTime) {
        for debt in self.debts.take() {
            self.pay(debt, now);
        }
    }

    fn pay(&self, debt: Debt, now: UnixTime) -> Option<Standing> {
        let changed = self.change(&debt.subject, now, |tally, vm| {
            (debt.change)(tally, vm);
            Ok(())
        });
        if changed.is_err() {
            self.debts.borrow_mut().push(debt);
        }
        changed.ok().map(|((), standing)| standing)
    }

    fn read(&self, shared_key: &str) -> Result<(Tally, u32), GrantError> {
        let value = self.store.read(shared_key);
        match value.map_err(|StoreError| GrantError::Uncountable)? {
            Some((bytes, number)) => {
                let tally = Tally::parse(&bytes).ok_or(GrantError::Uncountable)?;
                Ok((tally, number))
            }
            None => Ok((Tally::default(), 0)),
        }
    }
}
