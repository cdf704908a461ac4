//! The history of recent rows for `GET /spend/logs`, in memory shared by all workers.
//!
//! Each worker writes to its own ring, so that workers never wait for each other, and reads all
//! rings. A slot holds the row's sequence number in its ring (u64, little endian) and the
//! row. Nothing else is written per request: the newest slot is found by bisection, because numbers
//! increase up to it and are lower after it.

use crate::records::fields::quote;

/// Maximum number of rings. There is one per worker, and one more for each VM that replaces a
/// trapped one. Beyond the limit, existing rings are reused in turn.
const RINGS_MAX: u32 = 64;
/// Key of the number of rings.
const RINGS: &str = "envoy_bedrock.rings";
/// Maximum attempts to claim a ring when several workers do so at once.
const OPENING_ATTEMPTS: u32 = 1000;

/// The key-value store shared by all workers. Each value has a compare-and-swap number that changes
/// with it.
pub trait SharedMemory {
    /// Returns a value and its number.
    fn get(&self, key: &str) -> Option<(Vec<u8>, u32)>;
    /// Sets a value. If `number` is not 0, this only succeeds while the value still has it. Returns
    /// whether the value was set.
    fn set(&self, key: &str, value: &[u8], number: u32) -> bool;
}

/// The ring of a worker.
#[derive(Debug)]
pub(crate) struct History {
    ring: u32,
    size: u32,
    next: u64,
}

impl History {
    /// Claims a ring of `size` rows. With 0, no rows are kept.
    pub(crate) fn open(shared: &impl SharedMemory, size: u32) -> Self {
        let ring = claim_ring(shared);
        let next = newest(shared, ring, size).map_or(0, |slot| slot.number.saturating_add(1));
        Self { ring, size, next }
    }

    /// Stores a row in place of the oldest. The first [`ROOM_BYTES`] of `row` are reserved for its
    /// number.
    pub(crate) fn keep(&mut self, shared: &impl SharedMemory, row: &mut [u8]) {
        let Some(index) = self.next.checked_rem(self.size.into()) else {
            return;
        };
        if let Some(room) = row.first_chunk_mut() {
            *room = self.next.to_le_bytes();
        }
        let is_stored = shared.set(&key(self.ring, index), row, 0);
        if is_stored {
            self.next = self.next.saturating_add(1);
        }
    }
}

/// Bytes reserved before a row for its number.
pub(crate) const ROOM_BYTES: usize = 8;

/// Finds the newest row whose `request_id` or `x_amzn_requestid` is `id`, in rings of `size` rows.
pub(crate) fn find(shared: &impl SharedMemory, size: u32, id: &str) -> Option<String> {
    let mut quoted = String::new();
    quote(&mut quoted, id);
    let call = format!("\"request_id\":{quoted},");
    let amazon = format!("\"x_amzn_requestid\":{quoted},");
    let mut rings: Vec<(u32, Option<RingSlot>)> = (0..ring_count(shared))
        .map(|ring| (ring, newest(shared, ring, size)))
        .collect();
    // Walks back all rings in step, because most lookups are for recent requests.
    for _ in 0..size {
        rings.retain(|(_, slot)| slot.is_some());
        if rings.is_empty() {
            return None;
        }
        for (ring, slot) in &mut rings {
            let Some(seen) = slot.take() else { continue };
            if seen.row().starts_with(call.as_bytes()) || seen.row().ends_with(amazon.as_bytes()) {
                return String::from_utf8(seen.row().to_vec()).ok();
            }
            let before = seen.number.checked_sub(1);
            *slot = before.and_then(|number| {
                read_slot(shared, *ring, number.checked_rem(size.into())?)
                    .filter(|slot| slot.number == number)
            });
        }
    }
    None
}

/// A slot of a ring.
#[derive(Debug)]
struct RingSlot {
    number: u64,
    /// The number and the row.
    bytes: Vec<u8>,
}

impl RingSlot {
    fn row(&self) -> &[u8] {
        self.bytes.get(ROOM_BYTES..).unwrap_or_default()
    }
}

fn key(ring: u32, index: u64) -> String {
    format!("envoy_bedrock.row.{ring}.{index}")
}

fn read_slot(shared: &impl SharedMemory, ring: u32, index: u64) -> Option<RingSlot> {
    let (bytes, _) = shared.get(&key(ring, index))?;
    let number = u64::from_le_bytes(*bytes.first_chunk()?);
    Some(RingSlot { number, bytes })
}

/// Finds the newest row of a ring.
fn newest(shared: &impl SharedMemory, ring: u32, size: u32) -> Option<RingSlot> {
    let mut newest = read_slot(shared, ring, 0)?;
    let lap = newest.number;
    // Slots up to `last` are from the same lap as slot 0; those from `first` on are older or empty.
    let (mut last, mut first) = (0u64, u64::from(size));
    while first.saturating_sub(last) > 1 {
        let middle = last.midpoint(first);
        match read_slot(shared, ring, middle).filter(|slot| slot.number > lap) {
            Some(slot) => (last, newest) = (middle, slot),
            None => first = middle,
        }
    }
    Some(newest)
}

