//! Errors of the identity service.

use hyper::StatusCode;

use crate::judge::auth_failure::AuthFailure;

/// An error, before it has the wire format of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IdentityError {
    pub(super) status: StatusCode,
    pub(super) code: String,
    pub(super) message: String,
}

impl IdentityError {
    pub(super) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
        }
    }

    /// An error with the status that AWS uses for its code.
    pub(super) fn of_code(code: &str, message: Option<&str>) -> Self {
        let (status, default) = match code {
            "Throttling" => (400, "Rate exceeded"),
            "AccessDenied" => (403, "Access denied"),
            "ExpiredTokenException" => (400, "Token expired"),
            "InvalidIdentityToken" => (400, "The ID Token provided is not a valid JWT."),
            "IDPRejectedClaim" => (403, "The identity provider rejected the claim"),
            "IDPCommunicationError" => (400, "Could not reach the identity provider"),
            "RegionDisabledException" => (
                403,
                "STS is not activated in this region for account:123456789012. Your account administrator can \
                 activate STS in this region using the IAM Console.",
            ),
            "InternalFailure" => (500, "An internal error has occurred"),
            "ServiceUnavailable" => (503, "Service is unavailable"),
            _ => (400, "The request was refused"),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        Self::new(status, code, message.unwrap_or(default))
    }

    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ValidationError", message)
    }

    pub(super) fn denied(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDenied", message)
    }

    /// STS has other codes than Bedrock for requests that are not authenticated.
    pub(super) fn unauthenticated(failure: &AuthFailure) -> Self {
        let (status, code) = match failure.error.code.as_str() {
            "UnrecognizedClientException" => (StatusCode::FORBIDDEN, "InvalidClientTokenId"),
            "ExpiredTokenException" => (StatusCode::FORBIDDEN, "ExpiredToken"),
            "IncompleteSignatureException" => (StatusCode::BAD_REQUEST, "IncompleteSignature"),
            "MissingAuthenticationTokenException" => (StatusCode::FORBIDDEN, "MissingAuthenticationToken"),
            _ => (StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
        };
        Self::new(status, code, &failure.error.message)
    }
}
