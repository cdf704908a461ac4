//! Counts by region.

use std::collections::BTreeMap;

use serde::Serialize;

use super::entry::LogEntry;

/// Counts of one region.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RegionSummary {
    /// Requests that ended.
    pub seen: u64,
    /// Authenticated requests.
    pub verified: u64,
    /// Requests that failed authentication, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Those of them that the test had not announced as hostile.
    pub refused_unexpectedly: u64,
    /// Requests that ended before they were judged.
    pub not_judged: u64,
    /// Requests with violations.
    pub violations: u64,
    /// Responses by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests that a fault hit, by its kind.
    pub faults: BTreeMap<String, u64>,
    /// The usage that was reported to clients.
    pub reported: ReportedUsage,
}

/// Sums over the responses whose usage was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReportedUsage {
    /// Number of these responses.
    #[serde(rename = "answers")]
    pub responses: u64,
    /// Input tokens that were neither read from nor written to a cache.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Tokens read from a cache.
    pub cache_read_tokens: u64,
    /// Tokens written to a cache, for any lifetime.
    pub cache_write_tokens: u64,
}

impl RegionSummary {
    pub(super) fn add(&mut self, entry: &LogEntry) {
        self.seen += 1;
        match entry.verified {
            Some(true) => self.verified += 1,
            Some(false) => {
                *self.refused.entry(entry.reason.unwrap_or_default()).or_default() += 1;
                self.refused_unexpectedly += u64::from(entry.expected_to_verify);
            }
            None => self.not_judged += 1,
        }
        self.violations += u64::from(!entry.violations.is_empty());
        if let Some(status) = entry.status {
            *self.statuses.entry(status).or_default() += 1;
        }
        if let (Some(usage), true) = (entry.usage, entry.usage_reported) {
            let (read, write) = usage.cached();
            self.reported.responses += 1;
            self.reported.input_tokens += usage.input;
            self.reported.output_tokens += usage.output;
            self.reported.cache_read_tokens += read;
            self.reported.cache_write_tokens += write;
        }
        if let Some(fault) = &entry.fault {
            *self.faults.entry(fault.clone()).or_default() += 1;
        }
    }
}
