//! Changes to a running emulator.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::watch;

use super::fault::PortMode;
use super::fault_rule::FaultRule;
use super::pace::{PaceError, PaceRule};
use crate::config::RegionAddresses;
use crate::state::{EmulatorState, RegionState};

/// Changes a running emulator, for the control API and for [`crate::Emulator`].
#[derive(Clone, Debug)]
pub(crate) struct Controller {
    pub(crate) emulator: Arc<EmulatorState>,
    pub(crate) regions: Vec<RegionPorts>,
    /// Where the identity service listens.
    pub(crate) identity: Option<SocketAddr>,
}

/// The ports of a region.
#[derive(Clone, Debug)]
pub(crate) struct RegionPorts {
    pub(crate) region: Arc<RegionState>,
    pub(crate) addresses: RegionAddresses,
    /// The state that each port has reached.
    pub(crate) reached: Vec<watch::Receiver<PortMode>>,
}

impl Controller {
    /// Adds a fault, and returns its id once it is in force.
    pub(crate) async fn add_fault(&self, rule: FaultRule) -> Result<u64, ControllerError> {
        self.check_region(rule.matcher.region.as_deref())?;
        let id = self.emulator.faults.add(rule);
        self.move_ports().await;
        Ok(id)
    }

    /// Clears one fault, the faults of a region, or all faults. Returns once closed ports are open
    /// again.
    pub(crate) async fn clear_faults(&self, id: Option<u64>, region: Option<&str>) {
        self.emulator.faults.clear(id, region);
        self.move_ports().await;
    }

    pub(crate) fn add_pace(&self, rule: PaceRule) -> Result<(), ControllerError> {
        self.check_region(rule.matcher.region.as_deref())?;
        self.emulator.paces.add(rule).map_err(ControllerError::Pace)
    }

    /// Sets what is given, and leaves the rest.
    pub(crate) fn set_mode(&self, hostile: Option<bool>, strict: Option<bool>) {
        if let Some(hostile) = hostile {
            self.emulator.log.set_hostile(hostile);
        }
        if let Some(strict) = strict {
            self.emulator.is_strict.store(strict, Ordering::Relaxed);
        }
    }

    fn check_region(&self, name: Option<&str>) -> Result<(), ControllerError> {
        match name {
            Some(name) if !self.regions.iter().any(|ports| ports.region.name == name) => {
                Err(ControllerError::UnknownRegion(name.to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Opens and closes ports as the faults demand, and waits until they are.
    async fn move_ports(&self) {
        for ports in &self.regions {
            let wanted = self.emulator.faults.port_mode(&ports.region.name);
            ports
                .region
                .port_mode
                .send_if_modified(|mode| std::mem::replace(mode, wanted) != wanted);
        }
        for ports in &self.regions {
            for reached in &ports.reached {
                // A concurrent change may replace `wanted`, so wait for the newest state.
                let newest = ports.region.port_mode.subscribe();
                let _ = reached
                    .clone()
                    .wait_for(|reached| *reached == *newest.borrow())
                    .await;
            }
        }
    }
}

/// Why a change was rejected.
#[derive(Debug)]
pub enum ControllerError {
    /// `match` names a region that this emulator does not have.
    UnknownRegion(String),
    /// A member of a pace is out of bounds.
    Pace(PaceError),
}

impl fmt::Display for ControllerError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownRegion(name) => {
                write!(out, "unknown region {name:?}: this emulator does not have it")
            }
            Self::Pace(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for ControllerError {}
