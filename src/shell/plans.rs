//! The VM's table of plans: written by the gateway role, read by the signer role, keyed by a number that a
//! property of the stream carries from one to the other.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::routing::plan::Plan;

thread_local! {
    static PLANS: RefCell<BTreeMap<u64, Planned>> = RefCell::default();
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

struct Planned {
    plan: Rc<Plan>,
    /// Whether an attempt has asked for it.
    is_begun: bool,
}

/// A plan's place in the table, for as long as its request lives.
#[derive(Debug)]
pub(super) struct Entry(u64);

impl Entry {
    /// Puts a plan into the table.
    pub(super) fn new(plan: Rc<Plan>) -> Self {
        let key = NEXT.get();
        NEXT.set(key.wrapping_add(1));
        let planned = Planned {
            plan,
            is_begun: false,
        };
        PLANS.with_borrow_mut(|plans| plans.insert(key, planned));
        Self(key)
    }

    /// What the property says.
    pub(super) fn key(&self) -> String {
        self.0.to_string()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        PLANS.with_borrow_mut(|plans| plans.remove(&self.0));
    }
}

/// The plan that a property names, and whether this is the first time that it is asked for. None: the request is over,
/// or it began before the VM was reloaded.
pub(super) fn find(key: &[u8]) -> Option<(Rc<Plan>, bool)> {
    let key: u64 = std::str::from_utf8(key).ok()?.parse().ok()?;
    PLANS.with_borrow_mut(|plans| {
        let planned = plans.get_mut(&key)?;
        let is_first = !std::mem::replace(&mut planned.is_begun, true);
        Some((Rc::clone(&planned.plan), is_first))
    })
}
