//! An attempt in the signer role: signs the upstream request, then judges its response.

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
    /// Signs an attempt of `plan` to the endpoint in `cluster`. Returns it and the headers of the
    /// upstream request, in the ABI's serialised form.
    ///
    /// `is_first` says that no attempt of the plan has come here before. `number` asks Envoy for the
    /// attempt's number, the most expensive host call. The first attempt that comes here is number 1,
    /// unless Envoy gave up on one before its filters ran; if that one was for another region, the
    /// cluster does not match and the number is asked for after all.
    ///
    /// # Errors
    /// [`Reject::Unsignable`] if the endpoint is not the planned one, or the error of `number`.
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
        let headers = pairs::serialise(request?.headers().into_iter());
        let signed = Self {
            plan,
            number: attempt,
        };
        Ok((signed, headers))
    }

    /// Signing has taken this much time, in nanoseconds.
    pub fn add_signing_time(&self, nanoseconds: u64) {
        self.plan.add_signing_time(nanoseconds);
    }

    /// Bedrock responded with this `:status`; `error_type` reads its `x-amzn-errortype`. Returns whether
    /// Envoy shall make another attempt.
    ///
    /// # Errors
    /// That of `error_type`. The response is then final.
    pub fn response<E>(
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
        Ok(self.plan.is_retried(self.number))
    }
}
