//! The plans of a VM's requests. The gateway role adds them, and the signer role finds them by a
//! key that it reads from a property of the stream.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::contract::itinerary;
use crate::routing::plan::Plan;

/// Plans by key. Clones share one table.
#[derive(Clone, Debug, Default)]
pub struct PlanTable(Rc<RefCell<Plans>>);

/// Keeps a plan in the table until it is dropped.
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
    /// Whether an attempt has found it before.
    is_used: bool,
}

impl PlanTable {
    /// Adds a plan.
    pub fn insert(&self, plan: Rc<Plan>) -> PlanEntry {
        let mut plans = self.0.borrow_mut();
        let key = plans.next;
        plans.next = key.wrapping_add(1);
        plan.table_key.set(key);
        let planned = Planned { plan, is_used: false };
        plans.plans.insert(key, planned);
        PlanEntry {
            table: self.clone(),
            key,
        }
    }

    /// Finds a plan by its [itinerary](Plan::itinerary). Also returns whether this is its first attempt.
    /// Returns `None` if the request has ended, or began before the VM was reloaded.
    pub fn find(&self, property: &[u8]) -> Option<(Rc<Plan>, bool)> {
        let key = itinerary::plan_key(property)?;
        let mut plans = self.0.borrow_mut();
        let planned = plans.plans.get_mut(&key)?;
        let is_first = !std::mem::replace(&mut planned.is_used, true);
        Some((Rc::clone(&planned.plan), is_first))
    }
}

impl Drop for PlanEntry {
    fn drop(&mut self) {
        self.table.0.borrow_mut().plans.remove(&self.key);
    }
}
