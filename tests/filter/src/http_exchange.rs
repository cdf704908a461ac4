//! A request and its response, taken through both roles as by Envoy's connection manager and
//! router.

use std::collections::BTreeMap;

use envoy_bedrock::contract::itinerary::{NEXT, NOWHERE};
use envoy_bedrock::contract::names::{
    METADATA_CLUSTER, METADATA_NAMESPACE, PROPERTY_PLAN, ROOT_GATEWAY, ROOT_SIGNER,
};

use crate::flow::Direction::{Request as Upward, Response as Downward};
use crate::flow::Flow;
use crate::header_map::HeaderMap;
use crate::host::{FilterState, LocalResponse, Properties};
use crate::message::{ClientResponse, HttpMessage, RequestOutcome, UpstreamResponse};
use crate::vm::{Trap, Vm};

/// A request in progress, and its response.
pub struct HttpExchange {
    vm: Vm,
    gateway: Flow,
    signers: Vec<Flow>,
    properties: Properties,
    /// The request's header map, which each attempt changes further.
    upstream: Option<HeaderMap>,
    local: Option<String>,
    late_signers: bool,
    filter_state: FilterState,
}

impl HttpExchange {
    /// Opens the gateway's context and passes it the headers.
    pub(crate) fn open(
        vm: Vm,
        headers: HeaderMap,
        end: bool,
        properties: Properties,
    ) -> Result<HttpExchange, Trap> {
        let filter_state = FilterState::default();
        let gateway = Flow::open(&vm, ROOT_GATEWAY, properties.clone(), filter_state.clone())?;
        let mut exchange = HttpExchange {
            vm,
            gateway,
            signers: Vec::new(),
            properties,
            upstream: None,
            local: None,
            late_signers: false,
            filter_state,
        };
        exchange.gateway.headers(Upward, headers, end)?;
        exchange.poll()?;
        Ok(exchange)
    }

    /// More of the request's body. As in Envoy, it is ignored after a local reply.
    pub fn request_chunk(&mut self, chunk: &[u8], end: bool) -> Result<(), Trap> {
        if self.local.is_some() {
            return Ok(());
        }
        self.gateway.body(Upward, chunk, end)?;
        self.poll()
    }

    /// The request's trailers, with which it ends.
    pub fn request_trailers(&mut self, trailers: HeaderMap) -> Result<(), Trap> {
        if self.local.is_some() {
            return Ok(());
        }
        self.gateway.trailers(Upward, trailers)?;
        self.poll()
    }

    /// Delivers a local reply that the module sent outside this stream's callbacks, such as in a
    /// timer, or lets the request go on.
    pub fn poll(&mut self) -> Result<(), Trap> {
        self.gateway.resume();
        match self.gateway.local() {
            Some(response) if self.local.is_none() => self.reply(response),
            _ => Ok(()),
        }
    }

    /// The number of request body bytes that Envoy holds for the gateway role.
    pub fn request_buffer_bytes(&self) -> usize {
        self.gateway.held(Upward)
    }

    /// The state of the request.
    pub fn outcome(&self) -> RequestOutcome {
        if let Some(details) = &self.local {
            let reply = self.gateway.out(Downward);
            let headers = reply.headers.clone().unwrap_or_default();
            let status = headers
                .text(":status")
                .and_then(|status| status.parse().ok())
                .unwrap_or_default();
            return RequestOutcome::LocalReply {
                status,
                headers,
                body: reply.body(),
                details: details.clone(),
            };
        }
        let forwarded = self.gateway.out(Upward);
        if forwarded.headers.is_some() {
            RequestOutcome::Forwarded(forwarded.clone())
        } else {
            RequestOutcome::Waiting
        }
    }

    /// Attempt `number` (from 1): the signer role, for an endpoint of the region cluster `cluster`,
    /// with the header map that earlier attempts have changed. Returns what goes upstream; see
    /// [`HttpExchange::outcome`] for a local reply of the signer.
    pub fn attempt(&mut self, number: u64, cluster: &str) -> Result<HttpMessage, Trap> {
        let request = self.gateway.out(Upward).clone();
        let headers = request
            .headers
            .clone()
            .expect("a request that the gateway let through");
        let mut properties = self.properties.clone();
        let metadata = [
            "xds",
            "upstream_host_metadata",
            "filter_metadata",
            METADATA_NAMESPACE,
            METADATA_CLUSTER,
        ];
        properties.insert(metadata.join("\0").into_bytes(), cluster.as_bytes().to_vec());
        properties.insert(
            b"upstream\0request_attempt_count".to_vec(),
            number.to_le_bytes().to_vec(),
        );
        let mut signer = Flow::open(&self.vm, ROOT_SIGNER, properties, self.filter_state.clone())?;

        let alone = request.ended && request.chunks.is_empty() && request.trailers.is_none();
        signer.headers(Upward, self.upstream.take().unwrap_or(headers), alone)?;
        self.upstream = Some(signer.map(Upward));
        let last = request.chunks.len().saturating_sub(1);
        let end_in_body = request.ended && request.trailers.is_none();
        for (index, chunk) in request.chunks.iter().enumerate() {
            if signer.local().is_none() {
                signer.body(Upward, chunk, end_in_body && index == last)?;
            }
        }
        if let (Some(trailers), true) = (request.trailers, signer.local().is_none()) {
            signer.trailers(Upward, trailers)?;
        }
        let sent = signer.out(Upward).clone();
        let local = signer.local();
        self.signers.push(signer);
        // The router does not retry a local reply: it is the response.
        local.map_or(Ok(()), |response| self.reply(response))?;
        Ok(sent)
    }

