//! Errors that Envoy makes itself, in the form of the gateway's own: `envoy_bedrock::admission::reject` tells why it is that one.

use envoy_bedrock::admission::reject::{CONTENT_TYPE, HEADER_ERROR_TYPE};
use envoy_bedrock::contract::names::HEADER_REJECTED;
use serde_json::json;

use super::yaml::{Node, list, map};

/// What is said for a status code.
struct Wording {
    /// The status codes: this one, or with `None` every one that no other wording covers.
    status: Option<u16>,
    /// AWS's error type: what SDKs raise.
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
        "Upgrades of the connection are not supported.",
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
        "The headers of the request are too large.",
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
        "Bedrock's answer could not be read.",
    ),
    wording(
        503,
        "ServiceUnavailableException",
        "service_unavailable_error",
        "Bedrock could not be reached. Please try again.",
    ),
    wording(
        504,
        "ModelTimeoutException",
        "timeout_error",
        "Bedrock did not answer in time.",
    ),
    Wording {
        status: None,
        error_type: "InternalServerException",
        kind: "internal_server_error",
        message: "The gateway could not process the request.",
    },
];

pub(crate) fn config() -> Node {
    map! {
        "mappers" => WORDINGS.iter().map(mapper).collect::<Vec<_>>(),
        "body_format" => map! {
            "text_format_source" => map! { "inline_string" => "%LOCAL_REPLY_BODY%" },
            "content_type" => CONTENT_TYPE,
        },
    }
}

fn mapper(wording: &Wording) -> Node {
    // Replies of the filter itself carry this header and keep their words.
    let foreign = map! {
        "header_filter" => map! {
            "header" => map! { "name" => HEADER_REJECTED, "present_match" => true, "invert_match" => true },
        },
    };
    let filter = match wording.status {
        Some(status) => map! { "and_filter" => map! { "filters" => list![status_is(status), foreign] } },
        None => foreign,
    };
    map! {
        "filter" => filter,
        "headers_to_add" => list![map! {
            "header" => map! { "key" => HEADER_ERROR_TYPE, "value" => wording.error_type },
            "append_action" => "OVERWRITE_IF_EXISTS_OR_ADD",
        }],
        "body" => map! { "inline_string" => body(wording) },
    }
}

fn status_is(status: u16) -> Node {
    let comparison = map! {
        "op" => "EQ",
        "value" => map! { "default_value" => status, "runtime_key" => format!("envoy_bedrock.status_{status}") },
    };
    map! { "status_code_filter" => map! { "comparison" => comparison } }
}

fn body(wording: &Wording) -> String {
    let message = wording.message;
    let code = wording.status.unwrap_or(500).to_string();
    json!({
        "message": message,
        "error": { "message": message, "type": wording.kind, "param": null, "code": code },
    })
    .to_string()
}
