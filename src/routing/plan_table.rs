//! The plans of a VM's requests. The gateway role writes it and the signer role reads it; a property
//! of the stream carries the key from one to the other.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::routing::plan::Plan;

/// Plans by key. Clones are handles of one table.
#[derive(Clone, Debug, Default)]
pub struct PlanTable(Rc<RefCell<Plans>>);

/// A plan's entry in the table, for as long as its request lives.
#[derive(Debug)]
pub struct PlanEntry {
    table: PlanTable,
    key: u64,
}

#[derive(Debug, Default)]
struct Plans {
    plans: BTreeMap<u64, Planned>,
    next: u64,
}

#[derive(Debug)]
struct Planned {
    plan: Rc<Plan>,
    /// Whether an attempt has asked for it.
    is_begun: bool,
}

impl PlanTable {
    /// Adds a plan.
    pub fn insert(&self, plan: Rc<Plan>) -> PlanEntry {
        let mut plans = self.0.borrow_mut();
        let key = plans.next;
        plans.next = key.wrapping_add(1);
        let planned = Planned {
            plan,
            is_begun: false,
        };
        plans.plans.insert(key, planned);
        PlanEntry {
            table: self.clone(),
            key,
        }
    }

    /// The plan of a [`PlanEntry::key`], and whether no attempt has asked for it before. `None` if the
    /// request is over, or began before the VM was reloaded.
    pub fn find(&self, key: &[u8]) -> Option<(Rc<Plan>, bool)> {
        let key: u64 = std::str::from_utf8(key).ok()?.parse().ok()?;
        let mut plans = self.0.borrow_mut();
        let planned = plans.plans.get_mut(&key)?;
        let is_first = !std::mem::replace(&mut planned.is_begun, true);
        Some((Rc::clone(&planned.plan), is_first))
    }
}

impl PlanEntry {
    /// The value of the property that names it.
    pub fn key(&self) -> String {
        self.key.to_string()
    }
}

impl Drop for PlanEntry {
    fn drop(&mut self) {
        self.table.0.borrow_mut().plans.remove(&self.key);
    }
}
