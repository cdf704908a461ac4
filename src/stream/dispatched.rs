//! A request that went upstream, with its response, usage and cost.

use std::rc::Rc;

use crate::admission::reject::{MODEL_TIMEOUT_STATUS, Reply};
use crate::contract::operation::Operation;
use crate::contract::routing::FailureClass;
use crate::headers::Headers;
use crate::limits::Amount;
use crate::pricing::{Cost, PicoUsd};
use crate::records::row::Served;
use crate::routing::plan::Plan;
use crate::stream::response::Response;
use crate::stream::step::{Buffer, READ_MAX_BYTES};
use crate::time::UnixTime;
use crate::usage::Observation;

/// A dispatched request.
#[derive(Debug)]
pub(super) struct Dispatched {
    pub(super) plan: Rc<Plan>,
    /// Whether the request's body is still arriving.
    pub(super) is_arriving: bool,
    response: Option<Response>,
    /// Usage and cost, once the response is complete.
    settled: Option<Settlement>,
}

/// A response whose headers wait for its end, because they will contain its cost.
#[derive(Debug)]
pub(super) struct Held {
    /// The headers, serialized.
    pub(super) headers: Vec<u8>,
    /// Bytes of the body that have been read.
    pub(super) read_bytes: usize,
}

/// Usage and cost of a response, if known.
#[derive(Clone, Copy, Debug, Default)]
struct Settlement {
    observation: Option<Observation>,
    cost: Option<Cost>,
}

impl Dispatched {
    pub(super) const fn new(plan: Rc<Plan>, is_arriving: bool) -> Self {
        Self {
            plan,
            is_arriving,
            response: None,
            settled: None,
        }
    }

    /// Takes the headers of the response to the client, which is Bedrock's or Envoy's.
    pub(super) fn response_headers(&mut self, headers: Headers<'_>) {
        self.response = Some(Response::begin(self.plan.operation, headers));
    }

    /// Whether the response has a status that no response to this request can have: Envoy passes on
    /// a 101, and numbers that HTTP does not define. A status of 0 could not be read.
    pub(super) fn is_response_invalid(&self) -> bool {
        self.status()
            .is_some_and(|status| !matches!(status, 0 | 200..=599))
    }

    /// The client gets `reply` instead of the response.
    pub(super) fn replace_response(&mut self, reply: &Reply) {
        let status = reply.status.to_string();
        let status = (&b":status"[..], status.as_bytes());
        let headers: Vec<_> = reply.header_pairs().chain([status]).collect();
        self.response_headers(Headers(&headers));
        self.end();
    }

    /// Whether the response has begun well but is not complete.
    pub(super) fn is_cut(&self) -> bool {
        let response = self.response.as_ref();
        response.is_some_and(|response| response.status == 200 && !response.is_complete())
    }

    /// Whether the client left before it had sent the whole request.
    pub(super) const fn is_incomplete(&self) -> bool {
        self.is_arriving && self.response.is_none()
    }

    pub(super) const fn has_response(&self) -> bool {
        self.response.is_some()
    }

    /// Whether the response's body is observed. Errors are not.
    pub(super) fn is_reading(&self) -> bool {
        self.response.as_ref().is_some_and(Response::is_reading)
    }

    /// Whether the response's headers can wait for its body, so that they contain its cost. Those
    /// of a stream cannot.
    pub(super) fn can_be_held(&self) -> bool {
        !self.plan.operation.is_stream() && self.is_reading()
    }

    /// Observes the response's body from offset `start`. With `end_stream`, it is complete. Returns
    /// whether these bytes contain the first content. If a host call fails, the response counts as
    /// cut.
    pub(super) fn read(&mut self, body: &impl Buffer, mut start: usize, end_stream: bool) -> bool {
        let mut has_content = false;
        while let Some(response) = self.response.as_mut().filter(|response| response.is_reading())
            && start < body.size()
        {
            let wanted = body.size().saturating_sub(start).min(READ_MAX_BYTES);
            let count = body.read(start, wanted, &mut |piece| has_content |= response.push(piece));
            if count == 0 {
                return has_content;
            }
            start = start.saturating_add(count);
        }
        if end_stream {
            self.end();
        }
        has_content
    }

