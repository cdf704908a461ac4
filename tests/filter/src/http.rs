//! What a test says and hears: a request, an upstream's response, the client's answer.

use std::collections::BTreeMap;

use crate::exchange::HttpExchange;
use crate::flow::HttpMessage;
use crate::headers::HeaderMap;
use crate::host::Properties;
use crate::vm::{Trap, Vm};

/// A request that is about to be sent.
pub struct ClientRequest {
    vm: Vm,
    headers: HeaderMap,
    chunks: Vec<Vec<u8>>,
    trailers: Option<HeaderMap>,
    unfinished: bool,
    properties: Properties,
}

impl ClientRequest {
    pub(crate) fn new(vm: Vm, headers: HeaderMap) -> ClientRequest {
        let (chunks, trailers) = (Vec::new(), None);
        ClientRequest {
            vm,
            headers,
            chunks,
            trailers,
            unfinished: false,
            properties: Properties::new(),
        }
    }

    /// The body, in the pieces in which it arrives. The last one carries the end unless trailers follow; an empty
    /// last one is HTTP/2's empty DATA frame.
    pub fn body<C: AsRef<[u8]>>(mut self, chunks: impl IntoIterator<Item = C>) -> ClientRequest {
        self.chunks = chunks.into_iter().map(|chunk| chunk.as_ref().to_vec()).collect();
        self
    }

    /// Trailers end the request.
    pub fn trailers<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        mut self,
        trailers: impl IntoIterator<Item = (N, V)>,
    ) -> ClientRequest {
        self.trailers = Some(HeaderMap::new(trailers));
        self
    }

    /// The client sends no end: what was said so far is all there is for now. More comes with
    /// [`HttpExchange::request_chunk`], or nothing ever does.
    pub fn unfinished(mut self) -> ClientRequest {
        self.unfinished = true;
        self
    }

    /// A property that both roles can read, by the parts of its path.
    pub fn property(mut self, path: &[&str], value: impl AsRef<[u8]>) -> ClientRequest {
        self.properties
            .insert(path.join("\0").into_bytes(), value.as_ref().to_vec());
        self
    }

    /// Sends it through the gateway role.
    pub fn send(self) -> Result<HttpExchange, Trap> {
        let alone = self.chunks.is_empty() && self.trailers.is_none() && !self.unfinished;
        let mut exchange = HttpExchange::open(self.vm, self.headers, alone, self.properties)?;
        let last = self.chunks.len().saturating_sub(1);
        let end_in_body = self.trailers.is_none() && !self.unfinished;
        for (index, chunk) in self.chunks.iter().enumerate() {
            exchange.request_chunk(chunk, end_in_body && index == last)?;
        }
        if let Some(trailers) = self.trailers {
            exchange.request_trailers(trailers)?;
        }
        Ok(exchange)
    }
}

/// What became of a request in the gateway role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestOutcome {
    /// The gateway or the signer (or Envoy itself) answered. The headers are as the client gets them.
    LocalReply {
        /// HTTP status.
        status: u32,
        /// UpstreamResponse headers, after the gateway's own response callbacks.
        headers: HeaderMap,
        /// UpstreamResponse body.
        body: Vec<u8>,
        /// UpstreamResponse code details.
        details: String,
    },
    /// It went on to the router, so far at least: see [`HttpMessage::ended`].
    Forwarded(HttpMessage),
    /// The gateway holds it.
    Waiting,
    /// The gateway broke it off.
    Reset,
}

/// An answer of an upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamResponse {
    /// HeaderMap with `:status`.
    pub headers: HeaderMap,
    /// The pieces of the body in which it arrives.
    pub chunks: Vec<Vec<u8>>,
    /// Trailers, if it ends with them.
    pub trailers: Option<HeaderMap>,
    /// The upstream breaks off after the last piece.
    pub cut: bool,
}

impl UpstreamResponse {
    /// A complete answer with one piece of body.
    pub fn new(status: u32, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> UpstreamResponse {
        let mut map = HeaderMap::new([(":status", status.to_string())]);
        headers
            .iter()
            .for_each(|(name, value)| map.add(name.as_bytes(), value.as_bytes()));
        let body = body.as_ref().to_vec();
        let chunks = if body.is_empty() { Vec::new() } else { vec![body] };
        UpstreamResponse {
            headers: map,
            chunks,
            ..UpstreamResponse::default()
        }
    }

    /// No answer: the connection was refused, or reset before the response began.
    pub fn refused() -> UpstreamResponse {
        UpstreamResponse {
            cut: true,
            ..UpstreamResponse::default()
        }
    }
}

/// What the client got, and what it took.
#[derive(Clone, Debug)]
pub struct ClientResponse {
    /// The response as it left the gateway.
    pub message: HttpMessage,
    /// The requests that went upstream, in the order of the attempts.
    pub attempts: Vec<HttpMessage>,
    /// Filter state for the access log, without `wasm.` in front of the names.
    pub filter_state: BTreeMap<String, Vec<u8>>,
}

impl ClientResponse {
    /// The response's status.
    pub fn status(&self) -> u32 {
        let headers = self.message.headers.as_ref().expect("a response that has begun");
        headers
            .text(":status")
            .and_then(|status| status.parse().ok())
            .expect("a numeric status")
    }
}
