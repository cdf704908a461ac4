//! What all workers share, by keys: the counterpart of the shared data of Envoy's WebAssembly.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use envoy_bedrock::capacity::{SharedStore, StoreError};
use envoy_bedrock::records::history::SharedMemory;

/// Values by key, each with a number that changes with it.
#[derive(Debug, Default)]
struct NumberedValues {
    values: HashMap<String, (Vec<u8>, u32)>,
    last_number: u32,
}

impl NumberedValues {
    fn get(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.values.get(key).cloned()
    }

    /// Sets a value. If `number` is not 0 and there is a value, it must have this number.
    fn set(&mut self, key: &str, value: &[u8], number: u32) -> bool {
        // 0 stands for any number.
        let next = self.last_number.wrapping_add(1).max(1);
        match self.values.get_mut(key) {
            Some((_, held)) if number != 0 && number != *held => return false,
            Some((bytes, held)) => {
                bytes.clear();
                bytes.extend_from_slice(value);
                *held = next;
            }
            None => drop(self.values.insert(key.to_owned(), (value.to_vec(), next))),
        }
        self.last_number = next;
        true
    }
}

static VALUES: LazyLock<Mutex<NumberedValues>> = LazyLock::new(Mutex::default);

fn values() -> MutexGuard<'static, NumberedValues> {
    VALUES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What all workers share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SharedData;

impl SharedMemory for SharedData {
    fn get(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        values().get(key)
    }

    fn set(&self, key: &str, value: &[u8], number: u32) -> bool {
        values().set(key, value, number)
    }
}

impl SharedStore for SharedData {
    fn read(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, StoreError> {
        Ok(values().get(key))
    }

    fn write(&self, key: &str, value: &[u8], number: u32) -> bool {
        values().set(key, value, number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_set_while_it_has_its_number() {
        let mut values = NumberedValues::default();
        assert_eq!(values.get("a"), None);
        assert!(values.set("a", b"1", 7), "there is no value yet");
        let (value, first) = values.get("a").unwrap();
        assert!(value == b"1" && first != 0);
        assert!(values.set("b", b"2", 0));
        assert!(values.set("a", b"3", first));
        let (value, second) = values.get("a").unwrap();
        assert!(value == b"3" && second != first);
        assert!(!values.set("a", b"4", first), "it has changed");
        assert!(values.set("a", b"5", 0));
        assert_eq!(values.get("a").unwrap().0, b"5");
    }

    #[test]
    fn no_value_has_the_number_0() {
        let mut values = NumberedValues {
            last_number: u32::MAX,
            ..NumberedValues::default()
        };
        assert!(values.set("a", b"", 0));
        assert_eq!(values.get("a").unwrap().1, 1);
    }
}
