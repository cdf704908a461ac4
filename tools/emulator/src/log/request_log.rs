//! What arrived, and what became of it.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::config::EmulatorError;
use crate::response::guardrail::RequestGuardrail;
use crate::response::usage::EmulatedUsage;

/// A request and its answer. Times are UNIX milliseconds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LogEntry {
    /// Position in the log: requests are numbered as they *end*, so `since` never misses one.
    pub index: u64,
    /// Number in the order of arrival, from 0.
    pub arrival: u64,
    /// The region that it reached.
    pub region: String,
    /// Number of its connection: equal for requests that shared one.
    pub connection: u64,
    /// Whether that is a TLS connection.
    pub tls: bool,
    /// `h1` or `h2`.
    pub protocol: &'static str,
    /// The method.
    pub method: String,
    /// Path and query, byte for byte.
    pub path: String,
    /// `:authority` of HTTP/2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Names and values as sent; secrets are redacted.
    pub headers: Vec<(String, String)>,
    /// Length of the body.
    pub body_bytes: u64,
    /// Hex SHA-256 of the body; empty when it was not read to its end.
    pub body_sha256: String,
    /// Whether it proved who it is from; `null` when it was never judged (broken off, or reset on its headers).
    pub verified: Option<bool>,
    /// Why it was not believed, or `signature` or `api key`.
    pub reason: Option<&'static str>,
    /// Whether a test meant it to be right (`mode`).
    pub expected_to_verify: bool,
    /// What no gateway may send.
    pub violations: Vec<String>,
    /// The fault that hit it.
    pub fault: Option<String>,
    /// Id of that fault.
    pub fault_id: Option<u64>,
    /// HTTP status of the answer; `null` when none was sent.
    pub status: Option<u16>,
    /// `x-amzn-ErrorType` of the answer, or the type of an exception in the stream.
    pub error_type: Option<String>,
    /// `x-amzn-RequestId` of the answer.
    pub request_id: String,
    /// Model id or ARN, decoded.
    pub model: Option<String>,
    /// The operation.
    pub operation: Option<crate::judge::route::ApiOperation>,
    /// The guardrail that it names, as far as AWS would take it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guardrail: Option<RequestGuardrail>,
    /// Access key id of the signature.
    pub access_key_id: Option<String>,
    /// When its headers had arrived.
    pub received_unix_ms: u64,
    /// When its body had.
    pub body_unix_ms: Option<u64>,
    /// When the answer's headers were sent.
    pub headers_unix_ms: Option<u64>,
    /// When each frame of the answer was sent.
    pub frames_unix_ms: Vec<u64>,
    /// When it ended, whatever the end.
    pub ended_unix_ms: u64,
    /// How it ended.
    pub ended: Ended,
    /// When the client was found to be gone, if it went before the end.
    pub client_gone_unix_ms: Option<u64>,
    /// The answer's usage in Converse's form; `null` for errors.
    pub usage: Option<EmulatedUsage>,
    /// Whether that usage was sent, in the answer or in its headers: not if the answer broke off before.
    pub usage_reported: bool,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Its answer was sent to the end.
    #[default]
    Complete,
    /// The client went away before.
    ClientGone,
    /// A fault broke it off.
    Fault,
    /// The emulator was shut down.
    Shutdown,
}

/// Counts of one region.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RegionSummary {
    /// Requests that ended.
    pub seen: u64,
    /// Those that proved who they are from.
    pub verified: u64,
    /// Those that did not, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Of those, the ones that a test had not marked as hostile.
    pub refused_unexpectedly: u64,
    /// Requests that ended before they could be judged.
    pub not_judged: u64,
    /// Requests with violations.
    pub violations: u64,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests that a fault hit, by kind.
    pub faults: BTreeMap<String, u64>,
    /// What was reported to clients.
    pub reported: ReportedUsage,
}

/// Sums over the answers whose usage was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReportedUsage {
    /// Those answers.
    pub answers: u64,
    /// Tokens neither read from nor written to a cache.
    pub input_tokens: u64,
    /// Tokens of the answers.
    pub output_tokens: u64,
    /// Tokens read from a cache.
    pub cache_read_tokens: u64,
    /// Tokens written to a cache, for whatever time.
    pub cache_write_tokens: u64,
}

/// The log of an emulator.
#[derive(Debug)]
pub struct RequestLog {
    limit: usize,
    journal: Option<Mutex<File>>,
    held: Mutex<LogContents>,
    arrivals: AtomicU64,
    in_flight: AtomicI64,
    hostile: AtomicBool,
}

#[derive(Debug, Default)]
struct LogContents {
    next_index: u64,
    entries: VecDeque<Arc<LogEntry>>,
    summaries: BTreeMap<String, RegionSummary>,
}

