//! The observer of an answer that is one document.

use crate::json::Malformed;
use crate::usage::estimate::estimate;
use crate::usage::fields::{BODY, UsageField};
use crate::usage::headers::HeaderUsage;
use crate::usage::observe::{Ending, Observation, UnreadableReason};
use crate::usage::reading::Reading;
use crate::usage::scan::Scanner;
use crate::usage::tokens::UsageSource;

/// Reads an answer that is one JSON document: Converse, InvokeModel. Memory: itself, under a kilobyte.
///
/// For answers of status 200 only: what an error's body says is no usage.
#[derive(Clone, Debug)]
pub struct BodyObserver {
    scanner: Scanner<UsageField, Reading>,
    empty: bool,
    malformed: bool,
}

impl Default for BodyObserver {
    fn default() -> Self {
        Self {
            scanner: Scanner::new(&BODY, Reading::default()),
            empty: true,
            malformed: false,
        }
    }
}

impl BodyObserver {
    /// Looks at the next bytes of the body.
    pub fn push(&mut self, chunk: &[u8]) {
        self.empty &= chunk.is_empty();
        self.malformed = self.malformed || self.scanner.push(chunk) == Err(Malformed);
    }

    /// What the answer said. `headers`: of the response. `request_bytes`: size of the request's body, for a guess.
    pub fn finish(&self, ending: Ending, headers: &HeaderUsage, request_bytes: u64) -> Observation {
        let reading = self.scanner.visitor();
        let reported = if self.malformed {
            None
        } else {
            reading.usage().usage()
        };
        let unreadable = if self.malformed || (!self.empty && !self.scanner.is_complete()) {
            Some(UnreadableReason::Json)
        } else {
            reading.counted.then_some(UnreadableReason::Counts)
        };
        let numbers = if reported.is_some() {
            (UsageSource::Reported, reported)
        } else if let Some(usage) = headers.usage() {
            (UsageSource::Headers, Some(usage))
        } else if ending == Ending::Cut && !self.malformed {
            let guess = estimate(request_bytes, reading.metadata.characters, None, None);
            (UsageSource::Estimated, Some(guess))
        } else if unreadable.is_some() {
            (UsageSource::Unparsed, None)
        } else {
            (UsageSource::Unknown, None)
        };
        Observation::new(numbers, unreadable, None, reading.metadata, headers)
    }
}
