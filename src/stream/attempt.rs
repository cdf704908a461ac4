//! An attempt in the signer role: signs the upstream request, then decides on a retry.

use std::rc::Rc;

use crate::admission::reject::Reject;
use crate::headers::pairs;
use crate::routing::plan::Plan;
use crate::time::UnixTime;

/// A signed attempt.
#[derive(Debug)]
pub struct SignedAttempt {
    plan: Rc<Plan>,
    number: u64,
}

impl SignedAttempt {
    /// Signs an attempt of `plan` for the endpoint in the region cluster `cluster`. Returns it with
    /// the serialized headers of the upstream request.
    ///
    /// `number` reads the attempt's number from Envoy, which is the most expensive host call. If
    /// `is_first`, no attempt of the plan has been signed before, so the number is assumed to be 1.
    /// Envoy may have given up on an earlier attempt before its filters ran. If that one was for
    /// another region, the cluster does not match, and the number is read only then.
    ///
    /// # Errors
    /// [`Reject::Unsignable`] if Envoy chose another endpoint than planned, or the error of
    /// `number`.
    pub fn sign(
        plan: Rc<Plan>,
        is_first: bool,
        cluster: &[u8],
        number: impl Fn() -> Result<u64, Reject>,
        now: UnixTime,
    ) -> Result<(Self, Vec<u8>), Reject> {
        let mut attempt = if is_first { 1 } else { number()? };
        let mut request = plan.request(attempt, cluster, now);
        if is_first && request.is_err() {
            attempt = number()?;
            request = plan.request(attempt, cluster, now);
        }
        let headers = pairs::serialize(request?.headers().into_iter());
        let signed = Self {
            plan,
            number: attempt,
        };
        Ok((signed, headers))
    }

    /// Adds to the time that signing has taken.
    pub fn add_signing_time(&self, nanoseconds: u64) {
        self.plan.add_signing_time(nanoseconds);
    }

    /// Records a response with this `:status`. `error_type` reads its `x-amzn-errortype`. Returns
    /// whether Envoy should make another attempt.
    ///
    /// # Errors
    /// The error of `error_type`. The response is then final.
    pub fn record_response<E>(
        &self,
        status: &[u8],
        error_type: impl FnOnce() -> Result<Option<Vec<u8>>, E>,
    ) -> Result<bool, E> {
        let status = std::str::from_utf8(status)
            .ok()
            .and_then(|status| status.parse().ok());
        let Some(status) = status else { return Ok(false) };
        let error_type = match status {
            400..=499 => error_type()?,
            _ => None,
        };
        self.plan
            .record_response(self.number, status, error_type.as_deref());
        Ok(self.plan.should_retry(self.number))
    }
}
