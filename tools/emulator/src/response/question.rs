//! What a response is made from.

use hyper::header::HeaderMap;

use crate::api_error::ApiError;
use crate::control::pace::Pace;
use crate::judge::models::Model;
use crate::judge::route::Operation;

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

/// The JSON of a body in the form that Bedrock's model gives it.
pub(super) fn parse<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::serialization(format!("{error}")))
}
