//! What the identity service answers.

use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::json;

use super::error::IdentityError;
use super::secret;
use super::xml;

/// The wire format of an endpoint's errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorFormat {
    /// STS.
    Xml,
    /// ECS, EKS and SSO.
    Json,
    /// IMDS, whose SDKs look at the status only.
    Page,
}

/// A response, and what the list of calls says about it.
#[derive(Debug)]
pub(super) struct IdentityReply {
    pub(super) status: StatusCode,
    pub(super) media_type: &'static str,
    pub(super) body: String,
    pub(super) header: Option<(HeaderName, HeaderValue)>,
    /// Access key id of the credential that was issued.
    pub(super) issued: Option<String>,
    /// Code of the error.
    pub(super) error: Option<String>,
}

impl IdentityReply {
    pub(super) fn ok(media_type: &'static str, body: String) -> Self {
        Self {
            status: StatusCode::OK,
            media_type,
            body,
            header: None,
            issued: None,
            error: None,
        }
    }

    pub(super) fn with_issued(mut self, access_key_id: &str) -> Self {
        self.issued = Some(access_key_id.to_owned());
        self
    }

    pub(super) fn of_error(error: &IdentityError, format: ErrorFormat) -> Self {
        let IdentityError {
            status,
            code,
            message,
        } = error;
        let (media_type, body) = match format {
            ErrorFormat::Xml => ("text/xml", xml::error(error, &secret::request_id())),
            ErrorFormat::Json => (
                "application/json",
                json!({ "code": code, "message": message }).to_string(),
            ),
            ErrorFormat::Page => (
                "text/html",
                format!("<html><head><title>{status}</title></head></html>"),
            ),
        };
        Self {
            status: *status,
            error: Some(code.clone()),
            ..Self::ok(media_type, body)
        }
    }

    /// The first three quarters of the body.
    pub(super) fn truncated(mut self) -> Self {
        let length = self.body.len() / 4 * 3;
        self.body = self.body.chars().take(length).collect();
        self
    }

    /// A body that no SDK can parse.
    pub(super) fn garbage() -> Self {
        Self::ok("text/plain", "{<garbage\u{0}".to_owned())
    }
}
