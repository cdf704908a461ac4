//! HTTP messages in the tests' view: what passed the filter, what an upstream sends, what the
//! client gets.

use std::collections::BTreeMap;
use std::fmt;

use crate::header_map::HeaderMap;

/// A request or response, as far as the filter has let it through.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HttpMessage {
    /// Its headers, or `None` while they are held.
    pub headers: Option<HeaderMap>,
    /// The pieces of the body, in order.
    pub chunks: Vec<Vec<u8>>,
    /// Its trailers, if any.
    pub trailers: Option<HeaderMap>,
    /// Whether it is complete.
    pub ended: bool,
}

impl fmt::Debug for HttpMessage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chunks: Vec<_> = self
            .chunks
            .iter()
            .map(|chunk| chunk.escape_ascii().to_string())
            .collect();
        let mut fields = out.debug_struct("HttpMessage");
        fields
            .field("headers", &self.headers)
            .field("chunks", &chunks)
            .field("trailers", &self.trailers);
        fields.field("ended", &self.ended).finish()
    }
}

impl HttpMessage {
    /// The body so far.
    pub fn body(&self) -> Vec<u8> {
        self.chunks.concat()
    }
}

/// What happened to a request in the gateway role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestOutcome {
    /// The gateway, the signer or Envoy itself has replied. The headers are what the client gets.
    LocalReply {
        /// HTTP status.
        status: u32,
        /// Response headers, after the gateway's own response callbacks.
        headers: HeaderMap,
        /// Response body.
        body: Vec<u8>,
        /// Response code details.
        details: String,
    },
    /// It has gone to the router, perhaps not completely: see [`HttpMessage::ended`].
    Forwarded(HttpMessage),
    /// The gateway holds it.
    Waiting,
}

/// A response of an upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamResponse {
    /// Headers with `:status`.
    pub headers: HeaderMap,
    /// The pieces in which the body arrives.
    pub chunks: Vec<Vec<u8>>,
    /// Trailers, if it ends with them.
    pub trailers: Option<HeaderMap>,
    /// Whether the upstream breaks off after the last piece.
    pub cut: bool,
}

impl UpstreamResponse {
    /// A complete response whose body is one piece.
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

    /// No response: the connection was refused, or reset before the response began.
    pub fn refused() -> UpstreamResponse {
        UpstreamResponse {
            cut: true,
            ..UpstreamResponse::default()
        }
    }
}

/// What the client gets, and the attempts that led to it.
#[derive(Clone, Debug)]
pub struct ClientResponse {
    /// The response as it left the gateway.
    pub message: HttpMessage,
    /// The requests that went upstream, one per attempt.
    pub attempts: Vec<HttpMessage>,
    /// The filter state for the access log, without the prefix `wasm.` in the names.
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