    /// Passes response headers through the signer of the newest attempt. They do not reach the
    /// gateway yet: the router looks at them first.
    pub fn judge(&mut self, headers: HeaderMap, end: bool) -> Result<HeaderMap, Trap> {
        let signer = self.signers.last_mut().expect("an attempt in progress");
        signer.headers(Downward, headers, end)?;
        let judged = signer.out(Downward).headers.clone();
        Ok(judged.expect("a signer that does not hold response headers, because Envoy would hang"))
    }

    /// Abandons the newest attempt, as before a retry or after a connect failure.
    pub fn give_up(&mut self) -> Result<(), Trap> {
        if self.late_signers {
            return Ok(());
        }
        self.signers.pop().map_or(Ok(()), Flow::close)
    }

    /// Passes response headers to the gateway.
    pub fn response_headers(&mut self, headers: HeaderMap, end: bool) -> Result<(), Trap> {
        self.gateway.headers(Downward, headers, end)
    }

    /// Passes a piece of the response body through both roles. Returns what the client gets now.
    pub fn response_chunk(&mut self, chunk: &[u8], end: bool) -> Result<Vec<u8>, Trap> {
        let mut chunk = chunk.to_vec();
        if let Some(signer) = self.signers.last_mut() {
            let before = signer.out(Downward).chunks.len();
            signer.body(Downward, &chunk, end)?;
            chunk = signer.out(Downward).chunks[before..].concat();
        }
        let before = self.gateway.out(Downward).chunks.len();
        self.gateway.body(Downward, &chunk, end)?;
        Ok(self.gateway.out(Downward).chunks[before..].concat())
    }

    /// Passes response trailers through both roles.
    pub fn response_trailers(&mut self, mut trailers: HeaderMap) -> Result<(), Trap> {
        if let Some(signer) = self.signers.last_mut() {
            signer.trailers(Downward, trailers)?;
            trailers = signer
                .out(Downward)
                .trailers
                .clone()
                .expect("a signer that does not hold trailers");
        }
        self.gateway.trailers(Downward, trailers)
    }

    /// The response as far as the client has received it.
    pub fn response(&self) -> &HttpMessage {
        self.gateway.out(Downward)
    }

    /// A local reply of Envoy's own (413, 503, 504 …). It passes the gateway's response callbacks.
    pub fn envoy_replies(&mut self, status: u32, body: &str, details: &str) -> Result<(), Trap> {
        let (body, details) = (body.as_bytes().to_vec(), details.to_owned());
        self.reply(LocalResponse {
            status,
            headers: HeaderMap::default(),
            body,
            details,
        })
    }

    /// The itinerary that the filter has set, for the route of the next attempt.
    pub fn itinerary(&self) -> String {
        let state = self.filter_state.borrow();
        let itinerary = state
            .get(PROPERTY_PLAN.as_bytes())
            .map(|value| String::from_utf8_lossy(value).into_owned());
        itinerary.unwrap_or_default()
    }

    /// The cluster in the leg of the itinerary with this label, like Envoy's route.
    pub fn leg(&self, label: &str) -> Option<String> {
        let itinerary = self.itinerary();
        let mut legs = itinerary.split('|').filter_map(|leg| leg.split_once('='));
        let cluster = legs.find_map(|(found, cluster)| (found == label).then_some(cluster));
        cluster.filter(|cluster| *cluster != NOWHERE).map(str::to_owned)
    }

