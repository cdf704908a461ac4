//! CountTokens.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::model_request::{ModelRequest, parse};
use super::model_response::ModelResponse;
use super::usage::EmulatedUsage;
use crate::api_error::ApiError;
use crate::judge::models::{ModelKind, is_foundation};

#[derive(Deserialize)]
struct CountRequest {
    input: CountInput,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CountInput {
    converse: Option<IgnoredAny>,
    invoke_model: Option<IgnoredAny>,
}

pub(super) fn answer(question: &ModelRequest<'_>) -> Result<ModelResponse, ApiError> {
    let is_text = matches!(question.model, ModelKind::Any);
    if !is_text || !is_foundation(question.model_id) {
        return Err(ApiError::validation(
            "The provided model doesn't support counting tokens.",
        ));
    }
    let request: CountRequest = parse(question.body)?;
    if request.input.converse.is_some() == request.input.invoke_model.is_some() {
        return Err(ApiError::validation(
            "input: expected one of converse and invokeModel",
        ));
    }
    let usage = EmulatedUsage::of(question.digest, question.body.len(), "", None);
    Ok(ModelResponse::json(&json!({ "inputTokens": usage.input })))
}
