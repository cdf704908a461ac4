//! How fast and how long answers are.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::control::matcher::{Matcher, Subject};

/// Most pieces of a streamed text.
const EVENTS_LIMIT: usize = 100_000;
/// Longest text, in bytes: a frame around it is within Bedrock's own limits.
const RESPONSE_BYTES_LIMIT: usize = 8 * 1024 * 1024;

/// The pace of an answer; absent members mean the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResponsePace {
    /// Pieces of a streamed text (6 by default); start and end come on top.
    pub events: Option<usize>,
    /// Time between two events of a stream, in milliseconds.
    pub interval_ms: u64,
    /// Least length of the text, in bytes.
    pub response_bytes: Option<usize>,
    /// Time before the response headers, in milliseconds.
    pub latency_ms: u64,
}

/// A pace for some requests.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PaceRule {
    /// For which.
    #[serde(rename = "match")]
    pub matcher: Matcher,
    /// The pace.
    pub pace: ResponsePace,
}

/// The rules in force; the last one that matches counts.
#[derive(Debug, Default)]
pub struct PaceRules(Mutex<Vec<PaceRule>>);

impl PaceRules {
    /// Adds a rule, or says which of its members is out of bounds.
    pub fn add(&self, rule: PaceRule) -> Result<(), String> {
        let bounds = [
            ("events", rule.pace.events, EVENTS_LIMIT),
            ("response_bytes", rule.pace.response_bytes, RESPONSE_BYTES_LIMIT),
        ];
        for (name, value, limit) in bounds {
            if let Some(value) = value.filter(|value| *value > limit) {
                return Err(format!("expected {name} of at most {limit}, but found {value}"));
            }
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(rule);
        Ok(())
    }

    /// Removes all rules.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn find(&self, subject: &Subject<'_>) -> ResponsePace {
        let rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rules
            .iter()
            .rev()
            .find(|rule| rule.matcher.admits(subject))
            .map_or(ResponsePace::default(), |rule| rule.pace)
    }
}
