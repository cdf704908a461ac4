//! The response to each operation.

use hyper::StatusCode;

use super::content::Answer;
use super::question::Question;
use super::{converse, count, invoke};
use crate::api_error::ApiError;
use crate::judge::models::Model;
use crate::judge::route::Operation;

/// Largest body of Invoke, in bytes (the shape `Body` of Bedrock's model).
pub(super) const INVOKE_BODY_LIMIT_BYTES: usize = 25_000_000;

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

#[cfg(test)]
mod tests;
