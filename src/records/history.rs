//! The history of recent rows for `GET /spend/logs`, in memory shared by all workers.
//!
//! Each worker writes to its own ring, so that workers never wait for each other, and reads all
//! rings. A slot holds the row's sequence number in its ring (u64, little endian) and the
//! row. Nothing else is written per request: the newest slot is found by bisection, because numbers
//! increase up to it and are lower after it.

use std::collections::BTreeMap;

use crate::records::fields::quote;

/// Maximum number of rings. There is one per worker, and one more for each VM that replaces a
/// trapped one. Beyond the limit, existing rings are reused in turn.
const RINGS_MAX: u32 = 64;
/// Prefix of all keys. The version is that of a slot's format.
const PREFIX: &str = "envoy_bedrock.v1";
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

/// The rings of a worker, by their size: usually one. They outlive a configuration, so that reloads
/// lose no rows and use up no rings.
#[derive(Debug, Default)]
pub(crate) struct History {
    rings: BTreeMap<u32, Ring>,
}

/// A ring that this worker writes to.
#[derive(Debug)]
struct Ring {
    number: u32,
    next: u64,
}

impl History {
    /// Prepares rings of `size` rows. Envoy first loads a configuration on its main thread, so this
    /// cannot race: claims, which can, are compare-and-swap operations on the value set here.
    pub(crate) fn prepare(shared: &impl SharedMemory, size: u32) {
        if shared.get(&rings_key(size)).is_none() {
            shared.set(&rings_key(size), &0u32.to_le_bytes(), 0);
        }
    }

    /// Stores a row in place of the oldest in a ring of `size` rows, which the first row claims.
    /// With 0, no rows are kept. The first [`ROOM_BYTES`] of `row` are reserved for its number.
    pub(crate) fn keep(&mut self, shared: &impl SharedMemory, size: u32, row: &mut [u8]) {
        if size == 0 {
            return;
        }
        let ring = self
            .rings
            .entry(size)
            .or_insert_with(|| Ring::claim(shared, size));
        let Some(index) = ring.next.checked_rem(size.into()) else {
            return;
        };
        if let Some(room) = row.first_chunk_mut() {
            *room = ring.next.to_le_bytes();
        }
        let is_stored = shared.set(&key(size, ring.number, index), row, 0);
        if is_stored {
            ring.next = ring.next.saturating_add(1);
        }
    }
}

