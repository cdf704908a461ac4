//! Answers: what a region says to a request that it believes. Each is a function of the request, its pace apart.

mod converse;
mod count;
pub(crate) mod frame;
mod guardrail;
mod invoke;
mod text;
mod tools;
mod usage;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use crate::api_error::ApiError;
use crate::control::pace::Pace;
use crate::judge::models::Model;
use crate::judge::route::Operation;
use crate::response::frame::Frame;
pub(crate) use guardrail::found as guardrail_of;
pub use guardrail::{BLOCKED, Guardrail};
pub use usage::{Cache, Usage};

/// Latency that answers claim, in milliseconds: constant, so that equal requests get equal answers.
const LATENCY_MS: u64 = 420;
/// Largest body of Invoke, in bytes (the shape `Body` of Bedrock's model).
pub const INVOKE_BODY_LIMIT_BYTES: usize = 25_000_000;

/// A request that may be answered.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) operation: Operation,
    pub(crate) model_id: &'a str,
    pub(crate) model: Model,
    pub(crate) region: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    pub(crate) digest: &'a [u8; 32],
    pub(crate) pace: Pace,
}

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

/// Answers `question`, or says what Bedrock would find wrong with it.
pub(crate) fn answer(question: &Question<'_>) -> Result<Answer, ApiError> {
    match (question.operation, question.model) {
        (Operation::Converse | Operation::ConverseStream, Model::Any | Model::Prompt) => {
            converse::answer(question)
        }
        (Operation::Converse | Operation::ConverseStream, _) => Err(ApiError::validation(
            "This model doesn't support the Converse API.",
        )),
        (Operation::Invoke | Operation::InvokeWithResponseStream, _)
            if question.body.len() > INVOKE_BODY_LIMIT_BYTES =>
        {
            Err(ApiError::of_status(StatusCode::PAYLOAD_TOO_LARGE))
        }
        (Operation::Invoke, Model::Embedding) => invoke::embed(question),
        (Operation::Invoke, Model::Rerank) => invoke::rerank(question),
        (Operation::InvokeWithResponseStream, Model::Embedding | Model::Rerank) => {
            Err(ApiError::validation("The model is unsupported for streaming."))
        }
        (Operation::Invoke | Operation::InvokeWithResponseStream, _) => invoke::answer(question),
        (Operation::CountTokens, _) => count::answer(question),
    }
}

impl Answer {
    fn json(value: &serde_json::Value) -> Self {
        Self {
            headers: Vec::new(),
            content: Content::Whole(value.to_string().into()),
            usage: None,
        }
    }
}

/// The JSON of a body in the form that Bedrock's model gives it.
fn parse<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::serialization(format!("{error}")))
}

/// Numbers that look random and are the same for the same request.
struct Dice(u64);

impl Dice {
    fn of(digest: &[u8; 32]) -> Self {
        let mut seed = [0; 8];
        seed.copy_from_slice(&digest[..8]);
        Self(u64::from_be_bytes(seed))
    }

    /// The next one (SplitMix64).
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        crate::control::fault::mix(self.0)
    }
}

#[cfg(test)]
mod tests;
