//! Observes a response that is a single JSON document.

use crate::json::Malformed;
use crate::usage::estimate::estimate;
use crate::usage::fields::{BODY, UsageField};
use crate::usage::headers::HeaderUsage;
use crate::usage::observe::{Ending, Observation, UnreadableReason};
use crate::usage::reading::Reading;
use crate::usage::scan::Scanner;
use crate::usage::tokens::UsageSource;

/// Observes a Converse or InvokeModel response. It takes less than a kilobyte and allocates
/// nothing.
///
/// Only for responses with status 200: an error body reports no usage.
#[derive(Clone, Debug)]
pub(crate) struct BodyObserver {
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
    /// Observes the next bytes of the body.
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.empty &= chunk.is_empty();
        self.malformed = self.malformed || self.scanner.push(chunk) == Err(Malformed);
    }

    /// Returns what the response reported. An estimate is based on `request_bytes`, the size of the
    /// request body.
    pub(crate) fn finish(&self, ending: Ending, headers: &HeaderUsage, request_bytes: u64) -> Observation {
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
            let estimated = estimate(request_bytes, reading.metadata.characters, None, None);
            (UsageSource::Estimated, Some(estimated))
        } else if unreadable.is_some() {
            (UsageSource::Unparsed, None)
        } else {
            (UsageSource::Unknown, None)
        };
        Observation::new(numbers, unreadable, None, reading.metadata, headers)
    }
}
