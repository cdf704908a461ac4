//! The response to a request, observed as it passes.

use crate::admission::reject::HEADER_ERROR_TYPE;
use crate::contract::operation::Operation;
use crate::headers::Headers;
use crate::routing::verdict::error_name;
use crate::usage::{BodyObserver, Ending, HeaderUsage, Observation, StreamKind, StreamObserver};

/// Longest request id or error type that is kept, in bytes. Bedrock's have about forty.
const WORD_MAX_BYTES: usize = 128;

/// What the row needs of a response.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) request_id: Option<String>,
    error_type: Option<String>,
    is_whole: bool,
    usage: HeaderUsage,
    observer: Option<Observer>,
}

#[derive(Debug)]
enum Observer {
    Body(Box<BodyObserver>),
    Stream(Box<StreamObserver>),
}

impl Response {
    pub(super) fn begin(operation: Operation, headers: Headers<'_>) -> Self {
        let mut usage = HeaderUsage::default();
        for (name, value) in headers.0 {
            usage.header(name, value);
        }
        let word = |name| headers.all(name).next().and_then(word);
        let status = word(":status")
            .and_then(|status| status.parse().ok())
            .unwrap_or(0);
        let error_type = headers.all(HEADER_ERROR_TYPE).next();
        let error_type = error_type.and_then(|value| self::word(error_name(value)));
        let observer = (status == 200).then(|| Observer::new(operation)).flatten();
        Self {
            status,
            request_id: word("x-amzn-requestid"),
            error_type,
            is_whole: false,
            usage,
            observer,
        }
    }

    pub(super) const fn is_reading(&self) -> bool {
        self.observer.is_some()
    }

    /// Observes the next bytes. Returns whether the first content was among them.
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

    pub(super) const fn end(&mut self) {
        self.is_whole = true;
    }

    pub(super) fn observe(&self, request_bytes: u64) -> Option<Observation> {
        let ending = if self.is_whole { Ending::Whole } else { Ending::Cut };
        let observer = self.observer.as_ref()?;
        Some(observer.finish(ending, &self.usage, request_bytes))
    }

    /// Why the request failed; `None` if it did not.
    pub(super) fn error_class(&self, observation: Option<&Observation>) -> Option<&str> {
        if let Some(exception) = observation.and_then(|seen| seen.exception) {
            return Some(exception.as_str());
        }
        if self.status != 200 {
            return Some(self.error_type.as_deref().unwrap_or("Unknown"));
        }
        (!self.is_whole).then_some("Cut")
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

fn word(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value.get(..value.len().min(WORD_MAX_BYTES))?).ok()?;
    Some(text.to_owned())
}
