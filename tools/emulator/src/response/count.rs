//! CountTokens.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::content::Answer;
use super::question::{Question, parse};
use super::usage::Usage;
use crate::api_error::ApiError;
use crate::judge::models::{Model, is_foundation};

#[derive(Deserialize)]
struct Request {
    input: Input,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    converse: Option<IgnoredAny>,
    invoke_model: Option<IgnoredAny>,
}

pub(super) fn answer(question: &Question<'_>) -> Result<Answer, ApiError> {
    let is_text = matches!(question.model, Model::Any);
    if !is_text || !is_foundation(question.model_id) {
        return Err(ApiError::validation(
            "The provided model doesn't support counting tokens.",
        ));
    }
    let request: Request = parse(question.body)?;
    if request.input.converse.is_some() == request.input.invoke_model.is_some() {
        return Err(ApiError::validation(
            "input: expected one of converse and invokeModel",
        ));
    }
    let usage = Usage::of(question.digest, question.body.len(), "", None);
    Ok(Answer::json(&json!({ "inputTokens": usage.input })))
}
