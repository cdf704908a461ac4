//! A proxy-wasm filter that makes a stock Envoy an Amazon Bedrock gateway.
//!
//! The core decides: it takes plain values and the time, and returns plain values. `shell/` (built for WebAssembly
//! only) is the one place that talks to Envoy. DESIGN.md tells why it is cut this way.

// An overflow in a test fails the test, as it should.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]
// The benchmark's build leaves callers out.
#![cfg_attr(feature = "unaccounted", allow(dead_code))]

pub mod balance;
#[cfg(any(test, fuzzing))]
pub mod checks;
pub mod config;
mod course;
pub mod deployment;
mod digits;
pub mod drain;
pub mod eventstream;
mod excerpt;
pub mod exchange;
pub mod gateway;
pub mod guardrail;
pub mod headers;
pub mod health;
mod json;
pub mod keys;
pub mod ledger;
pub mod metrics;
pub mod model_id;
pub mod models;
pub mod pairs;
pub mod percent;
pub mod plan;
pub mod pricing;
pub mod random;
pub mod reject;
pub mod route;
pub mod secret;
#[cfg(target_arch = "wasm32")]
mod shell;
pub mod sigv4;
pub mod spend_logs;
pub mod time;
pub mod usage;
pub mod verdict;
pub mod wiring;
