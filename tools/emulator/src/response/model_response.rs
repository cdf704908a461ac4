//! A response with status 200.

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};

use super::frame::EventFrame;
use super::usage::EmulatedUsage;

/// A response with status 200.
#[derive(Debug)]
pub(crate) struct ModelResponse {
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) content: ResponseContent,
    pub(crate) usage: Option<EmulatedUsage>,
}

/// The body of a response.
#[derive(Debug)]
pub(crate) enum ResponseContent {
    /// One JSON value.
    Whole(Bytes),
    /// An event stream.
    Frames(Vec<EventFrame>),
}

impl ModelResponse {
    pub(super) fn json(value: &serde_json::Value) -> Self {
        Self {
            headers: Vec::new(),
            content: ResponseContent::Whole(value.to_string().into()),
            usage: None,
        }
    }
}