impl RequestLog {
    pub(crate) fn open(limit: usize, journal: Option<PathBuf>) -> Result<Self, EmulatorError> {
        let journal = match journal {
            None => None,
            Some(path) => match OpenOptions::new().create(true).append(true).open(&path) {
                Ok(file) => Some(Mutex::new(file)),
                Err(source) => return Err(EmulatorError::Journal { path, source }),
            },
        };
        Ok(Self {
            limit,
            journal,
            held: Mutex::default(),
            arrivals: AtomicU64::new(0),
            in_flight: AtomicI64::new(0),
            hostile: AtomicBool::new(false),
        })
    }

    /// Whether anybody will read entries: without, only the summary is kept.
    pub(crate) fn wants_entries(&self) -> bool {
        self.limit > 0 || self.journal.is_some()
    }

    pub(crate) fn arrive(&self) -> u64 {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.arrivals.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn finish(&self, mut entry: LogEntry) {
        entry.ended_unix_ms = unix_ms();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.summarize(&entry);
        entry.index = held.next_index;
        held.next_index += 1;
        if let Some(journal) = &self.journal
            && let Ok(mut line) = serde_json::to_vec(&entry)
        {
            line.push(b'\n');
            // One write per line: several emulators may share the file.
            let written = journal
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write_all(&line);
            if let Err(error) = written {
                eprintln!("expected to append to the journal, but found {error}");
            }
        }
        if self.limit > 0 {
            if held.entries.len() >= self.limit {
                held.entries.pop_front();
            }
            held.entries.push_back(Arc::new(entry));
        }
        drop(held);
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Requests that have not ended.
    pub fn in_flight(&self) -> i64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Entries from `since` on, of one region or all, and the index that the next one will have.
    pub fn read(&self, since: u64, region: Option<&str>) -> (u64, Vec<Arc<LogEntry>>) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = held.entries.iter().filter(|entry| entry.index >= since);
        let wanted = wanted.filter(|entry| region.is_none_or(|region| region == entry.region));
        (held.next_index, wanted.cloned().collect())
    }

    /// Forgets the entries and the counts; the index goes on.
    pub fn clear(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.entries.clear();
        held.summaries.clear();
    }

    /// Counts by region.
    pub fn summary(&self) -> BTreeMap<String, RegionSummary> {
        self.held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .summaries
            .clone()
    }

    /// Whether requests that arrive are wrong on purpose.
    pub fn set_hostile(&self, hostile: bool) {
        self.hostile.store(hostile, Ordering::Relaxed);
    }

    /// What [`RequestLog::set_hostile`] set last.
    pub fn is_hostile(&self) -> bool {
        self.hostile.load(Ordering::Relaxed)
    }
}

impl LogContents {
    fn summarize(&mut self, entry: &LogEntry) {
        if !self.summaries.contains_key(&entry.region) {
            self.summaries
                .insert(entry.region.clone(), RegionSummary::default());
        }
        let Some(summary) = self.summaries.get_mut(&entry.region) else {
            return;
        };
        summary.seen += 1;
        match entry.verified {
            Some(true) => summary.verified += 1,
            Some(false) => {
                *summary
                    .refused
                    .entry(entry.reason.unwrap_or_default())
                    .or_default() += 1;
                summary.refused_unexpectedly += u64::from(entry.expected_to_verify);
            }
            None => summary.not_judged += 1,
        }
        summary.violations += u64::from(!entry.violations.is_empty());
        if let Some(status) = entry.status {
            *summary.statuses.entry(status).or_default() += 1;
        }
        if let (Some(usage), true) = (entry.usage, entry.usage_reported) {
            let (read, write) = usage.cached();
            summary.reported.answers += 1;
            summary.reported.input_tokens += usage.input;
            summary.reported.output_tokens += usage.output;
            summary.reported.cache_read_tokens += read;
            summary.reported.cache_write_tokens += write;
        }
        if let Some(fault) = &entry.fault {
            *summary.faults.entry(fault.clone()).or_default() += 1;
        }
    }
}

/// Now, in UNIX milliseconds.
pub(crate) fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(region: &str) -> LogEntry {
        LogEntry {
            region: region.to_owned(),
            verified: Some(true),
            ..LogEntry::default()
        }
    }

    #[test]
    fn the_oldest_entries_go_first_and_indices_go_on() {
        let log = RequestLog::open(2, None).unwrap();
        for _ in 0..3 {
            log.arrive();
            log.finish(entry("a"));
        }
        let (next, entries) = log.read(0, None);
        assert_eq!(
            (next, entries.iter().map(|entry| entry.index).collect::<Vec<_>>()),
            (3, vec![1, 2])
        );
        assert_eq!((log.in_flight(), log.summary()["a"].seen), (0, 3));
    }

    #[test]
    fn reading_goes_by_region_and_index() {
        let log = RequestLog::open(9, None).unwrap();
        for region in ["a", "b", "a"] {
            log.finish(entry(region));
        }
        assert_eq!(log.read(1, Some("a")).1.len(), 1);
    }
}
