//! The last rows of this Envoy, for `GET /spend/logs`: kept in memory that all workers share.
//!
//! Each worker writes into a ring of its own, so that no two ever wait for one another's numbers, and reads those of all. A
//! place holds the row's number in its ring (u64, little endian) and the row. Nothing else is written per request: the
//! newest place of a ring is found by bisection, since numbers grow up to it and fall behind it.

use crate::records::fields::quote;

/// Most rings: workers, and VMs that took the place of one that had trapped. Beyond it rings are written on in turn.
const RINGS_MAX: u32 = 64;
/// Where the number of rings stands.
const RINGS: &str = "envoy_bedrock.rings";
/// How often a ring is asked for when several workers ask together.
const OPENING_ATTEMPTS: u32 = 1000;

/// Memory that the workers share: values by key, each with a number that changes with it (compare and swap).
pub trait SharedMemory {
    /// A value and its number.
    fn get(&self, key: &str) -> Option<(Vec<u8>, u32)>;
    /// Sets a value; with a number other than 0 only if the value still has it. Whether it was set.
    fn set(&self, key: &str, value: &[u8], number: u32) -> bool;
}

/// A worker's ring.
#[derive(Debug)]
pub struct History {
    ring: u32,
    size: u32,
    next: u64,
}

impl History {
    /// A ring of `size` rows; with 0, nothing is ever kept.
    pub fn open(shared: &impl SharedMemory, size: u32) -> Self {
        let ring = allot(shared);
        let next = newest(shared, ring, size).map_or(0, |place| place.number.saturating_add(1));
        Self { ring, size, next }
    }

    /// Keeps a row in the place of the oldest. `row` comes with room for its number in front ([`ROOM_BYTES`]).
    pub fn keep(&mut self, shared: &impl SharedMemory, row: &mut [u8]) {
        let Some(index) = self.next.checked_rem(self.size.into()) else {
            return;
        };
        if let Some(room) = row.first_chunk_mut() {
            *room = self.next.to_le_bytes();
        }
        let is_kept = shared.set(&key(self.ring, index), row, 0);
        if is_kept {
            self.next = self.next.saturating_add(1);
        }
    }
}

/// Room for a row's number.
pub const ROOM_BYTES: usize = 8;

/// The newest row whose `request_id` or `x_amzn_requestid` is `id`, in rings of `size` rows.
pub fn find(shared: &impl SharedMemory, size: u32, id: &str) -> Option<String> {
    let mut quoted = String::new();
    quote(&mut quoted, id);
    let call = format!("\"request_id\":{quoted},");
    let amazon = format!("\"x_amzn_requestid\":{quoted},");
    let mut rings: Vec<(u32, Option<RingSlot>)> = (0..rings(shared))
        .map(|ring| (ring, newest(shared, ring, size)))
        .collect();
    // All rings step by step, since most questions are about what has just been.
    for _ in 0..size {
        rings.retain(|(_, place)| place.is_some());
        if rings.is_empty() {
            return None;
        }
        for (ring, place) in &mut rings {
            let Some(seen) = place.take() else { continue };
            if seen.row().starts_with(call.as_bytes()) || seen.row().ends_with(amazon.as_bytes()) {
                return String::from_utf8(seen.row().to_vec()).ok();
            }
            let before = seen.number.checked_sub(1);
            *place = before.and_then(|number| {
                at(shared, *ring, number.checked_rem(size.into())?).filter(|place| place.number == number)
            });
        }
    }
    None
}

/// What is in a place of a ring.
#[derive(Debug)]
struct RingSlot {
    number: u64,
    /// All that it holds.
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

fn at(shared: &impl SharedMemory, ring: u32, index: u64) -> Option<RingSlot> {
    let (bytes, _) = shared.get(&key(ring, index))?;
    let number = u64::from_le_bytes(*bytes.first_chunk()?);
    Some(RingSlot { number, bytes })
}

/// The newest row of a ring.
fn newest(shared: &impl SharedMemory, ring: u32, size: u32) -> Option<RingSlot> {
    let mut newest = at(shared, ring, 0)?;
    let lap = newest.number;
    // Places from `first` on are older than place 0 or empty; those before `last` are of its lap.
    let (mut last, mut first) = (0u64, u64::from(size));
    while first.saturating_sub(last) > 1 {
        let middle = last.midpoint(first);
        match at(shared, ring, middle).filter(|place| place.number > lap) {
            Some(place) => (last, newest) = (middle, place),
            None => first = middle,
        }
    }
    Some(newest)
}

fn rings(shared: &impl SharedMemory) -> u32 {
    counted(shared).0.min(RINGS_MAX)
}

fn counted(shared: &impl SharedMemory) -> (u32, u32) {
    let (bytes, number) = shared.get(RINGS).unwrap_or_default();
    (
        bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)),
        number,
    )
}

/// A ring that no other worker has been given, as long as there are any. The very first caller sets the number without a
/// comparison, which there is nothing for; it is alone, because Envoy tries a configuration on its main thread first.
fn allot(shared: &impl SharedMemory) -> u32 {
    for _ in 0..OPENING_ATTEMPTS {
        let (count, number) = counted(shared);
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
    fn a_row_that_has_just_been_is_found_in_a_few_reads() {
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
    fn an_id_in_the_middle_of_a_row_or_with_quotes_finds_nothing() {
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
    fn nothing_is_kept_in_a_ring_of_no_rows() {
        let memory = Memory::default();
        let mut history = History::open(&memory, 0);
        keep(&mut history, &memory, "a");
        assert_eq!(find(&memory, 0, "a"), None);
        assert_eq!(memory.values.borrow().len(), 1);
    }

    #[test]
    fn a_ring_that_is_given_out_again_is_written_on() {
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
