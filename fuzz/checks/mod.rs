//! What must hold for any input. The fuzzers in `fuzz_targets/` call these functions with random
//! bytes, and the tests in `corpus.rs` with the inputs that the fuzzers found.
//!
//! Compiled into the filter crate for tests and fuzzing only: see `lib.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a check fails by panicking"
)]

mod configuration;
#[cfg(test)]
mod corpus;
mod event_stream;
mod frames;
mod guardrail;
mod input;
mod observation;
mod response;

pub use configuration::configuration;
pub use event_stream::event_stream;
#[cfg(test)]
pub(crate) use frames::{event_headers, frame};
#[cfg(test)]
pub(crate) use guardrail::guarded;
pub use guardrail::guardrail;
#[cfg(test)]
pub(crate) use input::tolerated;
pub use response::response;
#[cfg(test)]
pub(crate) use response::{expected, expected_stop_reason};
