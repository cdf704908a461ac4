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

pub(super) fn respond(request: &ModelRequest<'_>) -> Result<ModelResponse, ApiError> {
    let is_text = matches!(request.model, ModelKind::Any);
    if !is_text || !is_foundation(request.model_id) {
        return Err(ApiError::validation(
            "The provided model doesn't support counting tokens.",
        ));
    }
    let body: CountRequest = parse(request.body)?;
    if body.input.converse.is_some() == body.input.invoke_model.is_some() {
        return Err(ApiError::validation(
            "input: expected one of converse and invokeModel",
        ));
    }
    let usage = EmulatedUsage::of(request.digest, request.body.len(), "", None);
    Ok(ModelResponse::json(&json!({ "inputTokens": usage.input })))
}
