//! What is left of a request: its row in the spend log, the history of recent rows, the metrics.
//!
//! Accounting fails open: whatever cannot be read is passed on and shows in the row as unknown.
//! Prompts and completions are never in it.

pub mod client;
mod fields;
pub mod history;
pub mod lookup;
pub mod metrics;
pub mod row;
