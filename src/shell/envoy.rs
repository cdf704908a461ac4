//! Envoy's shared data and stats, as the core uses them.

use proxy_wasm::types::MetricType;

use super::host;
use crate::capacity::{SharedStore, StoreError};
use crate::records::history::SharedMemory;
use crate::records::metrics::{MetricIds, MetricKind, Registry};

/// Envoy's shared data and stats.
pub(super) struct Envoy;

impl SharedMemory for Envoy {
    fn get(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        host::shared_data(key).ok().flatten()
    }

    fn set(&self, key: &str, value: &[u8], number: u32) -> bool {
        host::set_shared_data(key, value, number).is_ok()
    }
}

impl SharedStore for Envoy {
    fn read(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, StoreError> {
        host::shared_data(key).map_err(|_| StoreError)
    }

    fn write(&self, key: &str, value: &[u8], number: u32) -> bool {
        host::set_shared_data(key, value, number).is_ok()
    }
}

thread_local! {
    static METRICS: MetricIds = MetricIds::default();
}

impl Registry for Envoy {
    fn define(&self, kind: MetricKind, name: &str) -> Option<u32> {
        let kind = match kind {
            MetricKind::Counter => MetricType::Counter,
            MetricKind::Gauge => MetricType::Gauge,
            MetricKind::Histogram => MetricType::Histogram,
        };
        let define = || {
            let id = host::define_metric(kind, name);
            id.inspect_err(|error| log::error!("a metric could not be defined: {error:?}"))
                .ok()
        };
        METRICS.with(|metrics| metrics.get(name, define))
    }

    fn add(&self, id: u32, amount: u64) {
        let _lost = host::increment_metric(id, i64::try_from(amount).unwrap_or(i64::MAX));
    }

    fn record(&self, id: u32, value: u64) {
        let _lost = host::record_metric(id, value);
    }
}
