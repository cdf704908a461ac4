//! The guardrail that a request names, validated as AWS does: in the headers of Invoke, in the body
//! of Converse.
//!
//! The guardrail blocks a request if its last user text contains [`BLOCKED`], and nothing else.

use hyper::header::{CONTENT_TYPE, HeaderMap};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api_error::ApiError;
use crate::judge::route::ApiOperation;

/// The text that the guardrail blocks.
pub(crate) const BLOCKED: &str = "blocked by the guardrail of this test";
/// The response to a blocked request.
pub(super) const MESSAGE: &str = "Sorry, the model cannot answer this question.";
/// `stopReason` of a blocked request.
pub(super) const INTERVENED: &str = "guardrail_intervened";

const IDENTIFIER_MAX_BYTES: usize = 2048;
const VERSION_MAX_DIGITS: usize = 8;
const IDENTIFIER: &str = "x-amzn-bedrock-guardrailidentifier";
const VERSION: &str = "x-amzn-bedrock-guardrailversion";
const TRACE: &str = "x-amzn-bedrock-trace";

/// The guardrail that a request names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequestGuardrail {
    /// Id or ARN.
    pub identifier: String,
    /// `DRAFT` or a number.
    pub version: String,
    /// `enabled`, `disabled` or `enabled_full`.
    pub trace: Option<String>,
    /// `sync` or `async`; ConverseStream only.
    pub stream_processing_mode: Option<String>,
}

/// The shapes `GuardrailConfiguration` and `GuardrailStreamConfiguration`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GuardrailConfiguration {
    guardrail_identifier: Option<String>,
    guardrail_version: Option<String>,
    trace: Option<String>,
    stream_processing_mode: Option<String>,
}

/// The guardrail of a request, for the log. `None` also if AWS would reject it.
pub(crate) fn find(operation: ApiOperation, headers: &HeaderMap, body: &[u8]) -> Option<RequestGuardrail> {
    #[derive(Deserialize)]
    struct Request {
        #[serde(rename = "guardrailConfig")]
        config: Option<Value>,
    }
    match operation {
        ApiOperation::Converse | ApiOperation::ConverseStream => {
            let request: Request = serde_json::from_slice(body).ok()?;
            of_body(request.config, operation).ok()?
        }
        ApiOperation::Invoke | ApiOperation::InvokeWithResponseStream => of_headers(headers).ok()?,
        ApiOperation::CountTokens => None,
    }
}

/// The guardrail in `guardrailConfig` of a Converse request.
pub(super) fn of_body(
    config: Option<Value>,
    operation: ApiOperation,
) -> Result<Option<RequestGuardrail>, ApiError> {
    let Some(config) = config.filter(|config| !config.is_null()) else {
        return Ok(None);
    };
    let config: GuardrailConfiguration = serde_json::from_value(config)
        .map_err(|error| ApiError::validation(format!("guardrailConfig: {error}")))?;
    if config.stream_processing_mode.is_some() && operation != ApiOperation::ConverseStream {
        return Err(ApiError::validation(
            "guardrailConfig: streamProcessingMode is a member of ConverseStream only",
        ));
    }
    one_of(
        "streamProcessingMode",
        config.stream_processing_mode.as_deref(),
        &["sync", "async"],
    )?;
    one_of(
        "trace",
        config.trace.as_deref(),
        &["enabled", "disabled", "enabled_full"],
    )?;
    let guardrail = named(config.guardrail_identifier, config.guardrail_version)?;
    Ok(guardrail.map(|guardrail| RequestGuardrail {
        trace: config.trace,
        stream_processing_mode: config.stream_processing_mode,
        ..guardrail
    }))
}

/// The guardrail in the headers of an Invoke request.
pub(super) fn of_headers(headers: &HeaderMap) -> Result<Option<RequestGuardrail>, ApiError> {
    let trace = only(headers, TRACE)?;
    one_of(
        "trace",
        trace.as_deref(),
        &["ENABLED", "DISABLED", "ENABLED_FULL"],
    )?;
    let Some(guardrail) = named(only(headers, IDENTIFIER)?, only(headers, VERSION)?)? else {
        return Ok(None);
    };
    // AWS treats a body without a content type as JSON.
    if headers
        .get(CONTENT_TYPE)
        .is_some_and(|media| media != "application/json")
    {
        return Err(ApiError::validation(
            "A guardrail needs the content type application/json.",
        ));
    }
    Ok(Some(RequestGuardrail {
        trace: trace.map(|trace| trace.to_lowercase()),
        ..guardrail
    }))
}

fn only(headers: &HeaderMap, name: &str) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(name).iter();
    let first = values
        .next()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    if values.next().is_some() {
        return Err(ApiError::validation(format!("{name} must not be repeated")));
    }
    Ok(first)
}

fn named(identifier: Option<String>, version: Option<String>) -> Result<Option<RequestGuardrail>, ApiError> {
    let (identifier, version) = match (identifier, version) {
        (None, None) => return Ok(None),
        (Some(identifier), Some(version)) => (identifier, version),
        (Some(_), None) => return Err(ApiError::validation("guardrailVersion is missing")),
        (None, Some(_)) => return Err(ApiError::validation("guardrailIdentifier is missing")),
    };
    if !(1..=IDENTIFIER_MAX_BYTES).contains(&identifier.len()) {
        return Err(ApiError::validation("guardrailIdentifier is empty or too long"));
    }
    let is_number = (1..=VERSION_MAX_DIGITS).contains(&version.len())
        && !version.starts_with('0')
        && version.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number && version != "DRAFT" {
        return Err(ApiError::validation(
            "guardrailVersion is neither DRAFT nor a version number",
        ));
    }
    Ok(Some(RequestGuardrail {
        identifier,
        version,
        trace: None,
        stream_processing_mode: None,
    }))
}

fn one_of(name: &str, found: Option<&str>, words: &[&str]) -> Result<(), ApiError> {
    match found {
        Some(found) if !words.contains(&found) => Err(ApiError::validation(format!(
            "{name}: expected one of {}, but found {found}",
            words.join(", ")
        ))),
        _ => Ok(()),
    }
}
