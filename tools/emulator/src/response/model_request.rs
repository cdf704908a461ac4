//! A request that was accepted.

use hyper::header::HeaderMap;

use crate::api_error::ApiError;
use crate::control::pace::ResponsePace;
use crate::judge::models::ModelKind;
use crate::judge::route::ApiOperation;
use crate::response::prompt_cache::PromptCache;

/// A request that was accepted.
#[derive(Debug)]
pub(crate) struct ModelRequest<'a> {
    pub(crate) operation: ApiOperation,
    pub(crate) model_id: &'a str,
    pub(crate) model: ModelKind,
    pub(crate) region: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    pub(crate) digest: &'a [u8; 32],
    pub(crate) pace: ResponsePace,
    pub(crate) prompt_cache: &'a PromptCache,
}

/// Parses a body whose shape Bedrock's API model defines.
pub(super) fn parse<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::serialization(format!("{error}")))
}
