//! Where the account of a request goes when it is over: the spend log, the history, the metrics. All of them fail open.

use std::cell::RefCell;
use std::collections::HashMap;

use proxy_wasm::types::MetricType;

use super::host;
use crate::contract::names::PROPERTY_ROW;
use crate::records::history;
use crate::records::metrics::{Meters, MetricKind, Registry};
use crate::records::row::Row;
use crate::routing::active_config::ActiveConfig;

/// The books of a worker.
pub(super) struct Books {
    history: RefCell<history::History>,
    history_rows: u32,
    meters: RefCell<Meters>,
}

impl Books {
    pub(super) fn open(gateway: &ActiveConfig) -> Self {
        Self {
            history: RefCell::new(history::History::open(&Workers, gateway.history_rows)),
            history_rows: gateway.history_rows,
            meters: RefCell::new(Meters::open(gateway, &Stats)),
        }
    }

    /// Enters a request that is over. Envoy's access logger, which runs right after this, takes the line.
    pub(super) fn enter(&self, row: &Row<'_>) {
        let mut line = row.json(history::ROOM_BYTES).into_bytes();
        let text = line.get(history::ROOM_BYTES..).unwrap_or_default();
        if let Err(error) = host::set_property(PROPERTY_ROW, text) {
            log::error!("a line of the spend log was lost: {error:?}");
        }
        if !row.is_internal() {
            self.history.borrow_mut().keep(&Workers, &mut line);
        }
        self.meters.borrow_mut().count(row, &Stats);
    }

    /// The row of a request that is over.
    pub(super) fn find(&self, id: &str) -> Option<String> {
        history::find(&Workers, self.history_rows, id)
    }
}

/// The memory that the workers share.
struct Workers;

impl history::SharedMemory for Workers {
    fn get(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        host::shared_data(key).ok().flatten()
    }

    fn set(&self, key: &str, value: &[u8], number: u32) -> bool {
        host::set_shared_data(key, value, number).is_ok()
    }
}

thread_local! {
    /// The VM's metrics by name: Envoy would make another number for one that is defined again, after a reload above all.
    static METRICS: RefCell<HashMap<String, Option<u32>>> = RefCell::default();
}

/// Envoy's stats.
struct Stats;

impl Registry for Stats {
    fn define(&self, kind: MetricKind, name: &str) -> Option<u32> {
        if let Some(known) = METRICS.with_borrow(|metrics| metrics.get(name).copied()) {
            return known;
        }
        let kind = match kind {
            MetricKind::Counter => MetricType::Counter,
            MetricKind::Gauge => MetricType::Gauge,
            MetricKind::Histogram => MetricType::Histogram,
        };
        let id = host::define_metric(kind, name);
        if let Err(error) = id {
            log::error!("a metric was not made: {error:?}");
        }
        METRICS.with_borrow_mut(|metrics| metrics.insert(name.to_owned(), id.ok()));
        id.ok()
    }

    fn add(&self, id: u32, amount: u64) {
        let _lost = host::increment_metric(id, i64::try_from(amount).unwrap_or(i64::MAX));
    }

    fn record(&self, id: u32, value: u64) {
        let _lost = host::record_metric(id, value);
    }
}
