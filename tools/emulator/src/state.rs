//! The state of a running emulator and of its regions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use tokio::sync::watch;

use crate::control::fault::PortMode;
use crate::control::faults::Faults;
use crate::control::pace::PaceRules;
use crate::judge::verify::Keyring;
use crate::log::request_log::RequestLog;

/// What all regions share.
#[derive(Debug)]
pub(crate) struct EmulatorState {
    pub(crate) keyring: Keyring,
    /// Model ids and ARNs that exist besides the built-in ones.
    pub(crate) models: Vec<String>,
    pub(crate) base_path: String,
    /// Whether requests with violations are refused.
    pub(crate) is_strict: AtomicBool,
    pub(crate) faults: Faults,
    pub(crate) paces: PaceRules,
    pub(crate) log: Arc<RequestLog>,
    /// Set when the emulator begins to stop.
    pub(crate) stopping: Arc<AtomicBool>,
    /// Number of connections so far.
    pub(crate) connections: AtomicU64,
    /// Makes request ids differ between emulators.
    pub(crate) seed: u64,
}

/// One region.
#[derive(Debug)]
pub(crate) struct RegionState {
    pub(crate) name: String,
    pub(crate) emulator: Arc<EmulatorState>,
    /// The state that the region's ports should have.
    pub(crate) port_mode: watch::Sender<PortMode>,
}
