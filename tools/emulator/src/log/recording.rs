//! One request on its way: the entry that is being written about it. It is finished once, whatever happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::log::request_log::{Ended, LogEntry, RequestLog, unix_ms};

/// Writes its entry to the log when it ends: through [`Recording::end`], or by being dropped, which happens when the
/// client goes away or the emulator stops.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) entry: LogEntry,
    log: Arc<RequestLog>,
    stopping: Arc<AtomicBool>,
    is_over: bool,
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
            is_over: false,
        }
    }

    /// Ends it; later calls do nothing.
    pub(crate) fn end(&mut self, ended: Ended) {
        if !self.is_over {
            self.is_over = true;
            self.entry.ended = ended;
            self.log.finish(std::mem::take(&mut self.entry));
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        if self.stopping.load(Ordering::Relaxed) {
            return self.end(Ended::Shutdown);
        }
        self.entry.client_gone_unix_ms = Some(unix_ms());
        self.end(Ended::ClientGone);
    }
}
