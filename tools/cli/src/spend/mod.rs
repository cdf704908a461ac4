//! `envoy-bedrock spend`: adds up spend logs.
//!
//! A log is read once, line by line, and only the sums of the groups are kept, so it may be larger
//! than memory. Money is added as the decimals in the log, never as floats, so the groups sum to
//! the total exactly. Lines that are not rows are counted and skipped: a log that is still being
//! written, or mixed with other output, is not an error.

mod by;
mod command;
mod error;
mod lines;
mod past_spend;
mod report;
mod row;
mod source;
mod summary;
#[cfg(test)]
mod tests;
mod text;
mod totals;
mod window;

pub use by::By;
pub use command::{SpendArguments, run};
pub use error::TimeError;
pub(crate) use past_spend::{PastSpend, unix_time};
pub use summary::{GROUPS_MAX, LineOutcome, SpendGroup, SpendSummary};
pub use totals::Totals;
pub use window::{UtcTime, Window};
