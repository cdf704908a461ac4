//! Records completed requests: their rows for the spend log, the history and the metrics.

use crate::records::carried::Carried;
use crate::records::history::{self, History, ROOM_BYTES, SharedMemory};
use crate::records::metrics::{Meters, Registry};
use crate::records::row::Row;
use crate::routing::active_config::ActiveConfig;

/// The records of a worker.
#[derive(Debug)]
pub(crate) struct Recorder {
    carried: Carried,
    history_rows: u32,
    meters: Meters,
}

impl Recorder {
    /// Opens the records for `config`. They continue what the worker has `carried` over.
    pub(crate) fn open(
        config: &ActiveConfig,
        carried: Carried,
        host: &(impl SharedMemory + Registry),
    ) -> Self {
        History::prepare(host, config.history_rows);
        Self {
            history_rows: config.history_rows,
            meters: Meters::open(config, &carried, host),
            carried,
        }
    }

    /// Records a completed request. Returns its row for Envoy's access log: JSON members without
    /// braces.
    pub(crate) fn record(&mut self, row: &Row<'_>, host: &(impl SharedMemory + Registry)) -> Vec<u8> {
        let mut line = row.json(ROOM_BYTES).into_bytes();
        if row.is_kept() {
            let rows = self.history_rows;
            self.carried
                .with_history(|history| history.keep(host, rows, &mut line));
        }
        self.meters.count(row, host);
        // In place: splitting would allocate and copy a row per request.
        drop(line.drain(..ROOM_BYTES));
        line
    }

    /// Looks up the row of a completed request: JSON members without braces.
    pub(crate) fn find(&self, id: &str, memory: &impl SharedMemory) -> Option<String> {
        history::find(memory, self.history_rows, id)
    }
}
