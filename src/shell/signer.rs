//! A stream in the signer role: one attempt of a request.

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, MapType};

use super::host::HostError;
use super::{PLANS, gateway, host};
use crate::admission::reject::Reject;
use crate::contract::names::{PROPERTY_CLUSTER, PROPERTY_PLAN};
use crate::stream::attempt::SignedAttempt;

/// Property of the attempt's number: u64, little endian, starting at 1.
const PROPERTY_ATTEMPT: &str = "upstream\0request_attempt_count";

/// Holds the attempt once it is signed.
#[derive(Default)]
pub(super) struct SignerContext(Option<SignedAttempt>);

impl Context for SignerContext {}

impl HttpContext for SignerContext {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        match self.sign() {
            Ok(()) => Action::Continue,
            Err(reject) => {
                log::error!("an attempt could not be signed: {reject:?}");
                gateway::send(&reject.reply())
            }
        }
    }

    fn on_http_request_body(&mut self, _: usize, _: bool) -> Action {
        self.pass()
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        self.pass()
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if let Some(Err(error)) = self.0.as_ref().map(judge) {
            log::error!("a response is passed on without a retry, because a host call failed: {error:?}");
        }
        Action::Continue
    }
}

impl SignerContext {
    /// Lets the body and trailers pass only if the headers are signed.
    const fn pass(&self) -> Action {
        if self.0.is_some() {
            Action::Continue
        } else {
            Action::Pause
        }
    }

    fn sign(&mut self) -> Result<(), Reject> {
        let key = host::property(PROPERTY_PLAN).map_err(failed)?.unwrap_or_default();
        let (plan, is_first) = PLANS.with(|plans| plans.find(&key)).ok_or(Reject::Unsignable)?;
        let cluster = host::property(PROPERTY_CLUSTER)
            .map_err(failed)?
            .unwrap_or_default();
        let now = host::clock().map_err(failed)?;
        let (attempt, headers) = SignedAttempt::sign(plan, is_first, &cluster, attempt_number, now)?;
        host::set_headers(MapType::HttpRequestHeaders, &headers).map_err(failed)?;
        attempt.add_signing_time(host::now().nanoseconds_since(now));
        self.0 = Some(attempt);
        Ok(())
    }
}

fn judge(attempt: &SignedAttempt) -> Result<(), HostError> {
    let headers = host::headers(MapType::HttpResponseHeaders)?;
    let changed = attempt.judge(&headers);
    changed.map_or(Ok(()), |headers| {
        host::set_headers(MapType::HttpResponseHeaders, &headers)
    })
}

fn attempt_number() -> Result<u64, Reject> {
    let number = host::property(PROPERTY_ATTEMPT).map_err(failed)?;
    let number = number.and_then(|bytes| bytes.try_into().ok());
    number.map(u64::from_le_bytes).ok_or(Reject::Unsignable)
}

fn failed(error: HostError) -> Reject {
    log::error!("a host call failed while signing an attempt: {error:?}");
    Reject::Host
}
