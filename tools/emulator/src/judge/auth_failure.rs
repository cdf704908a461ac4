//! Why a request is not authenticated.

use crate::api_error::ApiError;

/// Why a request is not authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuthFailure {
    /// A few words for the log and the summary.
    pub(crate) reason: &'static str,
    /// The error that the client gets.
    pub(crate) error: ApiError,
}

impl AuthFailure {
    pub(super) fn new(reason: &'static str, code: &str, message: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            reason,
            error: ApiError::access(code, message),
        })
    }

    pub(super) fn signature(reason: &'static str, message: impl Into<String>) -> Box<Self> {
        Self::new(reason, "InvalidSignatureException", message)
    }

    pub(super) fn incomplete(message: impl Into<String>) -> Box<Self> {
        Self::new(
            "incomplete authorization",
            "IncompleteSignatureException",
            message,
        )
    }

    pub(super) fn unrecognized(reason: &'static str) -> Box<Self> {
        Self::new(
            reason,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )
    }

    pub(super) fn expired_credential() -> Box<Self> {
        Self::new(
            "expired credential",
            "ExpiredTokenException",
            "The security token included in the request is expired",
        )
    }
}
