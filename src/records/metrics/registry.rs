//! Where metrics are kept: Envoy's stats.

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// A sum that only grows.
    Counter,
    /// A value that is set.
    Gauge,
    /// A distribution.
    Histogram,
}

/// Where metrics are kept: Envoy's stats.
pub trait Registry {
    /// Makes a metric, or finds the one that was made before under this name. `None` if that failed.
    fn define(&self, kind: MetricKind, name: &str) -> Option<u32>;
    /// Adds to a counter.
    fn add(&self, id: u32, amount: u64);
    /// Sets a gauge, or adds a value to a histogram.
    fn record(&self, id: u32, value: u64);
}