    /// Settles the response, which is complete.
    pub(super) fn end(&mut self) {
        if let Some(response) = &mut self.response {
            response.end();
            self.settled = Some(self.settle());
        }
    }

    /// The cost of the response, once it is complete, if known.
    pub(super) fn cost(&self) -> Option<&Cost> {
        self.settled.as_ref()?.cost.as_ref()
    }

    /// The status of the response, if there is one.
    pub(super) fn status(&self) -> Option<u16> {
        self.response.as_ref().map(|response| response.status)
    }

    /// What the row reports. `status` is the status that the client received, if any.
    pub(super) fn served(
        &self,
        status: Option<u16>,
        first_content: Option<UnixTime>,
        overhead_us: u64,
    ) -> Served<'_> {
        let Settlement { observation, cost } = self.settled.unwrap_or_else(|| self.settle());
        let error_class = match &self.response {
            Some(response) => response.error_class(observation.as_ref()),
            None => Some("Cut"),
        };
        let response = self.response.as_ref();
        Served {
            plan: &self.plan,
            status,
            error_class,
            request_id: response.and_then(|response| response.request_id.as_deref()),
            first_content,
            overhead_us,
            observation,
            cost,
        }
    }

    /// What counts towards limits. A cost that is not known counts as 0.
    pub(super) fn used(&self) -> Amount {
        let Settlement { observation, cost } = self.settled.unwrap_or_else(|| self.settle());
        let usage = observation.and_then(|seen| seen.usage);
        Amount {
            tokens: usage.and_then(|usage| usage.total()).unwrap_or(0),
            spend: cost.map_or(PicoUsd::ZERO, |cost| cost.total()),
        }
    }

    /// Lets other requests learn from a response that is not Bedrock's, and from a stream that has
    /// ended with an exception.
    pub(super) fn report(&self, now: &impl Fn() -> UnixTime) {
        let Some(response) = &self.response else { return };
        let last = self.plan.attempts_made().last();
        let is_unanswered = !response.is_marked && self.plan.expects_attempt();
        let is_silent = is_unanswered || last.is_none_or(|(.., status, _)| status == 0);
        match response.status {
            503 if is_silent => self.plan.record_silence(FailureClass::InternalServer, now()),
            MODEL_TIMEOUT_STATUS if is_silent && self.plan.client_limits.timeout.is_some() => {
                self.plan.record_impatience();
            }
            MODEL_TIMEOUT_STATUS if is_silent => self.plan.record_silence(FailureClass::Timeout, now()),
            _ => {}
        }
        if let Some(exception) = self.settled.and_then(|settled| settled.observation?.exception) {
            self.plan.record_exception(exception.as_str(), now());
        }
    }

    fn settle(&self) -> Settlement {
        let observation = self.observe();
        let cost = observation.as_ref().and_then(|seen| self.price(seen));
        Settlement { observation, cost }
    }

    /// What was used, or `None` if nothing is billed. Bedrock bills neither errors nor CountTokens,
    /// but it bills responses that the client or the gateway did not wait for.
    fn observe(&self) -> Option<Observation> {
        let plan = &self.plan;
        if plan.operation == Operation::CountTokens || plan.attempt_count() == 0 {
            return None;
        }
        match &self.response {
            Some(response) if !self.is_timed_out(response) => response.observe(plan.request_bytes()),
            // Estimate the usage as if the response had been cut before its first byte.
            _ => Response::begin(plan.operation, Headers(&[(b":status", b"200")]))
                .observe(plan.request_bytes()),
        }
    }

    /// Whether the timeout is Envoy's, because Bedrock did not respond in time.
    fn is_timed_out(&self, response: &Response) -> bool {
        let last = self.plan.attempts_made().last();
        response.status == MODEL_TIMEOUT_STATUS && last.is_some_and(|(.., status, _)| status == 0)
    }

    fn price(&self, seen: &Observation) -> Option<Cost> {
        if seen.has_searched {
            return None;
        }
        let usage = seen.usage.as_ref()?;
        Cost::of(usage, seen.service_tier, seen.latency, self.plan.rates()?)
    }
}
