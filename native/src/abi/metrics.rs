//! Recording metrics.

#![expect(unsafe_code, reason = "calls of Envoy; mod.rs has the invariants")]

use super::calls::*;
use super::config::ConfigHandle;
use super::stream::StreamHandle;
use super::types::{ModuleBytes, SeriesKind};

/// What metrics are recorded with: a stream on its worker, or a configuration on the main thread.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MetricsOwner<'a> {
    Stream(StreamHandle),
    Config(ConfigHandle<'a>),
}

impl MetricsOwner<'_> {
    /// Adds to a counter, sets a gauge, or adds a value to a histogram. `id` is that of the metric
    /// in the configuration of the stream.
    pub(crate) fn record(self, kind: SeriesKind, id: usize, labels: &[String], value: u64) {
        let labels: Vec<ModuleBytes> = labels.iter().map(|label| label.as_str().into()).collect();
        let (pointer, record): (_, unsafe extern "C" fn(_, _, _, _, _) -> u32) = match (self, kind) {
            (Self::Stream(stream), SeriesKind::Counter) => (
                stream.pointer(),
                envoy_dynamic_module_callback_http_filter_increment_counter,
            ),
            (Self::Stream(stream), SeriesKind::Gauge) => (
                stream.pointer(),
                envoy_dynamic_module_callback_http_filter_set_gauge,
            ),
            (Self::Stream(stream), SeriesKind::Histogram) => (
                stream.pointer(),
                envoy_dynamic_module_callback_http_filter_record_histogram_value,
            ),
            (Self::Config(config), SeriesKind::Counter) => (
                config.pointer(),
                envoy_dynamic_module_callback_http_filter_config_increment_counter,
            ),
            (Self::Config(config), SeriesKind::Gauge) => (
                config.pointer(),
                envoy_dynamic_module_callback_http_filter_config_set_gauge,
            ),
            (Self::Config(config), SeriesKind::Histogram) => (
                config.pointer(),
                envoy_dynamic_module_callback_http_filter_config_record_histogram_value,
            ),
        };
        // SAFETY: the stream or configuration lives, and so do the slices.
        let _lost = unsafe { record(pointer, id, labels.as_ptr(), labels.len(), value) };
    }
}
