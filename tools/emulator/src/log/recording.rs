//! The log entry of a request that has not ended yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::entry::{Ended, LogEntry, unix_ms};
use super::request_log::RequestLog;

/// Writes its entry to the log exactly once: in [`Recording::end`], or when it is dropped because
/// the client left or the emulator stops.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) entry: LogEntry,
    log: Arc<RequestLog>,
    stopping: Arc<AtomicBool>,
    has_ended: bool,
}

impl Recording {
    pub(crate) fn new(log: Arc<RequestLog>, stopping: Arc<AtomicBool>, region: &str) -> Self {
        let entry = LogEntry {
            arrival: log.arrive(),
            region: region.to_owned(),
            expected_to_verify: !log.is_hostile(),
            received_unix_ms: unix_ms(),
            ..LogEntry::default()
        };
        Self {
            entry,
            log,
            stopping,
            has_ended: false,
        }
    }

    /// Writes the entry. Later calls do nothing.
    pub(crate) fn end(&mut self, ended: Ended) {
        if !self.has_ended {
            self.has_ended = true;
            self.entry.ended = ended;
            self.log.finish(std::mem::take(&mut self.entry));
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        if self.stopping.load(Ordering::Relaxed) {
            return self.end(Ended::Shutdown);
        }
        self.entry.client_gone_unix_ms = Some(unix_ms());
        self.end(Ended::ClientGone);
    }
}