    /// Routes the request like Envoy's router with the gateway's route, which makes up to
    /// `attempts_max` attempts: each goes where the itinerary leads. See [`HttpExchange::route`].
    pub fn route_by_itinerary(
        self,
        retry_header: &str,
        attempts_max: usize,
        upstream: impl FnMut(u64, &HttpMessage) -> UpstreamResponse,
    ) -> Result<ClientResponse, Trap> {
        let cluster = |exchange: &HttpExchange, number: u64| {
            let is_left = number <= attempts_max as u64;
            let label = if number == 1 { "1" } else { NEXT };
            is_left.then(|| exchange.leg(label)).flatten()
        };
        self.route_to(retry_header, cluster, upstream)
    }

    /// Routes the request like Envoy's router: attempt 1 goes to the first cluster, and a retry to
    /// the next one if the signer sets `retry_header` on the response or there was no response.
    /// `upstream` returns the response to each attempt. Ends the exchange.
    pub fn route(
        self,
        retry_header: &str,
        clusters: &[&str],
        upstream: impl FnMut(u64, &HttpMessage) -> UpstreamResponse,
    ) -> Result<ClientResponse, Trap> {
        let cluster = |_: &HttpExchange, number: u64| {
            let cluster = clusters.get(number as usize - 1)?;
            Some((*cluster).to_owned())
        };
        self.route_to(retry_header, cluster, upstream)
    }

    fn route_to(
        mut self,
        retry_header: &str,
        cluster: impl Fn(&HttpExchange, u64) -> Option<String>,
        mut upstream: impl FnMut(u64, &HttpMessage) -> UpstreamResponse,
    ) -> Result<ClientResponse, Trap> {
        let mut attempts = Vec::new();
        let mut next = cluster(&self, 1);
        for number in 1.. {
            let Some(here) = next else { break };
            let sent = self.attempt(number, &here)?;
            if self.local.is_some() {
                break;
            }
            let response = upstream(number, &sent);
            attempts.push(sent);
            next = cluster(&self, number + 1);
            if response == UpstreamResponse::refused() {
                self.give_up()?;
                if next.is_none() {
                    self.envoy_replies(
                        503,
                        "upstream connect error",
                        "upstream_reset_before_response_started",
                    )?;
                    break;
                }
                continue;
            }
            let end = response.chunks.is_empty() && response.trailers.is_none() && !response.cut;
            let headers = self.judge(response.headers.clone(), end)?;
            if next.is_some() && headers.first(retry_header).is_some() {
                self.give_up()?;
                // The signer may have changed its mind.
                next = cluster(&self, number + 1);
                continue;
            }
            self.response_headers(headers, end)?;
            let last = response.chunks.len().saturating_sub(1);
            let end_in_body = response.trailers.is_none() && !response.cut;
            for (index, chunk) in response.chunks.iter().enumerate() {
                self.response_chunk(chunk, end_in_body && index == last)?;
            }
            if let Some(trailers) = response.trailers {
                self.response_trailers(trailers)?;
            }
            break;
        }
        let message = self.response().clone();
        Ok(ClientResponse {
            message,
            attempts,
            filter_state: self.finish()?,
        })
    }

    /// Makes the signers' contexts end after the gateway's, as when a client disconnects: Envoy
    /// guarantees no order.
    pub fn end_signers_last(mut self) -> HttpExchange {
        self.late_signers = true;
        self
    }

    /// Ends the exchange in any state, with the log, done and delete callbacks. Before the response
    /// is complete, this is a client that disconnects. Returns the filter state.
    pub fn finish(mut self) -> Result<BTreeMap<String, Vec<u8>>, Trap> {
        let mut signers = std::mem::take(&mut self.signers);
        if !self.late_signers {
            signers.drain(..).try_for_each(Flow::close)?;
        }
        self.gateway.log()?;
        self.gateway.close()?;
        signers.into_iter().try_for_each(Flow::close)?;
        let state = self.filter_state.take();
        Ok(state
            .into_iter()
            .map(|(name, value)| (text(name), value))
            .collect())
    }

    /// Passes a local reply through the gateway, in the form that Envoy gives it.
    fn reply(&mut self, response: LocalResponse) -> Result<(), Trap> {
        self.local = Some(response.details);
        let mut headers = HeaderMap::new([(":status", response.status.to_string())]);
        response
            .headers
            .pairs()
            .iter()
            .for_each(|(name, value)| headers.add(name, value));
        let length = response.body.len();
        if length > 0 {
            headers.replace(b"content-length", length.to_string().as_bytes());
            if headers.first("content-type").is_none() {
                headers.add(b"content-type", b"text/plain");
            }
        }
        self.gateway.headers(Downward, headers, length == 0)?;
        if length > 0 {
            self.gateway.body(Downward, &response.body, true)
        } else {
            Ok(())
        }
    }
}

fn text(name: Vec<u8>) -> String {
    String::from_utf8(name).expect("a property name in UTF-8")
}
