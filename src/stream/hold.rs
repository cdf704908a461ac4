//! What a request holds of the gateway's [`capacity`](crate::capacity).

use std::rc::Rc;

use crate::admission::reject::Reject;
use crate::capacity::{Capacity, CapacityError, Permit, Reservation};
use crate::routing::active_config::ActiveConfig;

/// What a request holds.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// Until the response has ended; `None` if parallel requests are not limited.
    permit: Option<Permit>,
    /// Until the stream is destroyed, which is how long Envoy keeps the body.
    body: Option<Reservation>,
}

impl Hold {
    /// Takes what a request with a body of the `declared` length needs.
    ///
    /// # Errors
    /// [`Reject::ParallelRequests`], [`Reject::BufferedBodies`] or [`Reject::Host`].
    pub(super) fn take(
        capacity: &Rc<Capacity>,
        config: &ActiveConfig,
        declared: Option<u64>,
    ) -> Result<Self, Reject> {
        let permit = match config.parallel_requests {
            Some(limit) => Some(
                Permit::take(capacity, limit)
                    .map_err(|error| reject(error, Reject::ParallelRequests(limit)))?,
            ),
            None => None,
        };
        let body = Reservation::new(Rc::clone(capacity), config.buffered_bodies_bytes);
        let mut hold = Self {
            permit,
            body: Some(body),
        };
        hold.grow_to(declared.unwrap_or(0))?;
        Ok(hold)
    }

    /// Makes room for a body of `bytes`.
    ///
    /// # Errors
    /// [`Reject::BufferedBodies`] or [`Reject::Host`].
    pub(super) fn grow_to(&mut self, bytes: u64) -> Result<(), Reject> {
        let grown = self.body.as_mut().map(|body| body.grow_to(bytes));
        grown
            .unwrap_or(Ok(()))
            .map_err(|error| reject(error, Reject::BufferedBodies))
    }

    /// The request is over for the client.
    pub(super) fn end_response(&mut self) {
        self.permit = None;
    }
}

/// A limit that cannot be checked is not exceeded, but the request is refused all the same.
fn reject(error: CapacityError, exhausted: Reject) -> Reject {
    match error {
        CapacityError::Exhausted => exhausted,
        CapacityError::Uncountable => Reject::Host,
    }
}
