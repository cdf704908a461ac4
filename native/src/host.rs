//! What the core uses of its host: memory that all workers share, and metrics.

use envoy_bedrock::records::history::SharedMemory;
use envoy_bedrock::records::metrics::{MetricKind, Registry};
use envoy_bedrock::time::UnixTime;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::abi::MetricsOwner;
use crate::series::{self, DefinedMetrics};
use crate::shared_data::SharedData;

/// The wall clock. 1970 if it is set to an earlier time.
pub(crate) fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_nanoseconds(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// The host during a hook.
#[derive(Clone, Copy)]
pub(crate) struct NativeHost<'a> {
    metrics: Option<(&'a DefinedMetrics, MetricsOwner<'a>)>,
}

impl<'a> NativeHost<'a> {
    pub(crate) const fn new(metrics: &'a DefinedMetrics, recording: MetricsOwner<'a>) -> Self {
        Self {
            metrics: Some((metrics, recording)),
        }
    }

    /// A host that keeps no metrics: the main thread keeps those of a configuration.
    pub(crate) const fn without_metrics() -> Self {
        Self { metrics: None }
    }
}

impl Registry for NativeHost<'_> {
    fn define(&self, kind: MetricKind, name: &str) -> Option<u32> {
        series::id(kind, name)
    }

    fn add(&self, id: u32, amount: u64) {
        if let Some((metrics, _)) = self.metrics {
            metrics.count(id, amount);
        }
    }

    fn record(&self, id: u32, value: u64) {
        if let Some((metrics, recording)) = self.metrics {
            series::record(id, value, metrics, recording);
        }
    }
}

impl SharedMemory for NativeHost<'_> {
    fn get(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        SharedData.get(key)
    }

    fn set(&self, key: &str, value: &[u8], number: u32) -> bool {
        SharedMemory::set(&SharedData, key, value, number)
    }
}
