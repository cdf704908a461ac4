//! The interface to Envoy's stats.

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// A sum that only increases.
    Counter,
    /// A value that can be set.
    Gauge,
    /// A distribution.
    Histogram,
}

/// Envoy's stats.
pub trait Registry {
    /// Creates the metric with this name, or finds it. Returns its id, or `None` on failure.
    fn define(&self, kind: MetricKind, name: &str) -> Option<u32>;
    /// Adds to a counter.
    fn add(&self, id: u32, amount: u64);
    /// Sets a gauge or adds a value to a histogram.
    fn record(&self, id: u32, value: u64);
}
