//! What a response is made from.

use hyper::header::HeaderMap;

use crate::api_error::ApiError;
use crate::control::pace::ResponsePace;
use crate::judge::models::ModelKind;
use crate::judge::route::ApiOperation;

/// A request that may be answered.
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
}

/// The JSON of a body in the form that Bedrock's model gives it.
pub(super) fn parse<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::serialization(format!("{error}")))
}
