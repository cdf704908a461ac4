//! Bedrock's errors and their wire format.

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::{Map, Value, json};

/// An error as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    /// `x-amzn-ErrorType`; empty for errors that do not come from a service, such as a load
    /// balancer's 502.
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) layer: ErrorLayer,
}

/// The layer of AWS that an error comes from. Each spells the message differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorLayer {
    /// Bedrock itself: `{"message": …}`.
    Service,
    /// Authentication, by signature or API key: `{"Message": …}`.
    Access,
}

impl ApiError {
    /// An error of Bedrock itself.
    pub(crate) fn service(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            layer: ErrorLayer::Service,
        }
    }

    /// An error of the access layer: 403.
    pub(crate) fn access(code: &str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            code: code.to_owned(),
            message: message.into(),
            layer: ErrorLayer::Access,
        }
    }

    /// 400, with Bedrock's most common code.
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::service(StatusCode::BAD_REQUEST, "ValidationException", message)
    }

    /// 400, for a body that is not JSON or does not fit the operation's shape.
    pub(crate) fn serialization(message: impl Into<String>) -> Self {
        Self::service(StatusCode::BAD_REQUEST, "SerializationException", message)
    }

    /// 404, for a path or method that names no operation.
    pub(crate) fn unknown_operation() -> Self {
        Self::service(StatusCode::NOT_FOUND, "UnknownOperationException", "")
    }

    /// The error that Bedrock usually sends with `status`. A status that Bedrock does not use gets
    /// no code.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let (code, message) = match status.as_u16() {
            400 => ("ValidationException", "The provided request is not valid."),
            403 => (
                "AccessDeniedException",
                "You don't have access to the model with the specified model ID.",
            ),
            404 => (
                "ResourceNotFoundException",
                "The specified resource was not found.",
            ),
            408 => (
                "ModelTimeoutException",
                "Model has timed out in processing the request.",
            ),
            413 => ("RequestEntityTooLargeException", "Request is too large."),
            424 => (
                "ModelErrorException",
                "The system encountered an unexpected error during processing.",
            ),
            429 => (
                "ThrottlingException",
                "Too many requests, please wait before trying again.",
            ),
            500 => (
                "InternalServerException",
                "The system encountered an unexpected error during processing.",
            ),
            503 => (
                "ServiceUnavailableException",
                "Bedrock is unable to process your request.",
            ),
            _ => ("", "The server could not answer."),
        };
        Self::service(status, code, message)
    }

    pub(crate) fn body(&self) -> Bytes {
        let member = match self.layer {
            ErrorLayer::Service => "message",
            ErrorLayer::Access => "Message",
        };
        let mut body = Map::new();
        body.insert(member.to_owned(), self.message.clone().into());
        if self.code == "ModelErrorException" {
            body.insert("originalStatusCode".to_owned(), 500.into());
            body.insert("resourceName".to_owned(), "emulated-model".into());
        }
        if self.code == "ModelNotReadyException" {
            body.insert("retryable".to_owned(), json!({ "throttling": false }));
        }
        Value::Object(body).to_string().into()
    }
}
