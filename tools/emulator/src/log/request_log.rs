//! The log of an emulator: entries in memory, counts by region, and a journal file.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::entry::{LogEntry, unix_ms};
use super::summary::RegionSummary;

/// The log of an emulator.
#[derive(Debug)]
pub struct RequestLog {
    limit: usize,
    journal: Option<Mutex<File>>,
    contents: Mutex<LogContents>,
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
    /// A log that keeps the last `limit` entries in memory and appends all entries to the journal.
    pub(crate) fn open(limit: usize, journal: Option<&Path>) -> io::Result<Self> {
        let open = |path| OpenOptions::new().create(true).append(true).open(path);
        Ok(Self {
            limit,
            journal: journal.map(open).transpose()?.map(Mutex::new),
            contents: Mutex::default(),
            arrivals: AtomicU64::new(0),
            in_flight: AtomicI64::new(0),
            hostile: AtomicBool::new(false),
        })
    }

    /// Whether entries are kept anywhere. If not, only the counts are.
    pub(crate) fn keeps_entries(&self) -> bool {
        self.limit > 0 || self.journal.is_some()
    }

    /// Counts a request that arrives, and returns its position in the order of arrival.
    pub(crate) fn arrive(&self) -> u64 {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.arrivals.fetch_add(1, Ordering::Relaxed)
    }

    /// Adds the entry of a request that ended.
    pub(crate) fn finish(&self, mut entry: LogEntry) {
        entry.ended_unix_ms = unix_ms();
        let mut contents = self.lock();
        contents.summarize(&entry);
        entry.index = contents.next_index;
        contents.next_index += 1;
        if let Some(journal) = &self.journal
            && let Ok(mut line) = serde_json::to_vec(&entry)
        {
            line.push(b'\n');
            let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
            // One write per line, because several emulators may share the file.
            if let Err(error) = journal.write_all(&line) {
                eprintln!("cannot append to the journal: {error}");
            }
        }
        if self.limit > 0 {
            if contents.entries.len() >= self.limit {
                contents.entries.pop_front();
            }
            contents.entries.push_back(Arc::new(entry));
        }
        drop(contents);
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Requests that have not ended.
    pub fn in_flight(&self) -> i64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Entries from index `since` on, of one region or of all, and the index that the next entry
    /// will have.
    pub fn read(&self, since: u64, region: Option<&str>) -> (u64, Vec<Arc<LogEntry>>) {
        let contents = self.lock();
        let entries = contents
            .entries
            .iter()
            .filter(|entry| entry.index >= since && region.is_none_or(|region| region == entry.region))
            .cloned()
            .collect();
        (contents.next_index, entries)
    }

    /// Removes all entries and counts. Indices continue.
    pub(crate) fn clear(&self) {
        let mut contents = self.lock();
        contents.entries.clear();
        contents.summaries.clear();
    }

    /// Counts by region.
    pub(crate) fn summary(&self) -> BTreeMap<String, RegionSummary> {
        self.lock().summaries.clone()
    }

    /// Announces whether the requests from now on are invalid on purpose.
    pub(crate) fn set_hostile(&self, hostile: bool) {
        self.hostile.store(hostile, Ordering::Relaxed);
    }

    pub(crate) fn is_hostile(&self) -> bool {
        self.hostile.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, LogContents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogContents {
    fn summarize(&mut self, entry: &LogEntry) {
        match self.summaries.get_mut(&entry.region) {
            Some(summary) => summary.add(entry),
            None => self.summaries.entry(entry.region.clone()).or_default().add(entry),
        }
    }
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
    fn the_oldest_entries_are_removed_first_and_indices_continue() {
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
    fn entries_are_selected_by_region_and_index() {
        let log = RequestLog::open(9, None).unwrap();
        for region in ["a", "b", "a"] {
            log.finish(entry(region));
        }
        assert_eq!(log.read(1, Some("a")).1.len(), 1);
    }
}
