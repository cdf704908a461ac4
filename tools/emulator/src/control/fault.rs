//! The kinds of faults: failures that the emulator produces on request.

use std::fmt;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use super::alteration::Alteration;
use crate::api_error::{ApiError, ErrorLayer};

/// Error codes that come from AWS's access layer, not from Bedrock.
const ACCESS_CODES: [&str; 5] = [
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "UnrecognizedClientException",
];

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum FaultKind {
    /// An error instead of the response.
    Status(StatusFault),
    /// The region's ports refuse connections until the fault is cleared. Open connections are
    /// reset.
    Refused,
    /// The region's ports accept connections but never read from them until the fault is cleared.
    Blackhole,
    /// A reset once the whole request has arrived, before the response headers.
    Reset,
    /// A reset as soon as the request headers have arrived. The signature is not checked.
    ResetAfterRequestHeaders,
    /// The response breaks off: a stream after `after_events` events, any other response halfway.
    Cut {
        /// Events before the break.
        #[serde(default)]
        after_events: usize,
    },
    /// The stream sends `after_events` events, then nothing more. It does not end.
    Stall {
        /// Events before the silence.
        #[serde(default)]
        after_events: usize,
    },
    /// The stream ends with an exception.
    Exception(ExceptionFault),
    /// The response headers are late.
    Slow {
        /// Milliseconds before the headers.
        delay_ms: u64,
    },
    /// The response headers with status 200 arrive at once; the first event is late or never
    /// arrives.
    SilentStart {
        /// Milliseconds before the first event; forever if absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        delay_ms: Option<u64>,
    },
    /// One frame of the stream has a wrong checksum.
    CorruptFrame {
        /// Events before that frame.
        #[serde(default)]
        after_events: usize,
    },
    /// The response has another status, or further headers or trailers.
    Altered(Alteration),
    /// No response at all.
    Hang,
}

/// An error that is sent instead of a response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StatusFault {
    status: ErrorStatus,
    /// The error code; by default the one that Bedrock usually sends with this status.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<String>,
    /// The error message; by default the one that Bedrock usually sends with this status.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl StatusFault {
    pub(crate) fn error(&self) -> ApiError {
        let mut error = ApiError::of_status(self.status.0);
        if let Some(code) = &self.error_type {
            error.code.clone_from(code);
        }
        if let Some(message) = &self.message {
            error.message.clone_from(message);
        }
        if ACCESS_CODES.contains(&error.code.as_str()) {
            error.layer = ErrorLayer::Access;
        }
        error
    }
}

/// An exception that ends a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExceptionFault {
    #[serde(default)]
    pub(crate) after_events: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl ExceptionFault {
    /// The exception type, such as `throttlingException`.
    pub(crate) fn error_type(&self) -> &str {
        self.error_type.as_deref().unwrap_or("throttlingException")
    }

    pub(crate) fn message(&self) -> &str {
        self.message
            .as_deref()
            .unwrap_or("Too many requests, please wait.")
    }
}

/// An HTTP status from 400 to 599.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
struct ErrorStatus(StatusCode);

impl TryFrom<u16> for ErrorStatus {
    type Error = NotAnErrorStatus;

    fn try_from(status: u16) -> Result<Self, NotAnErrorStatus> {
        let code = StatusCode::from_u16(status).ok();
        code.filter(|code| code.is_client_error() || code.is_server_error())
            .map(Self)
            .ok_or(NotAnErrorStatus(status))
    }
}

impl From<ErrorStatus> for u16 {
    fn from(status: ErrorStatus) -> Self {
        status.0.as_u16()
    }
}

/// A status below 400 or above 599.
struct NotAnErrorStatus(u16);

impl fmt::Display for NotAnErrorStatus {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "expected a status from 400 to 599, but found {}", self.0)
    }
}

/// Whether a region's ports are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PortMode {
    Open,
    Refused,
    Blackhole,
}

/// When a fault hits a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultStage {
    /// The headers have arrived.
    Headers,
    /// The whole request has arrived and was accepted.
    Judged,
}

impl FaultKind {
    /// The name in JSON and in the log.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::Refused => "refused",
            Self::Blackhole => "blackhole",
            Self::Reset => "reset",
            Self::ResetAfterRequestHeaders => "reset_after_request_headers",
            Self::Cut { .. } => "cut",
            Self::Stall { .. } => "stall",
            Self::Exception(_) => "exception",
            Self::Slow { .. } => "slow",
            Self::SilentStart { .. } => "silent_start",
            Self::CorruptFrame { .. } => "corrupt_frame",
            Self::Altered(_) => "altered",
            Self::Hang => "hang",
        }
    }

    /// What a fault of a whole region does to its ports; `None` for a fault of single requests.
    pub(crate) fn port_mode(&self) -> Option<PortMode> {
        match self {
            Self::Refused => Some(PortMode::Refused),
            Self::Blackhole => Some(PortMode::Blackhole),
            _ => None,
        }
    }

    /// When the fault hits a request; `None` for a fault of a whole region.
    pub(crate) fn stage(&self) -> Option<FaultStage> {
        match self {
            Self::Refused | Self::Blackhole => None,
            Self::ResetAfterRequestHeaders => Some(FaultStage::Headers),
            _ => Some(FaultStage::Judged),
        }
    }

    /// Whether the fault hits streaming operations only.
    pub(crate) fn needs_stream(&self) -> bool {
        matches!(
            self,
            Self::Stall { .. } | Self::Exception(_) | Self::SilentStart { .. } | Self::CorruptFrame { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_access_layer_is_spelled_as_that_layer_does() {
        let json = r#"{"kind":"status","status":403,"error_type":"ExpiredTokenException","message":"old"}"#;
        let FaultKind::Status(fault) = serde_json::from_str(json).unwrap() else {
            panic!("not a status fault")
        };
        assert_eq!(&fault.error().body()[..], br#"{"Message":"old"}"#);
    }
}
