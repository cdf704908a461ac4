//! A stream in the signer role: one attempt of a request.

use std::fmt::Arguments;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, MapType};

use super::host::HostError;
use super::{PLANS, gateway, host};
use crate::admission::reject::Reject;
use crate::contract::names::{PROPERTY_CLUSTER, PROPERTY_PLAN};
use crate::records::request_log;
use crate::routing::plan::Plan;
use crate::stream::attempt::{AttemptEdits, SignedAttempt};

/// Property of the attempt's number: u64, little endian, starting at 1.
const PROPERTY_ATTEMPT: &str = "upstream\0request_attempt_count";

#[derive(Default)]
pub(super) struct SignerContext {
    /// The plan of the request, once it is found.
    plan: Option<Rc<Plan>>,
    /// The attempt, once it is signed.
    attempt: Option<SignedAttempt>,
}

impl Context for SignerContext {}

impl HttpContext for SignerContext {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        match self.sign() {
            Ok(()) => Action::Continue,
            Err(reject) => {
                self.error(format_args!("an attempt could not be signed: {reject:?}"));
                gateway::send(&reject.reply(), self.call_id())
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
        if let Some(Err(error)) = self.attempt.as_ref().map(judge) {
            self.error(format_args!(
                "a response is passed on without a retry, because a host call failed: {error:?}"
            ));
        }
        Action::Continue
    }
}

impl SignerContext {
    /// Lets the body and trailers pass only if the headers are signed.
    const fn pass(&self) -> Action {
        if self.attempt.is_some() {
            Action::Continue
        } else {
            Action::Pause
        }
    }

    fn sign(&mut self) -> Result<(), Reject> {
        let itinerary = host::property(PROPERTY_PLAN)
            .map_err(self.failed())?
            .unwrap_or_default();
        let (plan, is_first) = PLANS
            .with(|plans| plans.find(&itinerary))
            .ok_or(Reject::Unsignable)?;
        self.plan = Some(Rc::clone(&plan));
        let cluster = host::property(PROPERTY_CLUSTER)
            .map_err(self.failed())?
            .unwrap_or_default();
        let now = host::clock().map_err(self.failed())?;
        let number = || self.attempt_number();
        let (attempt, edits) = SignedAttempt::sign(plan, is_first, &cluster, number, now)?;
        apply(&edits, MapType::HttpRequestHeaders).map_err(self.failed())?;
        attempt.add_signing_time(host::now().nanoseconds_since(now));
        self.attempt = Some(attempt);
        Ok(())
    }

    fn attempt_number(&self) -> Result<u64, Reject> {
        let number = host::property(PROPERTY_ATTEMPT).map_err(self.failed())?;
        let number = number.and_then(|bytes| bytes.try_into().ok());
        number.map(u64::from_le_bytes).ok_or(Reject::Unsignable)
    }

    fn failed(&self) -> impl FnOnce(HostError) -> Reject {
        |error| {
            self.error(format_args!(
                "a host call failed while signing an attempt: {error:?}"
            ));
            Reject::Host
        }
    }

    fn error(&self, message: Arguments<'_>) {
        request_log::error(self.call_id(), message);
    }

    fn call_id(&self) -> Option<&str> {
        Some(&self.plan.as_ref()?.call_id)
    }
}

fn judge(attempt: &SignedAttempt) -> Result<(), HostError> {
    let headers = host::headers(MapType::HttpResponseHeaders)?;
    apply(&attempt.judge(&headers, host::now), MapType::HttpResponseHeaders)
}

/// The headers come last: those of a response request a retry, for which the itinerary must be
/// there.
fn apply(edits: &AttemptEdits, map: MapType) -> Result<(), HostError> {
    if let Some(itinerary) = &edits.itinerary {
        host::set_property(PROPERTY_PLAN, itinerary.as_bytes())?;
    }
    let headers = edits.headers.as_ref();
    headers.map_or(Ok(()), |headers| host::set_headers(map, headers))
}
