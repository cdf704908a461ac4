//! Deployments that have failed and get no requests for a while, for all workers of an Envoy
//! together.
//!
//! All VMs share one [`board`] in Envoy's shared data, with an entry for each deployment that cools
//! down. Each request reads it once. It is written only when a cooldown begins, when a probe begins,
//! and when a probe ends. [`consequence`] says what a failure means, by LiteLLM's rules. For rules
//! that depend on several failures, the VMs share [`counts`], which are written only by failures.
//!
//! When the time of a cooldown is over, one request of all workers probes the deployment
//! ([`Cooldowns::begin_probe`]). If it succeeds, the entry goes; if it fails, the deployment cools
//! down again. A probe that never ends, because its VM has trapped, is repeated after
//! [`board::PROBE_MILLISECONDS`].
//!
//! Cooldowns make requests faster; they do not protect anything. So if a host call fails, or a value
//! is malformed, nothing cools down.
//!
//! The time is a parameter. What seems to begin in the future was written before the clock was set
//! back, and counts as over.

mod board;
mod consequence;
mod cooldowns;
mod counts;
#[cfg(test)]
pub(crate) mod fake_store;
mod target;
#[cfg(test)]
mod tests;

pub(crate) use board::{Cooldown, CooldownView, TargetState};
pub(crate) use consequence::TargetFailure;
pub use cooldowns::Cooldowns;
pub(crate) use target::{CooldownTarget, TargetKey};
