//! Why a credential cannot be obtained.

use std::error::Error;
use std::fmt;

use aws_sdk_sts::error::ErrorMetadata;

/// Longest reason that is passed on, in characters.
const REASON_CHARACTERS: usize = 300;
/// What precedes the output of a program in an error. A shell that traces its commands may print
/// secrets.
const PROGRAM_OUTPUT: &str = ". Stderr:";
/// How errors of AWS's crates start that add nothing to their cause.
const WRAPPERS: [&str; 9] = [
    "ProfileFile provider could not be built",
    "an error occurred while loading",
    "dispatch failure",
    "io error",
    "service error",
    "the credential provider was not enabled",
    "the credentials provider was not properly configured",
    "unexpected credentials error",
    "unhandled error",
];

/// The kind of a failure, as the broker's responses and the metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureCode {
    /// The first attempt is under way.
    Pending,
    /// The identity is not allowed to have the credential.
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
    /// What the operator can do about it, as a sentence without its full stop.
    remedy: Option<String>,
}

impl Failure {
    /// A failure with our own reason.
    pub(crate) fn new(code: FailureCode, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            remedy: None,
        }
    }

    /// The failure that AWS's crates report. Only their messages are used: the `Debug` output of
    /// some errors contains the response, and so perhaps secrets.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut texts = Vec::new();
        let mut next = Some(error);
        while let Some(error) = next {
            texts.push(text(error));
            next = error.source();
        }
        let code = FailureCode::of_reason(&texts.join(": "));
        let outermost = texts.first().cloned().unwrap_or_default();
        let mut reason = String::new();
        for text in texts.iter().filter_map(|text| without_wrapper(text)) {
            if reason.contains(text) {
                continue;
            }
            if !reason.is_empty() {
                reason.push_str(": ");
            }
            reason.push_str(text);
        }
        let reason = if reason.is_empty() { outermost } else { reason };
        Self::new(code, on_one_line(&reason))
    }

    /// The failure with another reason.
    pub(super) fn explained(self, reason: impl FnOnce(&str) -> String) -> Self {
        Self {
            reason: reason(&self.reason),
            ..self
        }
    }

    /// The failure with a remedy, unless it has one.
    pub(super) fn or_remedy(self, remedy: impl FnOnce(&Self) -> String) -> Self {
        let remedy = self.remedy.clone().unwrap_or_else(|| remedy(&self));
        Self {
            remedy: Some(remedy),
            ..self
        }
    }

    /// What the operator can do about it; empty if nothing is known.
    pub(crate) fn remedy(&self) -> &str {
        self.remedy.as_deref().unwrap_or_default()
    }
}

/// The message of an error alone, without its cause.
fn text(error: &(dyn Error + 'static)) -> String {
    let Some(answer) = error.downcast_ref::<ErrorMetadata>() else {
        let text = error.to_string();
        let said = text.split(PROGRAM_OUTPUT).next();
        return said.unwrap_or_default().to_owned();
    };
    match (answer.code(), answer.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(text), None) | (None, Some(text)) => text.to_owned(),
        (None, None) => "an error without a message".to_owned(),
    }
}

/// What `text` says besides the fact that something failed.
fn without_wrapper(text: &str) -> Option<&str> {
    match WRAPPERS.iter().find_map(|wrapper| text.strip_prefix(wrapper)) {
        Some(rest) => rest.strip_prefix(": "),
        None => Some(text),
    }
}

/// `text` without control characters, not too long, and without its full stop.
fn on_one_line(text: &str) -> String {
    let line = |c: char| if c.is_control() { ' ' } else { c };
    let line: String = text.chars().map(line).take(REASON_CHARACTERS).collect();
    line.trim().trim_end_matches('.').to_owned()
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.reason)
    }
}
