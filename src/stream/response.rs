//! The response to a dispatched request, observed while it passes through.

use crate::admission::reject::HEADER_ERROR_TYPE;
use crate::contract::names::HEADER_RETRY;
use crate::contract::operation::Operation;
use crate::headers::Headers;
use crate::routing::verdict::error_name;
use crate::usage::{BodyObserver, Ending, HeaderUsage, Observation, StreamKind, StreamObserver};

/// Maximum length of a recorded request id or error type, in bytes. Bedrock's have about 40.
const TEXT_MAX_BYTES: usize = 128;

/// What the row needs to know about a response.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) request_id: Option<String>,
    /// Whether the signer role wanted another attempt after it.
    pub(super) is_marked: bool,
    error_type: Option<String>,
    is_complete: bool,
    usage: HeaderUsage,
    observer: Option<Observer>,
}

#[derive(Debug)]
enum Observer {
    Body(Box<BodyObserver>),
    Stream(Box<StreamObserver>),
}

impl Response {
    /// Begins to observe a response with these `headers`.
    pub(super) fn begin(operation: Operation, headers: Headers<'_>) -> Self {
        let mut usage = HeaderUsage::default();
        for (name, value) in headers.0 {
            usage.header(name, value);
        }
        let text = |name| headers.all(name).next().and_then(text);
        let status = text(":status")
            .and_then(|status| status.parse().ok())
            .unwrap_or(0);
        let error_type = headers.all(HEADER_ERROR_TYPE).next();
        let error_type = error_type.and_then(|value| self::text(error_name(value)));
        let observer = (status == 200).then(|| Observer::new(operation)).flatten();
        Self {
            status,
            request_id: text("x-amzn-requestid"),
            is_marked: headers.all(HEADER_RETRY).next().is_some(),
            error_type,
            is_complete: false,
            usage,
            observer,
        }
    }

    /// Whether the body is observed.
    pub(super) const fn is_reading(&self) -> bool {
        self.observer.is_some()
    }

    /// Whether the response has ended as it should.
    pub(super) const fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Observes the next bytes. Returns whether they contain the first content.
    pub(super) fn push(&mut self, chunk: &[u8]) -> bool {
        match &mut self.observer {
            None => false,
            Some(Observer::Stream(observer)) => observer.push(chunk),
            Some(Observer::Body(observer)) => {
                observer.push(chunk);
                !chunk.is_empty()
            }
        }
    }

    /// Marks the response as complete.
    pub(super) const fn end(&mut self) {
        self.is_complete = true;
    }

    /// Returns what was observed so far, or `None` for an error. `request_bytes` is the size of the
    /// request body, for an estimate.
    pub(super) fn observe(&self, request_bytes: u64) -> Option<Observation> {
        let ending = if self.is_complete {
            Ending::Whole
        } else {
            Ending::Cut
        };
        let observer = self.observer.as_ref()?;
        Some(observer.finish(ending, &self.usage, request_bytes))
    }

    /// The error type if the request failed.
    pub(super) fn error_class(&self, observation: Option<&Observation>) -> Option<&str> {
        if let Some(exception) = observation.and_then(|seen| seen.exception) {
            return Some(exception.as_str());
        }
        if self.status != 200 {
            return Some(self.error_type.as_deref().unwrap_or("Unknown"));
        }
        (!self.is_complete).then_some("Cut")
    }
}

impl Observer {
    fn new(operation: Operation) -> Option<Self> {
        let stream = |kind| Self::Stream(Box::new(StreamObserver::new(kind)));
        match operation {
            Operation::Converse | Operation::Invoke => Some(Self::Body(Box::default())),
            Operation::ConverseStream => Some(stream(StreamKind::Converse)),
            Operation::InvokeWithResponseStream => Some(stream(StreamKind::Invoke)),
            Operation::CountTokens => None,
        }
    }

    fn finish(&self, ending: Ending, headers: &HeaderUsage, request_bytes: u64) -> Observation {
        match self {
            Self::Body(observer) => observer.finish(ending, headers, request_bytes),
            Self::Stream(observer) => observer.finish(ending, headers, request_bytes),
        }
    }
}

/// The start of a header value, if it is UTF-8.
fn text(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value.get(..value.len().min(TEXT_MAX_BYTES))?).ok()?;
    Some(text.to_owned())
}
