//! The gateway's own replies. Status codes and error bodies are defined only here.
//!
//! The body serves both kinds of clients: AWS SDKs read `x-amzn-errortype` and `message`, clients
//! of LiteLLM read `error`. The rendered `local_reply_config` gives Envoy's own errors the same
//! format.

use std::borrow::Cow;

use serde_json::json;

use crate::admission::path::{ALIAS_MAX_BYTES, PathError};
use crate::admission::proxy_key::NoKey;
use crate::admission::signature::SignatureError;
use crate::excerpt::excerpt;
use crate::guardrail::BodyFault;
use crate::headers::HeaderPair;
use crate::json::MAX_DEPTH;
use crate::limits::{Exceeded, ExceededLimit, reset_at};

/// Why a request was refused. It contains no secret from the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reject {
    /// The key is missing or malformed.
    NoKey(NoKey),
    /// The key is wrong.
    WrongKey,
    /// The request is signed with an AWS pair, but its signature is refused.
    Signature(SignatureError),
    /// The key is blocked.
    BlockedKey,
    /// The key has expired.
    ExpiredKey,
    /// The team of the key is blocked.
    BlockedTeam(String),
    /// The key may not call this model.
    ModelNotAllowed(String),
    /// A limit of the key or its team is exceeded.
    LimitExceeded {
        /// The limit.
        exceeded: Box<Exceeded>,
        /// The status if it is a budget.
        budget_status: u16,
    },
    /// Only the master key may do this.
    MasterKeyOnly,
    /// The master key asks about a key that does not exist.
    UnknownKey,
    /// A question about a model that the key cannot call.
    NoSuchModel(String),
    /// The path is invalid.
    Path(PathError),
    /// The path is known, but requires this method.
    Method(&'static str),
    /// A malformed spend-log query.
    SpendQuery,
    /// No model group matches this name from the client.
    UnknownModel(String),
    /// The guardrail of the model cannot be added to the body.
    Body(BodyFault),
    /// CountTokens for an inference profile whose foundation model is unknown, with the id of the
    /// deployment.
    Uncountable(String),
    /// The body exceeds this limit in bytes.
    BodyTooLarge(u64),
    /// This many requests are in progress, which is the limit.
    ParallelRequests(u64),
    /// The bodies that the gateway holds leave no room for this one.
    BufferedBodies,
    /// The request cannot be signed: its plan is missing, or Envoy chose an endpoint that was not
    /// planned.
    Unsignable,
    /// No deployment that may be used has AWS credentials at the moment, with the causes for the
    /// log.
    NoCredentials(String),
    /// The upstream's response has a status that no response can have.
    BadResponse,
    /// A host call failed.
    Host,
}

/// A local reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The AWS error type if the reply is a refusal.
    pub error_type: Option<&'static str>,
    /// The JSON body.
    pub body: Vec<u8>,
    /// The reason for counters if the reply is a refusal.
    pub reason: Option<&'static str>,
}

impl Reply {
    /// Its headers as bytes.
    pub fn header_pairs(&self) -> impl Iterator<Item = HeaderPair<'_>> + Clone {
        let headers = self.headers.iter();
        headers.map(|(name, value)| (name.as_bytes(), value.as_bytes()))
    }

    /// Creates a reply with a JSON body.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self {
            status,
            headers: vec![("content-type", CONTENT_TYPE.into())],
            error_type: None,
            body: body.to_string().into_bytes(),
            reason: None,
        }
    }
}

/// `content-type` of every [`Reply`].
pub const CONTENT_TYPE: &str = "application/json";
/// The status of a `ModelTimeoutException`: there was no response in time.
pub const MODEL_TIMEOUT_STATUS: u16 = 408;
/// Header with the AWS error type.
pub const HEADER_ERROR_TYPE: &str = "x-amzn-errortype";

/// After how many seconds clients should try again.
pub(crate) const RETRY_AFTER: &str = "retry-after";
/// The shortage may be over at any time.
const SOON: &str = "1";
/// LiteLLM's header with the name of a limit.
const RATE_LIMIT_TYPE: &str = "rate_limit_type";

