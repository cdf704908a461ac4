//! A proxy-wasm filter that turns a stock Envoy into an Amazon Bedrock gateway.
//!
//! From the top down:
//!
//! 1. `shell`: the only module that talks to Envoy. It gathers values, calls the core and applies
//!    the steps that the core returns. The crate in `native/` is its counterpart for Envoy's dynamic
//!    modules.
//! 2. [`stream`]: a request and its response, as a state machine.
//! 3. [`admission`]: who may pass: the proxy key, the path, probes, and every reason to refuse.
//!    [`keys`]: whose key it is, and what it may do. `inquiry`: what its owner can ask.
//! 4. [`capacity`]: what all workers together may do at once. [`limits`]: what keys and teams may
//!    use.
//! 5. [`routing`]: where a request goes: model groups, deployments, and the plan of its attempts.
//!    [`cooldown`]: the deployments that get no requests for a while. [`latency`]: how soon each
//!    responds.
//! 6. [`credentials`]: the temporary credentials that the credential broker issues.
//! 7. [`guardrail`]: the guardrail that a model adds to its requests.
//! 8. [`records`]: what remains of a request: its row in the spend log, the history, the metrics.
//! 9. [`usage`] and [`pricing`]: the tokens that a response reports, and what they cost.
//! 10. [`sigv4`], `eventstream` and [`bedrock`]: AWS's formats, independent of the gateway.
//! 11. [`contract`]: what the rendered Envoy configuration and the filter agree on.
//!
//! The decisions to look for first:
//!
//! - `admission::target` reads the path, and `keys::KeyRing` checks the key.
//! - `routing::choice` chooses the deployment, and thus the region, of each attempt.
//! - `routing::plan` builds the upstream request of an attempt and signs it with [`sigv4`].
//! - `credentials::slot` says when the credential broker is asked, and which credential is valid.
//! - `stream::dispatched` settles the cost of a response, and `records::row` writes it.
//!
//! Everything but `shell` is the core: it takes values and the time, returns values, and also
//! builds natively. It makes no host calls and has no clock and no entropy. DESIGN.md explains why.

// An overflow in a test should fail the test.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

pub mod admission;
pub mod bedrock;
pub mod capacity;
#[cfg(any(test, fuzzing))]
#[path = "../fuzz/checks/mod.rs"]
pub mod checks;
pub mod contract;
pub mod cooldown;
pub mod credentials;
pub mod encoding;
mod eventstream;
mod excerpt;
pub mod guardrail;
pub mod headers;
mod inquiry;
mod json;
pub mod keys;
pub mod latency;
pub mod limits;
pub mod pricing;
mod random;
pub mod records;
pub mod routing;
#[cfg(test)]
#[path = "../tests/scenarios/table.rs"]
mod scenarios;
pub mod sealing;
pub mod secret;
#[cfg(target_arch = "wasm32")]
mod shell;
pub mod sigv4;
pub mod stream;
pub mod time;
pub mod usage;
