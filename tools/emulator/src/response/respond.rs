//! The response to each operation.

use hyper::StatusCode;

use super::model_request::ModelRequest;
use super::model_response::ModelResponse;
use super::{converse, count, invoke};
use crate::api_error::ApiError;
use crate::judge::models::ModelKind;
use crate::judge::route::ApiOperation;

/// Largest body of Invoke, in bytes: the limit of the shape `Body` in Bedrock's API model.
pub(super) const INVOKE_BODY_LIMIT_BYTES: usize = 25_000_000;

/// The response to a request, or the error that Bedrock would send.
pub(crate) fn respond(request: &ModelRequest<'_>) -> Result<ModelResponse, ApiError> {
    match (request.operation, request.model) {
        (ApiOperation::Converse | ApiOperation::ConverseStream, ModelKind::Any | ModelKind::Prompt) => {
            converse::respond(request)
        }
        (ApiOperation::Converse | ApiOperation::ConverseStream, _) => Err(ApiError::validation(
            "This model doesn't support the Converse API.",
        )),
        (ApiOperation::Invoke | ApiOperation::InvokeWithResponseStream, _)
            if request.body.len() > INVOKE_BODY_LIMIT_BYTES =>
        {
            Err(ApiError::of_status(StatusCode::PAYLOAD_TOO_LARGE))
        }
        (ApiOperation::Invoke, ModelKind::Embedding) => invoke::embed(request),
        (ApiOperation::Invoke, ModelKind::Rerank) => invoke::rerank(request),
        (ApiOperation::InvokeWithResponseStream, ModelKind::Embedding | ModelKind::Rerank) => {
            Err(ApiError::validation("The model is unsupported for streaming."))
        }
        (ApiOperation::Invoke | ApiOperation::InvokeWithResponseStream, _) => invoke::respond(request),
        (ApiOperation::CountTokens, _) => count::respond(request),
    }
}

#[cfg(test)]
mod tests;
