//! The slots of a VM.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use crate::credentials::slot::CredentialSlot;

/// The slots that are in use, by the broker's path. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct CredentialStore(Rc<RefCell<BTreeMap<String, Weak<CredentialSlot>>>>);

impl CredentialStore {
    /// The slot of an access key that the broker calls `id`.
    pub(crate) fn keys(&self, id: &str) -> Rc<CredentialSlot> {
        self.slot(format!("/credentials/{id}"), false)
    }

    /// The slot of a Bedrock API key for `region`, made from the access key `id`.
    pub(crate) fn bearer(&self, id: &str, region: &str) -> Rc<CredentialSlot> {
        self.slot(format!("/bearer/{id}/{region}"), true)
    }

    fn slot(&self, path: String, is_bearer: bool) -> Rc<CredentialSlot> {
        let mut slots = self.0.borrow_mut();
        slots.retain(|_, slot| slot.strong_count() > 0);
        if let Some(slot) = slots.get(&path).and_then(Weak::upgrade) {
            return slot;
        }
        let slot = Rc::new(CredentialSlot::new(path.clone(), is_bearer));
        slots.insert(path, Rc::downgrade(&slot));
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_shared_until_nobody_uses_it() {
        let store = CredentialStore::default();
        let first = store.keys("1");
        assert!(Rc::ptr_eq(&first, &store.clone().keys("1")));
        let others = [
            store.keys("2"),
            store.bearer("1", "west"),
            store.bearer("1", "east"),
        ];
        assert_eq!(store.0.borrow().len(), 4);
        assert!(others.iter().all(|other| !Rc::ptr_eq(other, &first)));
        drop((first, others));
        let _again = store.keys("1");
        assert_eq!(store.0.borrow().len(), 1);
    }
}