/// Longest excerpt of an unknown model name that is returned to the client.
const NAME_SHOWN_MAX_BYTES: usize = 200;

impl Reject {
    /// The reply to the client.
    pub fn reply(&self) -> Reply {
        let (status, error_type, kind) = self.classify();
        let message = self.message();
        let body = json!({
            "message": message,
            "error": { "message": message, "type": kind, "param": null, "code": status.to_string() },
        });
        let mut reply = Reply::json(status, &body);
        reply.reason = Some(self.reason());
        reply.error_type = Some(error_type);
        reply.headers.push((HEADER_ERROR_TYPE, error_type.into()));
        reply.headers.extend(self.headers());
        reply
    }

    /// The headers that only replies like this one have.
    fn headers(&self) -> Vec<(&'static str, Cow<'static, str>)> {
        match self {
            Self::NoKey(_) | Self::WrongKey | Self::BlockedKey | Self::BlockedTeam(_) | Self::ExpiredKey => {
                vec![("www-authenticate", "Bearer".into())]
            }
            Self::Method(allowed) => vec![("allow", (*allowed).into())],
            Self::ParallelRequests(_) => vec![
                (RETRY_AFTER, SOON.into()),
                (RATE_LIMIT_TYPE, "max_parallel_requests".into()),
            ],
            Self::BufferedBodies | Self::NoCredentials(_) => vec![(RETRY_AFTER, SOON.into())],
            Self::LimitExceeded { exceeded, .. } => limit_headers(exceeded),
            _ => Vec::new(),
        }
    }

    /// A warning for the log, if it says more than the client is told.
    pub fn warning(&self) -> Option<&str> {
        match self {
            Self::NoCredentials(causes) => Some(causes),
            _ => None,
        }
    }