impl Ring {
    /// Claims a ring that no other worker has, if one is left.
    fn claim(shared: &impl SharedMemory, size: u32) -> Self {
        let number = claim_ring(shared, size);
        let newest = newest(shared, number, size);
        Self {
            number,
            next: newest.map_or(0, |slot| slot.number.saturating_add(1)),
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
    let mut rings: Vec<(u32, Option<RingSlot>)> = (0..ring_count(shared, size))
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
                read_slot(shared, size, *ring, number.checked_rem(size.into())?)
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

fn key(size: u32, ring: u32, index: u64) -> String {
    format!("{PREFIX}.row.{size}.{ring}.{index}")
}

/// Key of the number of rings of `size` rows.
fn rings_key(size: u32) -> String {
    format!("{PREFIX}.rings.{size}")
}

fn read_slot(shared: &impl SharedMemory, size: u32, ring: u32, index: u64) -> Option<RingSlot> {
    let (bytes, _) = shared.get(&key(size, ring, index))?;
    let number = u64::from_le_bytes(*bytes.first_chunk()?);
    Some(RingSlot { number, bytes })
}

/// Finds the newest row of a ring.
fn newest(shared: &impl SharedMemory, ring: u32, size: u32) -> Option<RingSlot> {
    let mut newest = read_slot(shared, size, ring, 0)?;
    let lap = newest.number;
    // Slots up to `last` are from the same lap as slot 0; those from `first` on are older or empty.
    let (mut last, mut first) = (0u64, u64::from(size));
    while first.saturating_sub(last) > 1 {
        let middle = last.midpoint(first);
        match read_slot(shared, size, ring, middle).filter(|slot| slot.number > lap) {
            Some(slot) => (last, newest) = (middle, slot),
            None => first = middle,
        }
    }
    Some(newest)
}

fn ring_count(shared: &impl SharedMemory, size: u32) -> u32 {
    claimed_rings(shared, size).0.min(RINGS_MAX)
}

/// The number of claims so far, and its compare-and-swap number.
fn claimed_rings(shared: &impl SharedMemory, size: u32) -> (u32, u32) {
    let (bytes, number) = shared.get(&rings_key(size)).unwrap_or_default();
    (
        bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)),
        number,
    )
}

/// Claims a ring that no other worker has, if one is left.
fn claim_ring(shared: &impl SharedMemory, size: u32) -> u32 {
    for _ in 0..OPENING_ATTEMPTS {
        let (count, number) = claimed_rings(shared, size);
        let next = count.checked_add(1).unwrap_or(RINGS_MAX);
        if shared.set(&rings_key(size), &next.to_le_bytes(), number) {
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

    /// A worker whose rows go into rings of one size.
    struct Worker {
        history: History,
        size: u32,
    }

    impl Worker {
        fn open(memory: &Memory, size: u32) -> Self {
            History::prepare(memory, size);
            let history = History::default();
            Self { history, size }
        }

        fn ring(&self) -> &Ring {
            &self.history.rings[&self.size]
        }
    }

    fn keep(worker: &mut Worker, memory: &Memory, id: &str) {
        let row = format!("........\"request_id\":\"{id}\",\"x_amzn_requestid\":\"amzn-{id}\",");
        worker.history.keep(memory, worker.size, &mut row.into_bytes());
    }

    #[test]
    fn the_last_rows_of_every_worker_are_found_by_both_ids() {
        for size in [1u32, 2, 3, 7, 100] {
            for kept in [0u32, 1, 2, 3, 6, 7, 8, 99, 100, 101, 250] {
                let memory = Memory::default();
                let mut workers = [Worker::open(&memory, size), Worker::open(&memory, size)];
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
        let mut workers: Vec<_> = (0..8).map(|_| Worker::open(&memory, 1000)).collect();
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
        let mut worker = Worker::open(&memory, 10);
        let row = b"........\"request_id\":\"a\",\"end_user\":\"x\",\"x_amzn_requestid\":null,";
        worker.history.keep(&memory, 10, &mut row.to_vec());
        for id in ["x", "", "a\",\"end_user\":\"x", "null"] {
            assert_eq!(find(&memory, 10, id), None, "{id}");
        }
        assert!(find(&memory, 10, "a").is_some());
    }

    #[test]
    fn a_ring_of_size_zero_keeps_nothing() {
        let memory = Memory::default();
        let mut worker = Worker::open(&memory, 0);
        keep(&mut worker, &memory, "a");
        assert_eq!(find(&memory, 0, "a"), None);
        assert_eq!(memory.values.borrow().len(), 1);
    }

    #[test]
    fn a_reused_ring_is_continued() {
        let memory = Memory::default();
        let mut first = Worker::open(&memory, 4);
        for index in 0..6 {
            keep(&mut first, &memory, &format!("{index}"));
        }
        for _ in 1..RINGS_MAX {
            keep(&mut Worker::open(&memory, 4), &memory, "other");
        }
        let mut again = Worker::open(&memory, 4);
        keep(&mut again, &memory, "new");
        assert_eq!((again.ring().number, again.ring().next), (0, 7));
        assert!(find(&memory, 4, "new").is_some() && find(&memory, 4, "3").is_some());
        assert_eq!(find(&memory, 4, "2"), None);
    }

    #[test]
    fn configurations_that_record_nothing_use_up_no_ring_and_a_worker_keeps_its_own() {
        let memory = Memory::default();
        let mut worker = Worker::open(&memory, 4);
        keep(&mut worker, &memory, "before");
        for _ in 0..1000 {
            History::prepare(&memory, 4);
        }
        keep(&mut worker, &memory, "after");
        assert_eq!(ring_count(&memory, 4), 1);
        assert!(find(&memory, 4, "before").is_some() && find(&memory, 4, "after").is_some());
    }

    #[test]
    fn rings_of_another_size_are_separate() {
        let memory = Memory::default();
        let mut worker = Worker::open(&memory, 4);
        (0..6).for_each(|index| keep(&mut worker, &memory, &format!("{index}")));
        History::prepare(&memory, 2);
        worker.size = 2;
        keep(&mut worker, &memory, "small");
        assert!(find(&memory, 2, "small").is_some() && find(&memory, 2, "5").is_none());
        assert!(find(&memory, 4, "5").is_some() && find(&memory, 4, "small").is_none());
    }
}
