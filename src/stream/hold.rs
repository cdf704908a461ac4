//! What a request holds of the gateway's [`capacity`](crate::capacity), and of the
//! [`limits`](crate::limits) of its key and team.

use std::rc::Rc;

use crate::admission::reject::Reject;
use crate::capacity::{CapacityError, Permit, Reservation};
use crate::limits::{Amount, Grant, GrantError, LimitSubject, Limiter, Standing};
use crate::routing::active_config::ActiveConfig;
use crate::stream::request::Request;
use crate::time::UnixTime;

/// What a request holds.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// Until the response has ended; `None` if parallel requests are not limited.
    permit: Option<Permit>,
    /// Until the stream is destroyed, which is how long Envoy keeps the body.
    body: Option<Reservation>,
    /// What it holds of limits; `None` without a request.
    grant: Option<Grant>,
    /// The status if a budget is exceeded.
    budget_status: u16,
}

impl Hold {
    /// Makes room for a body of the `declared` length.
    ///
    /// # Errors
    /// [`Reject::BufferedBodies`] or [`Reject::Host`].
    pub(super) fn hold_body(
        &mut self,
        limiter: &Limiter,
        config: &ActiveConfig,
        declared: Option<u64>,
    ) -> Result<(), Reject> {
        let reservation = || Reservation::new(Rc::clone(limiter.capacity()), config.buffered_bodies_bytes);
        self.body.get_or_insert_with(reservation);
        self.grow_to(declared.unwrap_or(0))
    }

    /// Takes what `request` needs, which has a body of the `declared` length.
    ///
    /// # Errors
    /// [`Reject::LimitExceeded`], [`Reject::ParallelRequests`], [`Reject::BufferedBodies`] or
    /// [`Reject::Host`].
    pub(super) fn take(
        &mut self,
        limiter: &Rc<Limiter>,
        config: &ActiveConfig,
        request: &Request,
        declared: Option<u64>,
        now: UnixTime,
    ) -> Result<(), Reject> {
        self.budget_status = request.budget_exceeded_status();
        if let Some(limit) = config.parallel_requests {
            let permit = Permit::take(limiter.capacity(), limit);
            let permit = permit.map_err(|error| reject(error, Reject::ParallelRequests(limit)));
            self.permit = Some(permit?);
        }
        self.hold_body(limiter, config, declared)?;
        if !request.subjects().is_empty() {
            let grant = Grant::take(limiter, request.subjects(), now);
            self.grant = Some(grant.map_err(|error| self.refusal(error))?);
        }
        Ok(())
    }

    /// Reserves what the request will probably use, and lets it go upstream.
    ///
    /// # Errors
    /// [`Reject::LimitExceeded`] or [`Reject::Host`].
    pub(super) fn dispatch(&self, expected: impl FnOnce() -> Amount, now: UnixTime) -> Result<(), Reject> {
        let Some(grant) = &self.grant else { return Ok(()) };
        if grant.needs_reservation() {
            let reserved = grant.reserve(expected(), now);
            reserved.map_err(|error| self.refusal(error))?;
        }
        grant.dispatch();
        Ok(())
    }

    /// Records what the request has used. Only the first call has an effect.
    pub(super) fn settle(&self, used: impl FnOnce() -> Amount, now: impl Fn() -> UnixTime) {
        if let Some(grant) = &self.grant {
            grant.settle(used, now());
        }
    }

    /// Whom the limits for the request are for, and how they stand.
    pub(super) fn standings(&self, now: UnixTime) -> Vec<(Rc<LimitSubject>, Standing)> {
        let grant = self.grant.as_ref();
        grant.map(|grant| grant.standings(now)).unwrap_or_default()
    }

    fn refusal(&self, error: GrantError) -> Reject {
        match error {
            GrantError::Exceeded(exceeded) => Reject::LimitExceeded {
                exceeded,
                budget_status: self.budget_status,
            },
            GrantError::Uncountable => Reject::Host,
        }
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