    /// A short name for counters.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoKey(NoKey::Missing) => "no_key",
            Self::NoKey(NoKey::Malformed) => "malformed_key",
            Self::WrongKey => "wrong_key",
            Self::Signature(SignatureError::Unrecognized) => "unknown_access_key",
            Self::Signature(_) => "bad_signature",
            Self::BlockedKey => "blocked_key",
            Self::ExpiredKey => "expired_key",
            Self::BlockedTeam(_) => "blocked_team",
            Self::ModelNotAllowed(_) => "model_not_allowed",
            Self::LimitExceeded { exceeded, .. } => match exceeded.limit {
                ExceededLimit::Requests { .. } => "rpm_limit",
                ExceededLimit::Tokens { .. } => "tpm_limit",
                ExceededLimit::Parallel { .. } => "key_parallel_requests",
                ExceededLimit::Budget { .. } => "budget_exceeded",
            },
            Self::MasterKeyOnly => "master_key_only",
            Self::UnknownKey => "unknown_key",
            Self::NoSuchModel(_) => "no_such_model",
            Self::Path(PathError::UnknownOperation) => "unknown_operation",
            Self::Path(_) => "bad_path",
            Self::Method(_) => "method",
            Self::SpendQuery => "spend_query",
            Self::UnknownModel(_) => "unknown_model",
            Self::Body(_) => "bad_body",
            Self::Uncountable(_) => "uncountable",
            Self::BodyTooLarge(_) => "body_too_large",
            Self::ParallelRequests(_) => "parallel_requests",
            Self::BufferedBodies => "buffered_bodies",
            Self::Unsignable => "unsignable",
            Self::NoCredentials(_) => "no_credentials",
            Self::BadResponse => "bad_response",
            Self::Host => "host",
        }
    }

    /// The status code, AWS error type and LiteLLM error type.
    const fn classify(&self) -> (u16, &'static str, &'static str) {
        match self {
            Self::NoKey(_) | Self::BlockedKey | Self::BlockedTeam(_) => {
                (401, "UnrecognizedClientException", "auth_error")
            }
            Self::LimitExceeded {
                exceeded,
                budget_status,
            } => match exceeded.limit {
                // SDKs do not retry this error, because the budget remains exceeded.
                ExceededLimit::Budget { .. } => {
                    (*budget_status, "ServiceQuotaExceededException", "budget_exceeded")
                }
                _ => (429, "ThrottlingException", "throttling_error"),
            },
            Self::ExpiredKey => (401, "UnrecognizedClientException", "expired_key"),
            Self::ModelNotAllowed(_) => (403, "AccessDeniedException", "key_model_access_denied"),
            Self::MasterKeyOnly => (403, "AccessDeniedException", "auth_error"),
            Self::UnknownKey | Self::NoSuchModel(_) => (404, "ResourceNotFoundException", "not_found_error"),
            Self::WrongKey => (401, "UnrecognizedClientException", "token_not_found_in_db"),
            Self::Signature(error) => (403, error.error_type(), "auth_error"),
            Self::Path(PathError::UnknownOperation) => (404, "UnknownOperationException", "not_found_error"),
            Self::Path(_)
            | Self::UnknownModel(_)
            | Self::Uncountable(_)
            | Self::SpendQuery
            | Self::Body(_) => (400, "ValidationException", "invalid_request_error"),
            Self::Method(_) => (405, "UnknownOperationException", "invalid_request_error"),
            Self::BodyTooLarge(_) => (413, "ValidationException", "invalid_request_error"),
            Self::BadResponse => (502, "ServiceUnavailableException", "service_unavailable_error"),
            Self::ParallelRequests(_) => (429, "ThrottlingException", "throttling_error"),
            Self::BufferedBodies | Self::Unsignable | Self::NoCredentials(_) | Self::Host => {
                (503, "ServiceUnavailableException", "service_unavailable_error")
            }
        }
    }

    fn message(&self) -> String {
        match self {
            Self::NoKey(NoKey::Missing) => "Authentication Error, No api key passed in.".into(),
            Self::NoKey(NoKey::Malformed) => "Authentication Error, Malformed API Key passed in. \
                 Expected 'Authorization: Bearer <key>' once, or the key as the access key id."
                .into(),
            Self::WrongKey => "Authentication Error, Invalid API key provided.".into(),
            Self::Signature(error) => error.message(),
            Self::BlockedKey => "Authentication Error, This key is blocked.".into(),
            Self::BlockedTeam(id) => format!("Authentication Error, The team {id} of this key is blocked."),
            Self::ExpiredKey => "Authentication Error, This key has expired.".into(),
            Self::LimitExceeded { exceeded, .. } => exceeded.message(),
            Self::ModelNotAllowed(name) => {
                let shown = excerpt(name.as_bytes(), NAME_SHOWN_MAX_BYTES);
                format!("This key may not call the model {shown}. Ask for a key whose models include it.")
            }
            Self::MasterKeyOnly => "Only the master key may do this.".into(),
            Self::UnknownKey => "No virtual key has this token.".into(),
            Self::NoSuchModel(name) => {
                let shown = excerpt(name.as_bytes(), NAME_SHOWN_MAX_BYTES);
                format!("This key can call no model {shown}.")
            }
            Self::Path(PathError::UnknownOperation) => "Unknown operation. Expected POST \
                 [/bedrock]/model/{modelId}/{converse|converse-stream|invoke|invoke-with-response-stream|count-tokens}."
                .into(),
            Self::Path(PathError::BadByte) => {
                "The path contains a byte that must be percent-encoded, or a '%' without two hexadecimal digits.".into()
            }
            Self::Path(PathError::BadAlias) => {
                "The model identifier is not UTF-8, or contains a control character or a backslash.".into()
            }
            Self::Path(PathError::BadSegment) => {
                "The model identifier contains an empty, '.' or '..' segment.".into()
            }
            Self::Path(PathError::TooLong) => {
                format!("The model identifier is longer than {ALIAS_MAX_BYTES} bytes.")
            }
            Self::Method(allowed) => format!("Method not allowed. Expected {allowed}."),
            Self::SpendQuery => "Expected GET /spend/logs?request_id=<x-litellm-call-id or x-amzn-requestid of a request>.".into(),
            Self::UnknownModel(name) => {
                let shown = excerpt(name.as_bytes(), NAME_SHOWN_MAX_BYTES);
                format!(
                    "Invalid model name passed in model={shown}. No model_name in the gateway's model_list matches it. \
                     To accept Bedrock model ids directly, add an entry such as \
                     {{model_name: \"us.anthropic.*\", litellm_params: {{model: \"bedrock/us.anthropic.*\"}}}}, \
                     or one with model_name \"*\" and model \"bedrock/*\"."
                )
            }
            Self::Body(fault) => {
                let found = describe(*fault);
                format!("The gateway adds a guardrail to requests for this model, so the body must be a JSON object, but found {found}.")
            }
            Self::Uncountable(id) => format!(
                "CountTokens supports only foundation models, and the foundation model of the inference profile in \
                deployment {id} is not configured. Set model_info.base_model of that deployment."
            ),
            Self::BodyTooLarge(limit) => format!("Request body is too large. The limit is {limit} bytes."),
            Self::ParallelRequests(limit) => format!(
                "Rate limit exceeded for the gateway. Limit type: max_parallel_requests. Current limit: {limit}, \
                 Remaining: 0."
            ),
            Self::BufferedBodies => {
                "The gateway holds too many request bodies at the moment. Please try again.".into()
            }
            Self::Unsignable => "The request could not be signed for the upstream. Please try again.".into(),
            Self::NoCredentials(_) => {
                "The gateway has no valid AWS credentials for this model at the moment. Please try again.".into()
            }
            // As in the rendered `local_reply_config`.
            Self::BadResponse => "Bedrock's response could not be read.".into(),
            Self::Host => "The gateway could not process the request. Please try again.".into(),
        }
    }
}

