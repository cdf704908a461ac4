//! Envoy's log.

#![expect(unsafe_code, reason = "a call of Envoy; mod.rs has the invariants")]

use super::calls::envoy_dynamic_module_callback_log;
use super::types::EnvoyLogLevel;

/// Writes a line to Envoy's log.
pub(crate) fn log(level: EnvoyLogLevel, message: &str) {
    // SAFETY: the text outlives the call.
    unsafe { envoy_dynamic_module_callback_log(level as u32, message.into()) }
}
