//! A stream in the signer role: one attempt of a request.

use std::cell::RefCell;
use std::fmt::Arguments;
use std::rc::Rc;

use envoy_bedrock::admission::reject::Reject;
use envoy_bedrock::contract::names::{METADATA_CLUSTER, METADATA_NAMESPACE, STATE_PLAN};
use envoy_bedrock::records::request_log;
use envoy_bedrock::routing::plan::Plan;
use envoy_bedrock::stream::attempt::{AttemptEdits, SignedAttempt};

use crate::abi::{CallError, HeaderMapKind, StreamHandle};
use crate::filter::{FilterFlow, replace_headers, send, serialized_headers};
use crate::host::now;
use crate::worker::PLANS;

#[derive(Default)]
pub(crate) struct SignerFilter {
    state: RefCell<SignerState>,
}

#[derive(Default)]
struct SignerState {
    /// The plan of the request, once it is found.
    plan: Option<Rc<Plan>>,
    /// The attempt, once it is signed.
    attempt: Option<SignedAttempt>,
}

impl SignerFilter {
    pub(crate) fn request_headers(&self, stream: StreamHandle) -> FilterFlow {
        let signed = self.state.borrow_mut().sign(stream);
        match signed {
            Ok(()) => FilterFlow::Continue,
            Err(reject) => {
                self.state
                    .borrow()
                    .error(format_args!("an attempt could not be signed: {reject:?}"));
                send(&reject.reply(), &[], stream);
                FilterFlow::Stop
            }
        }
    }

    /// Lets the body and trailers pass only if the headers are signed.
    pub(crate) fn request_rest(&self) -> FilterFlow {
        if self.state.borrow().attempt.is_some() {
            FilterFlow::Continue
        } else {
            FilterFlow::Stop
        }
    }

    pub(crate) fn response_headers(&self, stream: StreamHandle) {
        let state = self.state.borrow();
        if let Some(Err(error)) = state.attempt.as_ref().map(|attempt| judge(attempt, stream)) {
            state.error(format_args!(
                "a response is passed on without a retry, because a host call failed: {error:?}"
            ));
        }
    }
}

impl SignerState {
    fn sign(&mut self, stream: StreamHandle) -> Result<(), Reject> {
        let itinerary = stream.filter_state(STATE_PLAN).unwrap_or_default();
        let found = PLANS.with(|plans| plans.find(&itinerary));
        let (plan, is_first) = found.ok_or(Reject::Unsignable)?;
        self.plan = Some(Rc::clone(&plan));
        let cluster = stream
            .host_metadata(METADATA_NAMESPACE, METADATA_CLUSTER)
            .unwrap_or_default();
        let started = now();
        let number = || stream.attempt_count().ok_or(Reject::Unsignable);
        let (attempt, edits) = SignedAttempt::sign(plan, is_first, &cluster, number, started)?;
        apply(&edits, HeaderMapKind::Request, stream).map_err(|error| {
            self.error(format_args!(
                "a host call failed while signing an attempt: {error:?}"
            ));
            Reject::Host
        })?;
        attempt.add_signing_time(now().nanoseconds_since(started));
        self.attempt = Some(attempt);
        Ok(())
    }

    fn error(&self, message: Arguments<'_>) {
        request_log::error(self.plan.as_ref().map(|plan| plan.call_id.as_str()), message);
    }
}

fn judge(attempt: &SignedAttempt, stream: StreamHandle) -> Result<(), CallError> {
    let headers = serialized_headers(stream, HeaderMapKind::Response)?;
    apply(&attempt.judge(&headers, now), HeaderMapKind::Response, stream)
}

/// The headers come last: those of a response request a retry, for which the itinerary must be
/// there.
fn apply(edits: &AttemptEdits, map: HeaderMapKind, stream: StreamHandle) -> Result<(), CallError> {
    if let Some(itinerary) = &edits.itinerary {
        stream.set_filter_state(STATE_PLAN, itinerary.as_bytes())?;
    }
    let headers = edits.headers.as_ref();
    headers.map_or(Ok(()), |headers| replace_headers(stream, map, headers))
}
