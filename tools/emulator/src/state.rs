//! The state of a running emulator and of its regions.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::watch;

use crate::control::fault::PortMode;
use crate::control::faults::Faults;
use crate::control::pace::PaceRules;
use crate::identity::state::IdentityState;
use crate::judge::keyring::Keyring;
use crate::log::request_log::RequestLog;
use crate::response::prompt_cache::PromptCache;

/// What all regions share.
#[derive(Debug)]
pub(crate) struct EmulatorState {
    /// Changes with [`add`](Self::add) and [`change_keyring`](Self::change_keyring).
    pub(crate) known: RwLock<Known>,
    pub(crate) base_path: String,
    /// Whether requests with violations are refused.
    pub(crate) is_strict: AtomicBool,
    pub(crate) faults: Faults,
    pub(crate) paces: PaceRules,
    pub(crate) log: Arc<RequestLog>,
    /// Of the identity service, whose credentials the keyring has.
    pub(crate) identity: IdentityState,
    pub(crate) prompt_cache: PromptCache,
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
        keyring.extend(more.keyring);
        models.extend(more.models);
        models.sort();
        models.dedup();
    }

    /// Changes what credentials exist.
    pub(crate) fn change_keyring<T>(&self, change: impl FnOnce(&mut Keyring) -> T) -> T {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut known.keyring)
    }
}

/// One region.
#[derive(Debug)]
pub(crate) struct RegionState {
    pub(crate) name: String,
    pub(crate) emulator: Arc<EmulatorState>,
    /// The state that the region's ports should have.
    pub(crate) port_mode: watch::Sender<PortMode>,
}
