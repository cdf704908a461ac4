//! An attempt in the signer role: signs the upstream request, then decides on a retry.

use std::rc::Rc;

use crate::admission::reject::{HEADER_ERROR_TYPE, RETRY_AFTER, Reject};
use crate::contract::names::{HEADER_BACKOFF, HEADER_RETRY};
use crate::credentials::{IssuedCredential, IssuedSecret};
use crate::headers::{Headers, is_reserved, pairs};
use crate::routing::outcome::AttemptResponse;
use crate::routing::plan::Plan;
use crate::routing::verdict::refuses_credential;
use crate::time::UnixTime;

/// What the shell must change after a callback of an attempt.
#[derive(Debug, Default)]
pub struct AttemptEdits {
    /// Headers that replace those of the request or the response, serialized.
    pub headers: Option<Vec<u8>>,
    /// The new value of [`PROPERTY_PLAN`](crate::contract::names::PROPERTY_PLAN).
    pub itinerary: Option<String>,
}

/// A signed attempt.
#[derive(Debug)]
pub struct SignedAttempt {
    plan: Rc<Plan>,
    number: u64,
    /// What the broker has issued for it.
    issued: Option<Rc<IssuedCredential>>,
}

impl SignedAttempt {
    /// Signs an attempt of `plan` for the endpoint in the region cluster `cluster`. Returns it with
    /// the edits that must be made.
    ///
    /// `number` reads the attempt's number from Envoy, which is the most expensive host call. If
    /// `is_first`, no attempt of the plan has been signed before, so the number is assumed to be 1.
    /// Envoy may have given up on an earlier attempt before its filters ran. If that one was for
    /// another region, the cluster does not match, and the number is read only then.
    ///
    /// # Errors
    /// [`Reject::Unsignable`] if Envoy chose another endpoint than planned,
    /// [`Reject::NoCredentials`] if there are no credentials for it, or the error of `number`.
    pub fn sign(
        plan: Rc<Plan>,
        is_first: bool,
        cluster: &[u8],
        number: impl Fn() -> Result<u64, Reject>,
        now: UnixTime,
    ) -> Result<(Self, AttemptEdits), Reject> {
        let mut attempt = if is_first { 1 } else { number()? };
        let mut request = plan.request(attempt, cluster, now);
        if is_first && request.is_err() {
            attempt = number()?;
            request = plan.request(attempt, cluster, now);
        }
        let request = request?;
        let headers = pairs::serialize(request.headers().into_iter());
        let issued = request.issued();
        let edits = AttemptEdits {
            headers: Some(headers),
            itinerary: plan.changed_itinerary(attempt),
        };
        let signed = Self {
            plan,
            number: attempt,
            issued,
        };
        Ok((signed, edits))
    }

    /// Adds to the time that signing has taken.
    pub fn add_signing_time(&self, nanoseconds: u64) {
        self.plan.add_signing_time(nanoseconds);
    }

    /// Judges a response by its serialized `headers`. The headers to replace them with are without
    /// those that an upstream must not send, and with [`HEADER_RETRY`] if Envoy should make another
    /// attempt. `now` is called only if the broker has credentials of the plan.
    pub fn judge(&self, headers: &[u8], now: impl Fn() -> UnixTime) -> AttemptEdits {
        let Some(received) = pairs::parse(headers) else {
            return AttemptEdits::default();
        };
        let should_retry = self.should_retry(Headers(&received), now);
        let is_clean = !received.iter().any(|(name, _)| is_reserved(name));
        if is_clean && !should_retry {
            return AttemptEdits::default();
        }
        let kept = received.iter().copied().filter(|(name, _)| !is_reserved(name));
        let mark = should_retry.then_some((HEADER_RETRY.as_bytes(), &b"1"[..]));
        let wait = should_retry.then(|| self.plan.backoff_seconds(retry_after(Headers(&received))));
        let wait = wait.flatten().map(|seconds| seconds.to_string());
        let wait = wait
            .as_ref()
            .map(|seconds| (HEADER_BACKOFF.as_bytes(), seconds.as_bytes()));
        AttemptEdits {
            headers: Some(pairs::serialize(kept.chain(mark).chain(wait))),
            itinerary: should_retry
                .then(|| self.plan.changed_itinerary(self.number))
                .flatten(),
        }
    }

    /// Records the response. A response without a valid status is final.
    fn should_retry(&self, headers: Headers<'_>, now: impl Fn() -> UnixTime) -> bool {
        let Some(status) = headers.status() else {
            return false;
        };
        let error_type = headers.all(HEADER_ERROR_TYPE).next();
        if let Some(issued) = &self.issued
            && refuses_credential(
                status,
                error_type,
                matches!(issued.secret, IssuedSecret::Bearer(_)),
            )
        {
            issued.reject();
        }
        let response = AttemptResponse {
            status,
            error_type,
            retry_after: retry_after(headers),
        };
        self.plan.record_response(self.number, response, &now);
        self.plan.should_retry(self.number, &now) && self.plan.has_time_for_retry(response.retry_after, &now)
    }
}

/// The value of `retry-after`, in seconds. Bedrock sends no dates.
fn retry_after(headers: Headers<'_>) -> Option<u64> {
    let value = headers.all(RETRY_AFTER).next()?;
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}
