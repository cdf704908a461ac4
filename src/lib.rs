//! A proxy-wasm filter that makes a stock Envoy an Amazon Bedrock gateway.
//!
//! From the top down:
//!
//! 1. `shell`: the one room that talks to Envoy. It gathers values, calls the core and applies its steps.
//! 2. [`stream`]: one request from its first header to its last byte, as a state machine.
//! 3. [`admission`]: who may pass. The proxy key, the path, the probes, and every way to be refused.
//! 4. [`routing`]: where a request goes. Models, deployments, the plan, and each attempt's signature.
//! 5. [`guardrail`]: the guardrail that a model adds to its requests.
//! 6. [`records`]: what is left of a request. Its row in the spend log, the history, the metrics.
//! 7. [`usage`] and [`pricing`]: the tokens that a response reports, and what they cost.
//! 8. [`sigv4`], [`eventstream`], [`bedrock`]: AWS's formats. They know nothing of the gateway.
//! 9. [`contract`]: what the rendered Envoy configuration and the filter agree on.
//!
//! Only `shell` is built for WebAssembly alone; all the rest is a core without host, clock or
//! randomness, which takes plain values and the time and returns plain values. DESIGN.md says why.

// An overflow in a test fails the test, as it should.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

pub mod admission;
pub mod bedrock;
#[cfg(any(test, fuzzing))]
#[path = "../fuzz/checks/mod.rs"]
pub mod checks;
pub mod contract;
pub mod encoding;
mod eventstream;
mod excerpt;
pub mod guardrail;
pub mod headers;
mod json;
pub mod pricing;
mod random;
pub mod records;
pub mod routing;
#[cfg(test)]
#[path = "../tests/scenarios/table.rs"]
mod scenarios;
pub mod secret;
#[cfg(target_arch = "wasm32")]
mod shell;
pub mod sigv4;
pub mod stream;
pub mod time;
pub mod usage;
