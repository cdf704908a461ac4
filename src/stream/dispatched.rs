//! A request that went upstream, and its response as it passes.

use std::rc::Rc;

use crate::contract::operation::Operation;
use crate::headers::Headers;
use crate::pricing::Cost;
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
    response: Option<Response>,
    /// Usage and cost, once the response has ended.
    settled: Option<Settlement>,
}

/// Usage and cost of a response, as far as they are known.
#[derive(Clone, Copy, Debug, Default)]
struct Settlement {
    observation: Option<Observation>,
    cost: Option<Cost>,
}

impl Dispatched {
    pub(super) const fn new(plan: Rc<Plan>) -> Self {
        Self {
            plan,
            response: None,
            settled: None,
        }
    }

    /// The headers of the response that goes to the client, from Bedrock or from Envoy.
    pub(super) fn response_headers(&mut self, headers: Headers<'_>) {
        self.response = Some(Response::begin(self.plan.operation, headers));
    }

    pub(super) const fn has_response(&self) -> bool {
        self.response.is_some()
    }

    /// Whether the response's body is worth reading.
    pub(super) fn is_reading(&self) -> bool {
        self.response.as_ref().is_some_and(Response::is_reading)
    }

    /// Whether the response's headers can wait for its body, to carry its cost: a response that is
    /// one document.
    pub(super) fn can_be_held(&self) -> bool {
        !self.plan.operation.is_stream() && self.is_reading()
    }

    /// Reads the response's body from `start` on; with `ends` it is complete. Returns whether the first
    /// content was among the bytes. If the host does not give them, the response counts as cut.
    pub(super) fn read(&mut self, body: &impl Buffer, mut start: usize, ends: bool) -> bool {
        let mut has_content = false;
        while let Some(response) = self.response.as_mut().filter(|response| response.is_reading())
            && start < body.size()
        {
            let wanted = body.size().saturating_sub(start).min(READ_MAX_BYTES);
            let Some(chunk) = body.read(start, wanted).filter(|chunk| !chunk.is_empty()) else {
                return has_content;
            };
            has_content |= response.push(&chunk);
            start = start.saturating_add(chunk.len());
        }
        if ends {
            self.end();
        }
        has_content
    }

    /// The response is complete: settles it.
    pub(super) fn end(&mut self) {
        if let Some(response) = &mut self.response {
            response.end();
            self.settled = Some(self.settle());
        }
    }

    /// The cost of the response, once it has ended and is priced.
    pub(super) fn cost(&self) -> Option<&Cost> {
        self.settled.as_ref()?.cost.as_ref()
    }

    /// What the row says about it. `replaced` is the status that the client got instead of the
    /// response's, `Some(None)` if it got none.
    pub(super) fn served(
        &self,
        first_content: Option<UnixTime>,
        overhead_us: u64,
        replaced: Option<Option<u16>>,
    ) -> Served<'_> {
        let Settlement { observation, cost } = self.settled.unwrap_or_else(|| self.settle());
        let error_class = match &self.response {
            Some(response) => response.error_class(observation.as_ref()),
            None => Some("Cut"),
        };
        let response = self.response.as_ref();
        Served {
            plan: &self.plan,
            status: replaced.unwrap_or_else(|| response.map(|response| response.status)),
            error_class,
            request_id: response.and_then(|response| response.request_id.as_deref()),
            first_content,
            overhead_us,
            observation,
            cost,
        }
    }

    fn settle(&self) -> Settlement {
        let observation = self.observe();
        let cost = observation.as_ref().and_then(|seen| self.price(seen));
        Settlement { observation, cost }
    }

    /// What was used, or `None` if nothing was. Bedrock bills neither errors nor CountTokens. It
    /// does bill responses that the client or the gateway did not wait for.
    fn observe(&self) -> Option<Observation> {
        let plan = &self.plan;
        if plan.operation == Operation::CountTokens || plan.attempted() == 0 {
            return None;
        }
        match &self.response {
            Some(response) if !self.is_timed_out(response) => response.observe(plan.request_bytes()),
            // Estimated like a response that was cut before its first byte.
            _ => Response::begin(plan.operation, Headers(&[(b":status", b"200")]))
                .observe(plan.request_bytes()),
        }
    }

    /// Whether Envoy's time limit passed before Bedrock responded: the 504 is Envoy's.
    fn is_timed_out(&self, response: &Response) -> bool {
        let last = self.plan.responses().last();
        response.status == 504 && last.is_some_and(|(_, status, _)| status == 0)
    }

    fn price(&self, seen: &Observation) -> Option<Cost> {
        if seen.has_searched {
            return None;
        }
        let usage = seen.usage.as_ref()?;
        Cost::of(usage, seen.service_tier, seen.latency, self.plan.rates()?)
    }
}
