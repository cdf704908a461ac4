//! What one request holds. Dropping it returns it, however the request ends.

use std::rc::Rc;

use crate::capacity::account::{Capacity, CapacityError};

/// One of the parallel requests.
#[derive(Debug)]
pub struct Permit(Rc<Capacity>);

impl Permit {
    /// Counts a request, up to `limit` at once.
    ///
    /// # Errors
    /// [`CapacityError`]; nothing is counted then.
    pub fn take(capacity: &Rc<Capacity>, limit: u64) -> Result<Self, CapacityError> {
        capacity.take_permit(limit)?;
        Ok(Self(Rc::clone(capacity)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.return_permit();
    }
}

/// A request that holds something of the limits of a key or team.
#[derive(Debug)]
pub(crate) struct Presence(Rc<Capacity>);

impl Presence {
    /// Counts a request.
    ///
    /// # Errors
    /// [`CapacityError::Uncountable`]; nothing is counted then.
    pub(crate) fn take(capacity: &Rc<Capacity>) -> Result<Self, CapacityError> {
        capacity.take_presence()?;
        Ok(Self(Rc::clone(capacity)))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.return_presence();
    }
}

/// Room for a body.
#[derive(Debug)]
pub struct Reservation {
    capacity: Rc<Capacity>,
    /// For all requests together.
    limit_bytes: u64,
    bytes: u64,
}

impl Reservation {
    /// Reserves nothing yet. All reservations together are at most `limit_bytes`.
    pub const fn new(capacity: Rc<Capacity>, limit_bytes: u64) -> Self {
        Self {
            capacity,
            limit_bytes,
            bytes: 0,
        }
    }

    /// Reserves room for a body of `bytes`, unless that many are reserved already.
    ///
    /// # Errors
    /// [`CapacityError`]; the reservation is unchanged then.
    pub fn grow_to(&mut self, bytes: u64) -> Result<(), CapacityError> {
        let more = bytes.saturating_sub(self.bytes);
        if more > 0 {
            self.capacity.take_bytes(more, self.limit_bytes)?;
            self.bytes = bytes;
        }
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.capacity.return_bytes(self.bytes);
        }
    }
}
