//! The response to each operation.

use hyper::StatusCode;

use super::model_request::ModelRequest;
use super::model_response::ModelResponse;
use super::{converse, count, invoke};
use crate::api_error::ApiError;
use crate::judge::models::ModelKind;
use crate::judge::route::ApiOperation;

/// Largest body of Invoke, in bytes (the shape `Body` of Bedrock's model).
pub(super) const INVOKE_BODY_LIMIT_BYTES: usize = 25_000_000;

/// Answers `question`, or says what Bedrock would find wrong with it.
pub(crate) fn answer(question: &ModelRequest<'_>) -> Result<ModelResponse, ApiError> {
    match (question.operation, question.model) {
        (ApiOperation::Converse | ApiOperation::ConverseStream, ModelKind::Any | ModelKind::Prompt) => {
            converse::answer(question)
        }
        (ApiOperation::Converse | ApiOperation::ConverseStream, _) => Err(ApiError::validation(
            "This model doesn't support the Converse API.",
        )),
        (ApiOperation::Invoke | ApiOperation::InvokeWithResponseStream, _)
            if question.body.len() > INVOKE_BODY_LIMIT_BYTES =>
        {
            Err(ApiError::of_status(StatusCode::PAYLOAD_TOO_LARGE))
        }
        (ApiOperation::Invoke, ModelKind::Embedding) => invoke::embed(question),
        (ApiOperation::Invoke, ModelKind::Rerank) => invoke::rerank(question),
        (ApiOperation::InvokeWithResponseStream, ModelKind::Embedding | ModelKind::Rerank) => {
            Err(ApiError::validation("The model is unsupported for streaming."))
        }
        (ApiOperation::Invoke | ApiOperation::InvokeWithResponseStream, _) => invoke::answer(question),
        (ApiOperation::CountTokens, _) => count::answer(question),
    }
}

#[cfg(test)]
mod tests;
