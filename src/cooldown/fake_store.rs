//! Shared data for tests, whose calls can fail and in which other VMs can get in between.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::capacity::{SharedStore, StoreError};

/// A value and its number.
type StoredValue = (Vec<u8>, u32);
/// What another VM does.
type Interruption = Box<dyn FnOnce() + Send>;

#[derive(Clone, Default)]
pub(crate) struct FakeStore {
    values: Arc<Mutex<BTreeMap<String, StoredValue>>>,
    pub(crate) fails_reads: Arc<AtomicBool>,
    pub(crate) fails_writes: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
    /// The number of the call that fails, if not 0.
    fails_call: Arc<AtomicUsize>,
    interruption: Arc<Mutex<Option<Interruption>>>,
}

impl SharedStore for FakeStore {
    fn read(&self, key: &str) -> Result<Option<StoredValue>, StoreError> {
        if self.call_fails() || self.fails_reads.load(Ordering::Relaxed) {
            return Err(StoreError);
        }
        Ok(self.values.lock().unwrap().get(key).cloned())
    }

    fn write(&self, key: &str, value: &[u8], number: u32) -> bool {
        let interruption = self.interruption.lock().unwrap().take();
        if let Some(interrupt) = interruption {
            interrupt();
        }
        if self.call_fails() || self.fails_writes.load(Ordering::Relaxed) {
            return false;
        }
        let mut values = self.values.lock().unwrap();
        let before = values.get(key).map_or(0, |(_, number)| *number);
        let succeeds = number == 0 || number == before;
        if succeeds {
            values.insert(key.to_owned(), (value.to_vec(), before + 1));
        }
        succeeds
    }
}

impl FakeStore {
    /// Runs `interrupt` before the next write, as another VM would.
    pub(crate) fn interrupt_next_write(&self, interrupt: impl FnOnce() + Send + 'static) {
        *self.interruption.lock().unwrap() = Some(Box::new(interrupt));
    }

    /// The number of host calls that `run` makes.
    pub(crate) fn calls_of<T>(&self, run: impl FnOnce() -> T) -> (usize, T) {
        let before = self.calls.load(Ordering::Relaxed);
        let result = run();
        (self.calls.load(Ordering::Relaxed) - before, result)
    }

    /// Makes the call fail that comes after `others` more.
    pub(crate) fn fail_call_after(&self, others: usize) {
        let calls = self.calls.load(Ordering::Relaxed);
        self.fails_call.store(calls + others + 1, Ordering::Relaxed);
    }

    pub(crate) fn value(&self, key: &str) -> Vec<u8> {
        self.values.lock().unwrap()[key].0.clone()
    }

    pub(crate) fn set_value(&self, key: &str, value: &[u8]) {
        assert!(self.write(key, value, 0));
    }

    /// The number of values, and the bytes of the longest.
    pub(crate) fn size(&self) -> (usize, usize) {
        let values = self.values.lock().unwrap();
        let longest = values.values().map(|(value, _)| value.len()).max();
        (values.len(), longest.unwrap_or_default())
    }

    fn call_fails(&self) -> bool {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        call == self.fails_call.load(Ordering::Relaxed)
    }
}
