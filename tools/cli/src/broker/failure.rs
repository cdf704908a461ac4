//! Why a credential cannot be had.

use std::error::Error;
use std::fmt;

/// Longest reason that is passed on, in characters.
const REASON_CHARACTERS: usize = 300;

/// The kind of a failure, as the broker's responses and the metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureCode {
    /// The first attempt is under way.
    Pending,
    /// The identity may not have the credential.
    AccessDenied,
    /// The service limits how often it is asked.
    Throttling,
    /// The token or session that is exchanged has expired.
    ExpiredToken,
    /// The broker has no credential of this name.
    NotFound,
    /// The configuration of the source is wrong or incomplete.
    InvalidConfiguration,
    /// The source did not answer in time.
    Timeout,
    /// Anything else.
    ProviderError,
}

impl FailureCode {
    /// The code in responses.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::AccessDenied => "AccessDenied",
            Self::Throttling => "Throttling",
            Self::ExpiredToken => "ExpiredToken",
            Self::NotFound => "NotFound",
            Self::InvalidConfiguration => "InvalidConfiguration",
            Self::Timeout => "Timeout",
            Self::ProviderError => "ProviderError",
        }
    }

    /// The HTTP status of responses.
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::AccessDenied | Self::ExpiredToken => 403,
            Self::NotFound => 404,
            Self::Throttling => 429,
            Self::Pending => 503,
            Self::Timeout => 504,
            Self::InvalidConfiguration | Self::ProviderError => 500,
        }
    }

    /// The kind of a failure that AWS's crates describe as `reason`.
    fn of_reason(reason: &str) -> Self {
        let has = |words: &[&str]| words.iter().any(|word| reason.contains(word));
        if has(&[
            "Throttling",
            "TooManyRequests",
            "RequestLimitExceeded",
            "Rate exceeded",
        ]) {
            Self::Throttling
        } else if has(&["ExpiredToken", "has expired", "is expired", "expired token"]) {
            Self::ExpiredToken
        } else if has(&[
            "AccessDenied",
            "Forbidden",
            "UnauthorizedException",
            "not authorized",
            "InvalidIdentityToken",
        ]) {
            Self::AccessDenied
        } else if has(&["timed out", "timeout"]) {
            Self::Timeout
        } else if has(&[
            "not defined",
            "no profile",
            "could not parse",
            "No such file",
            "not found",
            "not enabled",
            "no providers in chain",
        ]) {
            Self::InvalidConfiguration
        } else {
            Self::ProviderError
        }
    }
}

/// A failure to get a credential. It contains no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Its kind.
    pub(crate) code: FailureCode,
    /// What happened, on one line.
    pub(crate) reason: String,
}

impl Failure {
    /// A failure with a reason that we wrote.
    pub(crate) fn new(code: FailureCode, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }

    /// The failure that AWS's crates report. Only their messages are used: the `Debug` output of
    /// some errors contains the response, and so perhaps secrets.
    pub(crate) fn of(error: &dyn Error) -> Self {
        let mut reason = String::new();
        let mut next: Option<&dyn Error> = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            if !reason.contains(&text) {
                if !reason.is_empty() {
                    reason.push_str(": ");
                }
                reason.push_str(&text);
            }
            next = error.source();
        }
        let line = |c: char| if c.is_control() { ' ' } else { c };
        let reason: String = reason.chars().map(line).take(REASON_CHARACTERS).collect();
        Self {
            code: FailureCode::of_reason(&reason),
            reason,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.reason)
    }
}
