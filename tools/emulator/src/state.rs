//! The state of a running emulator and of its regions.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::watch;

use crate::control::fault::PortMode;
use crate::control::faults::Faults;
use crate::control::pace::PaceRules;
use crate::judge::verify::Keyring;
use crate::log::request_log::RequestLog;

/// What all regions share.
#[derive(Debug)]
pub(crate) struct EmulatorState {
    /// Changes with [`add`](Self::add).
    pub(crate) known: RwLock<Known>,
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

/// What exists in all regions.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) keyring: Keyring,
    /// Model ids and ARNs that exist besides the built-in ones.
    pub(crate) models: Vec<String>,
}

impl EmulatorState {
    /// What exists now.
    pub(crate) fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds credentials, API keys and models that exist from now on.
    pub(crate) fn add(&self, more: Known) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let Known { keyring, models } = &mut *known;
        // The first of two credentials with one id counts, so the new one goes first.
        add_new(&mut keyring.credentials, more.keyring.credentials);
        add_new(&mut keyring.api_keys, more.keyring.api_keys);
        add_new(models, more.models);
    }
}

/// Puts what is new before what is known.
fn add_new<T: PartialEq>(known: &mut Vec<T>, mut more: Vec<T>) {
    known.retain(|one| !more.contains(one));
    more.append(known);
    *known = more;
}

/// One region.
#[derive(Debug)]
pub(crate) struct RegionState {
    pub(crate) name: String,
    pub(crate) emulator: Arc<EmulatorState>,
    /// The state that the region's ports should have.
    pub(crate) port_mode: watch::Sender<PortMode>,
}
