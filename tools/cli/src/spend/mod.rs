//! `envoy-bedrock spend`: what the spend log adds up to.
//!
//! The log is read once, line by line, and only the sums of the groups are kept, so a log may be larger than memory.
//! Money is added as the decimals that the log has, never as floats, so the groups sum to the total exactly. What is no
//! row of the log is counted and passed over: a log that is still being written, or mixed with others, is no failure.

mod by;
mod command;
mod lines;
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
pub use summary::{GROUPS_MAX, LineOutcome, SpendGroup, SpendSummary};
pub use totals::Totals;
pub use window::{UtcTime, Window};
