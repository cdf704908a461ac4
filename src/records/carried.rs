//! What the records of a worker keep when its configuration changes.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::{Rc, Weak};

use crate::records::history::History;
use crate::routing::active_config::ActiveConfig;

/// Records that outlive a configuration. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Carried(Rc<RefCell<CarriedRecords>>);

#[derive(Debug, Default)]
struct CarriedRecords {
    history: History,
    deployments: BTreeSet<String>,
    config: Weak<ActiveConfig>,
}

impl Carried {
    /// Runs `change` on the history.
    pub(crate) fn with_history<T>(&self, change: impl FnOnce(&mut History) -> T) -> T {
        change(&mut self.0.borrow_mut().history)
    }

    /// Sets the newest configuration.
    pub(crate) fn set_config(&self, config: &Rc<ActiveConfig>) {
        self.0.borrow_mut().config = Rc::downgrade(config);
    }

    /// The newest configuration. Earlier ones remain in use while streams that began with them
    /// last.
    pub(crate) fn config(&self) -> Option<Rc<ActiveConfig>> {
        self.0.borrow().config.upgrade()
    }

    /// Remembers the series that describe the configured deployments. Returns those that the
    /// previous configuration had and this one does not.
    pub(crate) fn replace_deployments(&self, series: BTreeSet<String>) -> Vec<String> {
        let mut records = self.0.borrow_mut();
        let gone = records.deployments.difference(&series).cloned().collect();
        records.deployments = series;
        gone
    }
}
