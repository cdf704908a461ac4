//! The records of a request: its row in the spend log, the history of recent rows, and metrics.
//!
//! Accounting fails open: a response that cannot be read is passed on, and its row reports the
//! usage as unknown. Rows never contain prompts or completions.

pub mod carried;
pub mod client;
mod fields;
pub mod history;
pub(crate) mod lookup;
pub mod metrics;
pub(crate) mod recorder;
pub mod request_log;
pub mod row;
