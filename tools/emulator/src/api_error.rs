//! Bedrock's errors, and the one place that gives them their wire form.

use bytes::Bytes;
use hyper::StatusCode;

/// An error as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: StatusCode,
    /// Value of `x-amzn-ErrorType`; empty for an answer that no service made (a load balancer's 502).
    pub code: String,
    /// The text.
    pub message: String,
    /// Which layer speaks, and so how it spells `message`.
    pub layer: ErrorLayer,
}

/// The layer of AWS that an error comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorLayer {
    /// Bedrock itself: `{"message": …}`.
    Service,
    /// IAM and the API keys: `{"Message": …}`.
    Access,
}

impl ApiError {
    /// An error of Bedrock itself.
    pub fn service(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            layer: ErrorLayer::Service,
        }
    }

    /// An error of the access layer: 403.
    pub fn access(code: &str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            code: code.to_owned(),
            message: message.into(),
            layer: ErrorLayer::Access,
        }
    }

    /// 400 with Bedrock's most common code.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::service(StatusCode::BAD_REQUEST, "ValidationException", message)
    }

    /// 400 for a body that is no JSON, or has a member of another type than the model says.
    pub fn serialization(message: impl Into<String>) -> Self {
        Self::service(StatusCode::BAD_REQUEST, "SerializationException", message)
    }

    /// 404 for a path or method that is no operation.
    pub fn unknown_operation() -> Self {
        Self::service(StatusCode::NOT_FOUND, "UnknownOperationException", "")
    }

    /// What Bedrock says with this status most often. Other statuses than those of the model have no code.
    pub fn of_status(status: StatusCode) -> Self {
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

    /// The body.
    pub fn body(&self) -> Bytes {
        let member = match self.layer {
            ErrorLayer::Service => "message",
            ErrorLayer::Access => "Message",
        };
        let mut body = serde_json::Map::new();
        body.insert(member.to_owned(), self.message.clone().into());
        if self.code == "ModelErrorException" {
            body.insert("originalStatusCode".to_owned(), 500.into());
            body.insert("resourceName".to_owned(), "emulated-model".into());
        }
        if self.code == "ModelNotReadyException" {
            body.insert("retryable".to_owned(), serde_json::json!({ "throttling": false }));
        }
        serde_json::Value::Object(body).to_string().into()
    }
}
