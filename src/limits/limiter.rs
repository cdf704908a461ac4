//! Changes tallies by compare-and-swap.

use std::fmt;
use std::rc::Rc;

use crate::capacity::{Capacity, SharedStore, StoreError};
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
}

impl fmt::Debug for Limiter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Limiter").finish_non_exhaustive()
    }
}

impl Limiter {
    /// The tallies in `store`, for the VM of `capacity`.
    pub fn new(capacity: Rc<Capacity>, store: Box<dyn SharedStore>) -> Self {
        Self { capacity, store }
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