fn ring_count(shared: &impl SharedMemory) -> u32 {
    claimed_rings(shared).0.min(RINGS_MAX)
}

/// The number of claims so far, and its compare-and-swap number.
fn claimed_rings(shared: &impl SharedMemory) -> (u32, u32) {
    let (bytes, number) = shared.get(RINGS).unwrap_or_default();
    (
        bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)),
        number,
    )
}

/// Claims a ring that no other worker has, if one is left. The very first claim is not a
/// compare-and-swap, because there is no value yet. It cannot race: Envoy first loads a
/// configuration on its main thread.
fn claim_ring(shared: &impl SharedMemory) -> u32 {
    for _ in 0..OPENING_ATTEMPTS {
        let (count, number) = claimed_rings(shared);
        let next = count.checked_add(1).unwrap_or(RINGS_MAX);
        if shared.set(RINGS, &next.to_le_bytes(), number) {
            return count.checked_rem(RINGS_MAX).unwrap_or(0);
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::collections::HashMap;

    use super::*;

    #[derive(Default)]
    struct Memory {
        values: RefCell<HashMap<String, (Vec<u8>, u32)>>,
        reads: Cell<usize>,
    }

    impl SharedMemory for Memory {
        fn get(&self, key: &str) -> Option<(Vec<u8>, u32)> {
            self.reads.set(self.reads.get() + 1);
            self.values.borrow().get(key).cloned()
        }

        fn set(&self, key: &str, value: &[u8], number: u32) -> bool {
            let mut values = self.values.borrow_mut();
            let before = values.get(key).map_or(0, |(_, number)| *number);
            let is_current = number == 0 || number == before;
            if is_current {
                values.insert(key.into(), (value.into(), before + 1));
            }
            is_current
        }
    }

    fn keep(history: &mut History, memory: &Memory, id: &str) {
        let row = format!("........\"request_id\":\"{id}\",\"x_amzn_requestid\":\"amzn-{id}\",");
        history.keep(memory, &mut row.into_bytes());
    }

    #[test]
    fn the_last_rows_of_every_worker_are_found_by_both_ids() {
        for size in [1u32, 2, 3, 7, 100] {
            for kept in [0u32, 1, 2, 3, 6, 7, 8, 99, 100, 101, 250] {
                let memory = Memory::default();
                let mut workers = [History::open(&memory, size), History::open(&memory, size)];
                for index in 0..kept {
                    for (worker, history) in workers.iter_mut().enumerate() {
                        keep(history, &memory, &format!("{worker}-{index}"));
                    }
                }
                for index in 0..kept {
                    for worker in 0..2 {
                        let id = format!("{worker}-{index}");
                        let is_kept = index >= kept.saturating_sub(size);
                        for id in [id.clone(), format!("amzn-{id}")] {
                            let found = find(&memory, size, &id);
                            assert_eq!(found.is_some(), is_kept, "{id} of {kept} in {size}");
                            assert!(found.is_none_or(|row| row.contains(&format!("\"{id}\""))));
                        }
                    }
                }
                assert_eq!(find(&memory, size, "elsewhere"), None);
            }
        }
    }

    #[test]
    fn a_recent_row_is_found_in_a_few_reads() {
        let memory = Memory::default();
        let mut workers: Vec<_> = (0..8).map(|_| History::open(&memory, 1000)).collect();
        for index in 0..1500 {
            for history in &mut workers {
                keep(history, &memory, &format!("{index}"));
            }
        }
        memory.reads.set(0);
        assert!(find(&memory, 1000, "1499").is_some());
        assert!(memory.reads.get() < 8 * 12 + 8, "{}", memory.reads.get());
    }

    #[test]
    fn an_id_in_the_middle_of_a_row_or_with_quotes_is_not_found() {
        let memory = Memory::default();
        let mut history = History::open(&memory, 10);
        let row = b"........\"request_id\":\"a\",\"end_user\":\"x\",\"x_amzn_requestid\":null,";
        history.keep(&memory, &mut row.to_vec());
        for id in ["x", "", "a\",\"end_user\":\"x", "null"] {
            assert_eq!(find(&memory, 10, id), None, "{id}");
        }
        assert!(find(&memory, 10, "a").is_some());
    }

    #[test]
    fn a_ring_of_size_zero_keeps_nothing() {
        let memory = Memory::default();
        let mut history = History::open(&memory, 0);
        keep(&mut history, &memory, "a");
        assert_eq!(find(&memory, 0, "a"), None);
        assert_eq!(memory.values.borrow().len(), 1);
    }

    #[test]
    fn a_reused_ring_is_continued() {
        let memory = Memory::default();
        let mut first = History::open(&memory, 4);
        for index in 0..6 {
            keep(&mut first, &memory, &format!("{index}"));
        }
        for _ in 1..RINGS_MAX {
            History::open(&memory, 4);
        }
        let mut again = History::open(&memory, 4);
        assert_eq!((again.ring, again.next), (0, 6));
        keep(&mut again, &memory, "new");
        assert!(find(&memory, 4, "new").is_some() && find(&memory, 4, "3").is_some());
        assert_eq!(find(&memory, 4, "2"), None);
    }
}
