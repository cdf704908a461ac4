//! A client's request, from its headers to [`ClientRequest::send`].

use crate::header_map::HeaderMap;
use crate::host::Properties;
use crate::http_exchange::HttpExchange;
use crate::vm::{Trap, Vm};

impl Vm {
    /// A request with these headers to the plugin with the root id `gateway`.
    pub fn request<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> ClientRequest {
        ClientRequest {
            vm: self.clone(),
            headers: HeaderMap::new(headers),
            chunks: Vec::new(),
            trailers: None,
            unfinished: false,
            properties: Properties::new(),
        }
    }
}

/// A request that is not sent yet.
pub struct ClientRequest {
    vm: Vm,
    headers: HeaderMap,
    chunks: Vec<Vec<u8>>,
    trailers: Option<HeaderMap>,
    unfinished: bool,
    properties: Properties,
}

impl ClientRequest {
    /// The body, in the pieces in which it arrives. Unless trailers follow, the last piece carries
    /// the end; an empty last piece is HTTP/2's empty DATA frame.
    pub fn body<C: AsRef<[u8]>>(mut self, chunks: impl IntoIterator<Item = C>) -> ClientRequest {
        self.chunks = chunks.into_iter().map(|chunk| chunk.as_ref().to_vec()).collect();
        self
    }

    /// The trailers, with which the request ends.
    pub fn trailers<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        mut self,
        trailers: impl IntoIterator<Item = (N, V)>,
    ) -> ClientRequest {
        self.trailers = Some(HeaderMap::new(trailers));
        self
    }

    /// The client does not end the request yet. [`HttpExchange::request_chunk`] sends more.
    pub fn unfinished(mut self) -> ClientRequest {
        self.unfinished = true;
        self
    }

    /// A property that both roles can read, by the segments of its path.
    pub fn property(mut self, path: &[&str], value: impl AsRef<[u8]>) -> ClientRequest {
        self.properties
            .insert(path.join("\0").into_bytes(), value.as_ref().to_vec());
        self
    }

    /// Sends the request through the gateway role.
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
