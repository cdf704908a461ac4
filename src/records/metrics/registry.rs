//! The interface to Envoy's stats.

use std::cell::RefCell;
use std::collections::HashMap;

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

/// The ids of metrics by name. Envoy assigns a different id if a metric is defined again, as after
/// a configuration change.
#[derive(Debug, Default)]
pub struct MetricIds(RefCell<HashMap<String, Option<u32>>>);

impl MetricIds {
    /// Returns the id of the metric `name`, defining it if necessary.
    pub fn get(&self, name: &str, define: impl FnOnce() -> Option<u32>) -> Option<u32> {
        if let Some(id) = self.0.borrow().get(name) {
            return *id;
        }
        let id = define();
        self.0.borrow_mut().insert(name.to_owned(), id);
        id
    }
}
