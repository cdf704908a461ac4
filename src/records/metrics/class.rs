//! Words of labels: few, and all known here, whatever a client or an answer says.

use crate::routing::verdict::Verdict;
use crate::usage::{Observation, StreamException, UsageSource};

/// Label `status_class`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum StatusClass {
    /// The client has left, or was left, without an answer.
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

/// Label `outcome`: what came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum AttemptOutcome {
    Throttled,
    /// The deployment's credentials, model access, quota or endpoint are wrong.
    Unusable,
    Answered(StatusClass),
}

impl AttemptOutcome {
    /// By the answer's status, 0 if there was none, and its verdict.
    pub(super) const fn of(status: u16, verdict: Verdict) -> Self {
        match verdict {
            Verdict::Throttled => Self::Throttled,
            Verdict::Unusable => Self::Unusable,
            Verdict::Final | Verdict::Transient => Self::Answered(StatusClass::of(Some(status))),
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Unusable => "unusable",
            Self::Answered(class) => class.as_str(),
        }
    }
}

/// Errors of Bedrock and of this gateway (aws.md §6), and `Cut`.
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

/// Label `error_class`. An exception in a stream begins with a small letter, as on the wire.
pub(super) fn error(word: &str) -> &'static str {
    let known = ERRORS.into_iter().find(|known| *known == word);
    known.unwrap_or_else(|| StreamException::from_word(word.as_bytes()).as_str())
}

/// Label `reason` of usage that the answer did not tell; `None` if it did.
pub(super) fn unread(seen: &Observation) -> Option<&'static str> {
    match seen.source {
        UsageSource::Reported | UsageSource::Headers => None,
        UsageSource::Estimated => Some("cut"),
        UsageSource::Unparsed => Some(seen.unreadable.map_or("unparsed", |unread| unread.as_str())),
        UsageSource::Unknown => Some("absent"),
    }
}
