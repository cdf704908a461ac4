//! What an emulator and its regions know while they run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use tokio::sync::watch;

use crate::control::fault::{Door, Faults};
use crate::control::pace::Paces;
use crate::judge::verify::Keyring;
use crate::log::request_log::Log;

/// What all regions of an emulator have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) keyring: Keyring,
    pub(crate) models: Vec<String>,
    pub(crate) base_path: String,
    pub(crate) is_strict: AtomicBool,
    pub(crate) faults: Faults,
    pub(crate) paces: Paces,
    pub(crate) log: Arc<Log>,
    pub(crate) stopping: Arc<AtomicBool>,
    pub(crate) connections: AtomicU64,
    /// Makes the request ids of this emulator unlike those of others.
    pub(crate) seed: u64,
}

/// One region.
#[derive(Debug)]
pub(crate) struct Region {
    pub(crate) name: String,
    pub(crate) shared: Arc<Shared>,
    pub(crate) door: watch::Sender<Door>,
}
