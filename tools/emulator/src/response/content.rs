//! What a region sends with status 200.

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};

use super::frame::Frame;
use super::usage::Usage;

/// What is sent with status 200.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) content: Content,
    pub(crate) usage: Option<Usage>,
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Content {
    /// One JSON value.
    Whole(Bytes),
    /// An event stream.
    Frames(Vec<Frame>),
}

impl Answer {
    pub(super) fn json(value: &serde_json::Value) -> Self {
        Self {
            headers: Vec::new(),
            content: Content::Whole(value.to_string().into()),
            usage: None,
        }
    }
}
