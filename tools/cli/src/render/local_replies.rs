//! Envoy's own errors, in the form of the gateway's local replies:
//! [`envoy_bedrock::admission::reject`] says why.

use envoy_bedrock::admission::reject::{CONTENT_TYPE, HEADER_ERROR_TYPE, MODEL_TIMEOUT_STATUS};
use envoy_bedrock::contract::names::HEADER_REJECTED;
use serde_json::{Value, json};

use super::readiness;

/// Envoy's status if there was no response in time.
const UPSTREAM_TIMEOUT: u16 = 504;

/// What the client is told for a status code.
struct Wording {
    /// The status code; `None` for every code that no other wording covers.
    status: Option<u16>,
    /// AWS's error type, which SDKs raise.
    error_type: &'static str,
    /// LiteLLM's error type.
    kind: &'static str,
    message: &'static str,
}

const fn wording(
    status: u16,
    error_type: &'static str,
    kind: &'static str,
    message: &'static str,
) -> Wording {
    Wording {
        status: Some(status),
        error_type,
        kind,
        message,
    }
}

const WORDINGS: [Wording; 13] = [
    wording(
        400,
        "ValidationException",
        "invalid_request_error",
        "The request is not valid HTTP.",
    ),
    wording(
        403,
        "AccessDeniedException",
        "invalid_request_error",
        "Connection upgrades are not supported.",
    ),
    wording(
        404,
        "UnknownOperationException",
        "not_found_error",
        "Unknown operation.",
    ),
    wording(
        408,
        "RequestTimeoutException",
        "timeout_error",
        "The request took too long to arrive.",
    ),
    wording(
        413,
        "ValidationException",
        "invalid_request_error",
        "Request body is too large.",
    ),
    wording(
        426,
        "ValidationException",
        "invalid_request_error",
        "Upgrade to HTTP/1.1 or HTTP/2.",
    ),
    wording(
        431,
        "ValidationException",
        "invalid_request_error",
        "The request headers are too large.",
    ),
    wording(
        500,
        "InternalServerException",
        "internal_server_error",
        "The gateway could not process the request.",
    ),
    wording(
        501,
        "ValidationException",
        "invalid_request_error",
        "The transfer encoding of the request is not supported.",
    ),
    wording(
        502,
        "ServiceUnavailableException",
        "service_unavailable_error",
        "Bedrock's response could not be read.",
    ),
    wording(
        503,
        "ServiceUnavailableException",
        "service_unavailable_error",
        "Bedrock could not be reached. Please try again.",
    ),
    wording(
        UPSTREAM_TIMEOUT,
        "ModelTimeoutException",
        "timeout_error",
        "Bedrock did not respond in time.",
    ),
    Wording {
        status: None,
        error_type: "InternalServerException",
        kind: "internal_server_error",
        message: "The gateway could not process the request.",
    },
];

/// Requests that Envoy refuses while its heap is almost full: new ones, which have a response flag
/// of the overload manager, and HTTP/1.1 uploads, which Envoy ends with a 500 for a protocol error.
const OVERLOADED: Wording = wording(
    503,
    "ServiceUnavailableException",
    "service_unavailable_error",
    "The gateway is overloaded. Please try again.",
);
const NEW_REQUEST_FLAG: &str = "OM";
const UPLOAD_FLAG: &str = "DPE";
/// When a client may try again. Uploads in progress take seconds.
const RETRY_AFTER_SECONDS: &str = "5";

pub(super) fn config() -> Value {
    let mappers: Vec<Value> = [not_ready(), overloaded()]
        .into_iter()
        .chain(WORDINGS.iter().map(mapper))
        .collect();
    json!({
        "mappers": mappers,
        "body_format": {
            "text_format_source": { "inline_string": "%LOCAL_REPLY_BODY%" },
            "content_type": CONTENT_TYPE,
        },
    })
}

/// The reply to a readiness probe during the drain.
fn not_ready() -> Value {
    json!({
        "filter": { "response_flag_filter": { "flags": [readiness::RESPONSE_FLAG] } },
        "body": { "inline_string": readiness::BODY },
    })
}

fn overloaded() -> Value {
    let has_flag = |flag: &str| json!({ "response_flag_filter": { "flags": [flag] } });
    let upload = json!({ "and_filter": { "filters": [status_is(500), has_flag(UPLOAD_FLAG)] } });
    json!({
        "filter": { "or_filter": { "filters": [has_flag(NEW_REQUEST_FLAG), upload] } },
        "status_code": 503,
        "headers_to_add": [
            header(HEADER_ERROR_TYPE, OVERLOADED.error_type),
            header("retry-after", RETRY_AFTER_SECONDS),
        ],
        "body": { "inline_string": body(&OVERLOADED) },
    })
}

fn mapper(wording: &Wording) -> Value {
    // The filter's own replies carry this header and keep their body.
    let is_envoys_own = json!({
        "header_filter": {
            "header": { "name": HEADER_REJECTED, "present_match": true, "invert_match": true },
        },
    });
    let filter = match wording.status {
        Some(status) => json!({ "and_filter": { "filters": [status_is(status), is_envoys_own] } }),
        None => is_envoys_own,
    };
    json!({
        "filter": filter,
        // Bedrock's own ModelTimeoutException and LiteLLM's timeout have this status.
        "status_code": (wording.status == Some(UPSTREAM_TIMEOUT)).then_some(MODEL_TIMEOUT_STATUS),
        "headers_to_add": [header(HEADER_ERROR_TYPE, wording.error_type)],
        "body": { "inline_string": body(wording) },
    })
}

fn header(name: &str, value: &str) -> Value {
    json!({
        "header": { "key": name, "value": value },
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    })
}

fn status_is(status: u16) -> Value {
    let value = json!({
        "default_value": status,
        "runtime_key": format!("envoy_bedrock.status_{status}"),
    });
    json!({ "status_code_filter": { "comparison": { "op": "EQ", "value": value } } })
}

fn body(wording: &Wording) -> String {
    let message = wording.message;
    let code = match wording.status {
        Some(UPSTREAM_TIMEOUT) => MODEL_TIMEOUT_STATUS,
        status => status.unwrap_or(500),
    };
    let code = code.to_string();
    json!({
        "message": message,
        "error": { "message": message, "type": wording.kind, "param": null, "code": code },
    })
    .to_string()
}
