//! Reading requests to the control API, and why they fail.

use std::collections::BTreeMap;
use std::fmt;

use http_body_util::{BodyExt, Limited};
use hyper::StatusCode;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use super::controller::ControllerError;
use crate::percent;

/// Largest body of a control request, in bytes.
const BODY_LIMIT_BYTES: usize = 64 * 1024;

pub(super) type QueryParameters = BTreeMap<String, String>;

pub(super) async fn read<T: DeserializeOwned>(body: Incoming) -> Result<T, ControlError> {
    let body = Limited::new(body, BODY_LIMIT_BYTES).collect().await;
    let body = body.map_err(|error| ControlError::Body(error.to_string()))?;
    serde_json::from_slice(&body.to_bytes()).map_err(ControlError::Json)
}

pub(super) fn parse_query(query: &str) -> Result<QueryParameters, ControlError> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value =
                percent::decode(value).ok_or_else(|| ControlError::PercentCoding(value.to_owned()))?;
            Ok((name.to_owned(), value))
        })
        .collect()
}

pub(super) fn number(query: &QueryParameters, name: &'static str) -> Result<Option<u64>, ControlError> {
    let parse = |text: &String| {
        text.parse().map_err(|_| ControlError::Number {
            name,
            text: text.clone(),
        })
    };
    query.get(name).map(parse).transpose()
}

/// Why a control request failed.
pub(super) enum ControlError {
    UnknownPath(String),
    /// The body is too long or did not arrive.
    Body(String),
    Json(serde_json::Error),
    PercentCoding(String),
    Number {
        name: &'static str,
        text: String,
    },
    Format(String),
    Rejected(ControllerError),
    /// A value of the identity service is invalid.
    Identity(String),
}

impl ControlError {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::UnknownPath(_) => StatusCode::NOT_FOUND,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl From<ControllerError> for ControlError {
    fn from(error: ControllerError) -> Self {
        Self::Rejected(error)
    }
}

impl fmt::Display for ControlError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownPath(path) => write!(out, "the control API has no {path}"),
            Self::Body(error) => {
                write!(
                    out,
                    "cannot read the body (at most {BODY_LIMIT_BYTES} bytes): {error}"
                )
            }
            Self::Json(error) => error.fmt(out),
            Self::PercentCoding(value) => write!(out, "invalid percent-encoding in the query: {value}"),
            Self::Number { name, text } => write!(out, "expected {name} to be a number, but found {text}"),
            Self::Format(format) => write!(out, "expected format to be json or lines, but found {format}"),
            Self::Rejected(error) => error.fmt(out),
            Self::Identity(reason) => out.write_str(reason),
        }
    }
}