/// LiteLLM's headers about a limit.
fn limit_headers(exceeded: &Exceeded) -> Vec<(&'static str, Cow<'static, str>)> {
    let mut headers = Vec::new();
    if let Some(seconds) = exceeded.retry_after() {
        headers.push((RETRY_AFTER, seconds.to_string().into()));
        headers.push((RATE_LIMIT_TYPE, exceeded.limit.name().into()));
    }
    if let Some(resets) = exceeded.limit.resets() {
        headers.push(("reset_at", reset_at(resets).into()));
    }
    headers
}

fn describe(fault: BodyFault) -> Cow<'static, str> {
    Cow::from(match fault {
        BodyFault::Empty => "an empty body",
        BodyFault::NotAnObject => "a JSON value that is not an object",
        BodyFault::Malformed => {
            return format!("malformed JSON, or more than {MAX_DEPTH} levels of nesting").into();
        }
        BodyFault::Incomplete => "a truncated object",
        BodyFault::NotUtf8 => "bytes that are not UTF-8",
        BodyFault::BadName => "a member whose name contains a NUL or a lone surrogate",
        BodyFault::TooManyGuardrails => "guardrailConfig in too many places",
    })
}

impl From<NoKey> for Reject {
    fn from(error: NoKey) -> Self {
        Self::NoKey(error)
    }
}

impl From<SignatureError> for Reject {
    fn from(error: SignatureError) -> Self {
        Self::Signature(error)
    }
}

