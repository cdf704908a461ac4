//! Counters and histograms of requests, under names that the configuration bounds.

pub mod names;

pub use names::{HISTOGRAMS, LABELS, NAMESPACE};
