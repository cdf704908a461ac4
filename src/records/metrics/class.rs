//! Label values from fixed sets, so that clients and responses cannot add others.

use crate::routing::verdict::Verdict;
use crate::usage::{Observation, StreamException, UsageSource};

/// Label `status_class`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum StatusClass {
    /// There was no response.
    None,
    Success,
    Redirection,
    ClientError,
    ServerError,
}

impl StatusClass {
    pub(super) const fn of(status: Option<u16>) -> Self {
        match status {
            Some(200..=299) => Self::Success,
            Some(300..=399) => Self::Redirection,
            Some(400..=499) => Self::ClientError,
            Some(500..=599) => Self::ServerError,
            _ => Self::None,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Success => "2xx",
            Self::Redirection => "3xx",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
        }
    }
}

/// Label `outcome` of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum AttemptOutcome {
    Throttled,
    /// The deployment's credentials, model access, quota or endpoint are wrong.
    Unusable,
    Response(StatusClass),
}

impl AttemptOutcome {
    /// Determines the outcome from the status of the response (0 if there was none) and the
    /// verdict.
    pub(super) const fn of(status: u16, verdict: Verdict) -> Self {
        match verdict {
            Verdict::Throttled => Self::Throttled,
            Verdict::Unusable => Self::Unusable,
            Verdict::Final | Verdict::Transient => Self::Response(StatusClass::of(Some(status))),
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Unusable => "unusable",
            Self::Response(class) => class.as_str(),
        }
    }
}

/// Error types of Bedrock and the gateway, and `Cut`.
const ERRORS: [&str; 20] = [
    "AccessDeniedException",
    "ConflictException",
    "Cut",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InternalServerException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "ModelErrorException",
    "ModelNotReadyException",
    "ModelStreamErrorException",
    "ModelTimeoutException",
    "ResourceNotFoundException",
    "SerializationException",
    "ServiceQuotaExceededException",
    "ServiceUnavailableException",
    "ThrottlingException",
    "UnknownOperationException",
    "UnrecognizedClientException",
    "ValidationException",
];

/// Label `error_class`. The names of exceptions in streams start in lower case, as on the wire.
pub(super) fn error(word: &str) -> &'static str {
    let known = ERRORS.into_iter().find(|known| *known == word);
    known.unwrap_or_else(|| StreamException::from_word(word.as_bytes()).as_str())
}

/// Label `reason` for usage that the response did not report; `None` if it did.
pub(super) fn unread(observation: &Observation) -> Option<&'static str> {
    match observation.source {
        UsageSource::Reported | UsageSource::Headers => None,
        UsageSource::Estimated => Some("cut"),
        UsageSource::Unparsed => Some(
            observation
                .unreadable
                .map_or("unparsed", |reason| reason.as_str()),
        ),
        UsageSource::Unknown => Some("absent"),
    }
}