impl From<PathError> for Reject {
    fn from(error: PathError) -> Self {
        Self::Path(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_reject() -> Vec<Reject> {
        use PathError::*;
        let paths = [UnknownOperation, BadByte, BadAlias, BadSegment, TooLong].map(Reject::Path);
        let mut all = vec![
            Reject::NoKey(NoKey::Missing),
            Reject::NoKey(NoKey::Malformed),
            Reject::WrongKey,
            Reject::Signature(SignatureError::Mismatch),
            Reject::Signature(SignatureError::Presigned),
            Reject::Method("POST"),
            Reject::SpendQuery,
            Reject::UnknownModel("a \"b\"\u{1}".into()),
            Reject::Uncountable("claude-eu".into()),
            Reject::BodyTooLarge(5),
            Reject::ParallelRequests(7),
            Reject::BufferedBodies,
            Reject::Unsignable,
            Reject::NoCredentials("secret role".into()),
            Reject::BadResponse,
            Reject::Host,
        ];
        all.extend(paths);
        let faults = [
            BodyFault::Empty,
            BodyFault::NotAnObject,
            BodyFault::Malformed,
            BodyFault::Incomplete,
            BodyFault::NotUtf8,
            BodyFault::BadName,
            BodyFault::TooManyGuardrails,
        ];
        all.extend(faults.map(Reject::Body));
        all
    }

    #[test]
    fn every_reply_serves_aws_and_litellm_clients() {
        for reject in every_reject() {
            let reply = reject.reply();
            let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
            let message = body["message"].as_str().unwrap();
            assert!(message.ends_with('.') && !message.contains("  "), "{message:?}");
            assert!(!message.contains("secret role"));
            assert_eq!(body["error"]["message"], message);
            assert_eq!(body["error"]["code"], reply.status.to_string());
            assert!(body["error"]["param"].is_null());
            assert!(body["error"]["type"].is_string());
        }
    }

    #[test]
    fn status_and_error_type_match() {
        for reject in every_reject() {
            let reply = reject.reply();
            let expected = match reply.status {
                400 | 413 => "ValidationException",
                401 => "UnrecognizedClientException",
                403 => "InvalidSignatureException",
                404 | 405 => "UnknownOperationException",
                429 => "ThrottlingException",
                502 | 503 => "ServiceUnavailableException",
                status => panic!("no error type for {status}"),
            };
            assert!(
                reply.headers.contains(&("x-amzn-errortype", expected.into())),
                "{reject:?}: {:?}",
                reply.headers
            );
        }
    }

    #[test]
    fn the_reply_to_an_unknown_model_says_how_to_allow_it() {
        let reply = Reject::UnknownModel("us.anthropic.claude\u{202e}-v1:0".into()).reply();
        let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(
            body["message"],
            "Invalid model name passed in model=us.anthropic.claude\u{fffd}-v1:0. No model_name in the gateway's \
             model_list matches it. To accept Bedrock model ids directly, add an entry such as {model_name: \
             \"us.anthropic.*\", litellm_params: {model: \"bedrock/us.anthropic.*\"}}, or one with model_name \"*\" \
             and model \"bedrock/*\"."
        );
    }

    #[test]
    fn a_long_model_name_is_shortened() {
        for (length, shown) in [(199, 199), (200, 200), (201, 200), (2048, 200)] {
            let reply = Reject::UnknownModel("x".repeat(length)).reply();
            let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
            let message = body["message"].as_str().unwrap();
            let run = message.split(|c| c != 'x').map(str::len).max();
            assert_eq!(run, Some(shown), "{message}");
        }
    }

    #[test]
    fn a_reply_about_a_full_gateway_says_when_to_retry() {
        for reject in every_reject() {
            let is_full = matches!(
                reject,
                Reject::ParallelRequests(_) | Reject::BufferedBodies | Reject::NoCredentials(_)
            );
            let has_hint = reject.reply().headers.contains(&("retry-after", "1".into()));
            assert_eq!(has_hint, is_full, "{reject:?}");
        }
        let body = String::from_utf8(Reject::ParallelRequests(7).reply().body).unwrap();
        assert_eq!(
            body,
            "{\"error\":{\"code\":\"429\",\"message\":\"Rate limit exceeded for the gateway. Limit type: \
             max_parallel_requests. Current limit: 7, Remaining: 0.\",\"param\":null,\"type\":\
             \"throttling_error\"},\"message\":\"Rate limit exceeded for the gateway. Limit type: \
             max_parallel_requests. Current limit: 7, Remaining: 0.\"}"
        );
    }

    #[test]
    fn the_reply_to_a_wrong_key_has_the_expected_body() {
        let body = String::from_utf8(Reject::WrongKey.reply().body).unwrap();
        assert_eq!(
            body,
            "{\"error\":{\"code\":\"401\",\"message\":\"Authentication Error, Invalid API key provided.\",\
             \"param\":null,\"type\":\"token_not_found_in_db\"},\"message\":\"Authentication Error, Invalid API key \
             provided.\"}"
        );
    }
}
