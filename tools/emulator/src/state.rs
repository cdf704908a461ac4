//! What an emulator and its regions know while they run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use tokio::sync::watch;

use crate::control::fault::{Faults, PortMode};
use crate::control::pace::PaceRules;
use crate::judge::verify::Keyring;
use crate::log::request_log::RequestLog;

/// What all regions of an emulator have in common.
#[derive(Debug)]
pub(crate) struct EmulatorState {
    pub(crate) keyring: Keyring,
    pub(crate) models: Vec<String>,
    pub(crate) base_path: String,
    pub(crate) is_strict: AtomicBool,
    pub(crate) faults: Faults,
    pub(crate) paces: PaceRules,
    pub(crate) log: Arc<RequestLog>,
    pub(crate) stopping: Arc<AtomicBool>,
    pub(crate) connections: AtomicU64,
    /// Makes the request ids of this emulator unlike those of others.
    pub(crate) seed: u64,
}

/// One region.
#[derive(Debug)]
pub(crate) struct RegionState {
    pub(crate) name: String,
    pub(crate) shared: Arc<EmulatorState>,
    pub(crate) door: watch::Sender<PortMode>,
}
