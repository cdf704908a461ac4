//! How fast and how long responses are.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

use super::matcher::{Matcher, Subject};

/// Most pieces that a streamed text is cut into.
const EVENTS_LIMIT: usize = 100_000;
/// Longest text, in bytes. A frame around it stays within Bedrock's own limits.
const RESPONSE_BYTES_LIMIT: usize = 8 * 1024 * 1024;

/// The pace of a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ResponsePace {
    /// Pieces of a streamed text (6 by default). The events at its start and end are not counted.
    pub(crate) events: Option<usize>,
    /// Time between two events of a stream, in milliseconds.
    pub(crate) interval_ms: u64,
    /// Minimum length of the text, in bytes.
    pub(crate) response_bytes: Option<usize>,
    /// Time before the response headers, in milliseconds.
    pub(crate) latency_ms: u64,
}

/// A pace and the requests that it applies to.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PaceRule {
    #[serde(rename = "match")]
    pub(crate) matcher: Matcher,
    pub(crate) pace: ResponsePace,
}

/// The rules in force. The last one that matches a request applies.
#[derive(Debug, Default)]
pub(crate) struct PaceRules(Mutex<Vec<PaceRule>>);

impl PaceRules {
    pub(crate) fn add(&self, rule: PaceRule) -> Result<(), PaceError> {
        for (member, value, limit) in [
            ("events", rule.pace.events, EVENTS_LIMIT),
            ("response_bytes", rule.pace.response_bytes, RESPONSE_BYTES_LIMIT),
        ] {
            if let Some(value) = value.filter(|value| *value > limit) {
                return Err(PaceError { member, value, limit });
            }
        }
        self.lock().push(rule);
        Ok(())
    }

    /// Removes all rules.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    pub(crate) fn find(&self, subject: &Subject<'_>) -> ResponsePace {
        self.lock()
            .iter()
            .rev()
            .find(|rule| rule.matcher.admits(subject))
            .map_or(ResponsePace::default(), |rule| rule.pace)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<PaceRule>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A member of a pace is above its limit.
#[derive(Debug)]
pub struct PaceError {
    member: &'static str,
    value: usize,
    limit: usize,
}

impl fmt::Display for PaceError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { member, value, limit } = self;
        write!(out, "expected {member} to be at most {limit}, but found {value}")
    }
}

impl std::error::Error for PaceError {}
