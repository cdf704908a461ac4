//! How soon deployments respond, as all workers of an Envoy have measured it.
//!
//! The VMs share one value: a header, then for each target three numbers (u64, little endian): its
//! key, the average time to the first byte in microseconds, and the nanosecond since 1970 of the
//! last measurement.
//!
//! An average is a guess in any case. So a measurement is written once and lost if another VM writes
//! at the same moment, and what cannot be read is unmeasured.

use std::fmt;

use crate::capacity::{SharedStore, StoreError};
use crate::contract::names::SHARED_LATENCIES;
use crate::cooldown::TargetKey;
use crate::time::UnixTime;

/// Identifies the format. The value is never empty.
const HEADER: [u8; 8] = *b"latenc-1";
const ENTRY_BYTES: usize = 24;
/// Maximum number of targets, since each request reads them all: 24 kB. If there are more, the one
/// that was measured least recently is dropped.
const ENTRIES_MAX: usize = 1000;
/// After this time without a measurement, a target counts as unmeasured: LiteLLM's `ttl`.
const AVERAGE_MILLISECONDS: u64 = 3_600_000;
/// A measurement moves the average by this part of the difference. LiteLLM averages the last ten
/// measurements, whose mean age is four and a half measurements. Here it is four, so the average
/// follows a change about as fast.
const WEIGHT: (u64, u64) = (1, 5);

/// The average latencies of deployments.
pub struct LatencyBoard {
    store: Box<dyn SharedStore>,
}

impl fmt::Debug for LatencyBoard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("LatencyBoard").finish_non_exhaustive()
    }
}

impl LatencyBoard {
    /// The averages in `store`.
    pub fn new(store: Box<dyn SharedStore>) -> Self {
        Self { store }
    }

    /// Creates the shared value, unless it exists. Envoy configures the filter on its main thread
    /// first, so no worker is using it yet.
    pub fn open(&self) {
        if self.store.read(SHARED_LATENCIES) == Ok(None) {
            let _later = self.store.write(SHARED_LATENCIES, &HEADER, 0);
        }
    }

    /// A response of this target began after this time.
    pub(crate) fn record(&self, key: TargetKey, microseconds: u64, now: UnixTime) {
        let Some((mut averages, number)) = self.read() else {
            return;
        };
        averages.retain(|average| average.is_current(now));
        let before = averages.iter().position(|average| average.key == key);
        let before = before.map(|position| averages.remove(position).microseconds);
        let excess = averages.len().saturating_sub(ENTRIES_MAX.saturating_sub(1));
        averages.drain(..excess);
        averages.push(AverageLatency {
            key,
            microseconds: before.map_or(microseconds, |before| moved(before, microseconds)),
            measured: now,
        });
        let _may_be_lost = self.store.write(SHARED_LATENCIES, &serialize(&averages), number);
    }

    /// The average time to the first byte of each of these targets, in microseconds; `None` for
    /// those that are unmeasured.
    pub(crate) fn averages(&self, keys: &[TargetKey], now: UnixTime) -> Vec<Option<u64>> {
        let averages = self.read().map(|(averages, _)| averages).unwrap_or_default();
        let average = |key: &TargetKey| {
            let average = averages.iter().find(|average| average.key == *key);
            average.filter(|average| average.is_current(now))
        };
        let found = keys.iter().map(average);
        found
            .map(|average| average.map(|average| average.microseconds))
            .collect()
    }

    fn read(&self) -> Option<(Vec<AverageLatency>, u32)> {
        match self.store.read(SHARED_LATENCIES) {
            Ok(Some((bytes, number))) => Some((parse(&bytes)?, number)),
            Ok(None) | Err(StoreError) => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct AverageLatency {
    key: TargetKey,
    microseconds: u64,
    measured: UnixTime,
}

impl AverageLatency {
    fn is_current(&self, now: UnixTime) -> bool {
        let end = self.measured.after_milliseconds(AVERAGE_MILLISECONDS);
        now.is_between(self.measured, end)
    }
}

/// The average after another measurement.
fn moved(average: u64, measured: u64) -> u64 {
    let (weight, total) = WEIGHT;
    let old = u128::from(average).saturating_mul(u128::from(total.saturating_sub(weight)));
    let sum = old.saturating_add(u128::from(measured).saturating_mul(u128::from(weight)));
    let moved = sum.checked_div(u128::from(total)).unwrap_or_default();
    u64::try_from(moved).unwrap_or(u64::MAX)
}

/// Parses the value, or returns `None` if it is malformed. Those that were measured last come last.
fn parse(bytes: &[u8]) -> Option<Vec<AverageLatency>> {
    let (entries, rest) = bytes.strip_prefix(&HEADER)?.as_chunks::<ENTRY_BYTES>();
    let averages = entries.iter().map(|entry| {
        let (numbers, _) = entry.as_chunks::<8>();
        let [key, microseconds, measured] = numbers else {
            return None;
        };
        Some(AverageLatency {
            key: TargetKey(u64::from_le_bytes(*key)),
            microseconds: u64::from_le_bytes(*microseconds),
            measured: UnixTime::from_nanoseconds(u64::from_le_bytes(*measured)),
        })
    });
    rest.is_empty().then(|| averages.collect())?
}

fn serialize(averages: &[AverageLatency]) -> Vec<u8> {
    let mut bytes = HEADER.to_vec();
    for average in averages {
        let measured = average.measured.nanoseconds();
        for number in [average.key.0, average.microseconds, measured] {
            bytes.extend(number.to_le_bytes());
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::cooldown::fake_store::FakeStore;

    const KEY: TargetKey = TargetKey(7);
    const HOUR: u64 = 3_600_000;

    fn vm(store: &FakeStore) -> LatencyBoard {
        let board = LatencyBoard::new(Box::new(store.clone()));
        board.open();
        board
    }

    fn at(milliseconds: u64) -> UnixTime {
        UnixTime::from_seconds(1_795_357_174).after_milliseconds(milliseconds)
    }

    fn average(board: &LatencyBoard, key: TargetKey, time: u64) -> Option<u64> {
        board.averages(&[key], at(time))[0]
    }

    #[test]
    fn each_worker_sees_what_the_others_have_measured() {
        let store = FakeStore::default();
        let vms = [vm(&store), vm(&store)];
        vms[0].record(KEY, 1000, at(0));
        vms[1].record(TargetKey(8), 5, at(0));
        for vm in &vms {
            let averages = vm.averages(&[TargetKey(8), TargetKey(9), KEY], at(1));
            assert_eq!(averages, [Some(5), None, Some(1000)]);
        }
        vms[1].record(KEY, 2000, at(0));
        assert_eq!(average(&vms[0], KEY, 0), Some(1200));
        assert_eq!(store.calls_of(|| average(&vms[0], KEY, 0)).0, 1);
        assert_eq!(store.calls_of(|| vms[0].record(KEY, 1, at(0))).0, 2);
    }

    #[test]
    fn the_average_follows_a_change_within_twenty_responses() {
        let board = vm(&FakeStore::default());
        for (microseconds, expected) in [(200_000, 200_000..200_001), (2_000_000, 1_900_000..2_000_000)] {
            for time in 0..20 {
                board.record(KEY, microseconds, at(time));
            }
            let average = average(&board, KEY, 20).unwrap();
            assert!(expected.contains(&average), "{average}");
        }
    }

    #[test]
    fn an_average_lies_between_its_measurements() {
        for (before, measured) in [(0, u64::MAX), (u64::MAX, 0), (u64::MAX, u64::MAX), (0, 0), (3, 4)] {
            let (low, high) = (before.min(measured), before.max(measured));
            assert!((low..=high).contains(&moved(before, measured)));
        }
    }

    #[test]
    fn an_average_is_forgotten_after_an_hour_without_a_response() {
        let store = FakeStore::default();
        let board = vm(&store);
        board.record(KEY, 1000, at(0));
        board.record(KEY, 1000, at(1000));
        assert_eq!(average(&board, KEY, HOUR + 999), Some(1000));
        assert_eq!(average(&board, KEY, HOUR + 1000), None);
        board.record(TargetKey(8), 1, at(HOUR + 1000));
        let value = store.value(SHARED_LATENCIES);
        assert_eq!(value.len(), HEADER.len() + ENTRY_BYTES, "it was dropped");
        board.record(KEY, 50, at(HOUR + 1000));
        assert_eq!(average(&board, KEY, HOUR + 1000), Some(50));
    }

    #[test]
    fn an_average_from_before_the_clock_was_set_back_does_not_count() {
        let board = vm(&FakeStore::default());
        board.record(KEY, 1000, at(HOUR));
        assert_eq!(average(&board, KEY, HOUR - 1000), Some(1000));
        assert_eq!(average(&board, KEY, 0), None);
        board.record(KEY, 50, at(0));
        assert_eq!(average(&board, KEY, 0), Some(50));
    }

    #[test]
    fn of_two_measurements_at_once_one_may_be_lost() {
        let store = FakeStore::default();
        let board = vm(&store);
        let other = store.clone();
        store.interrupt_next_write(move || vm(&other).record(TargetKey(8), 80, at(0)));
        board.record(KEY, 70, at(0));
        let averages = board.averages(&[KEY, TargetKey(8)], at(0));
        assert_eq!(averages, [None, Some(80)]);
    }

    #[test]
    fn targets_that_were_measured_least_recently_make_room() {
        let board = vm(&FakeStore::default());
        let entries = u64::try_from(ENTRIES_MAX).unwrap();
        for number in 0..entries {
            board.record(TargetKey(number), 1, at(number));
        }
        board.record(TargetKey(0), 1, at(entries));
        board.record(TargetKey(entries), 1, at(entries));
        let keys: Vec<_> = (0..=entries).map(TargetKey).collect();
        let measured = board.averages(&keys, at(entries));
        let unmeasured: Vec<_> = (0..=ENTRIES_MAX)
            .filter(|index| measured[*index].is_none())
            .collect();
        assert_eq!(unmeasured, [1]);
    }

    #[test]
    fn what_cannot_be_read_is_unmeasured() {
        let store = FakeStore::default();
        let board = vm(&store);
        board.record(KEY, 70, at(0));
        store.fails_reads.store(true, Ordering::Relaxed);
        board.record(KEY, 90, at(0));
        assert_eq!(average(&board, KEY, 0), None);
        store.fails_reads.store(false, Ordering::Relaxed);
        store.fails_writes.store(true, Ordering::Relaxed);
        board.record(KEY, 90, at(0));
        assert_eq!(average(&board, KEY, 0), Some(70));
        store.fails_writes.store(false, Ordering::Relaxed);
        let bytes = store.value(SHARED_LATENCIES);
        for length in 0..bytes.len() {
            store.set_value(SHARED_LATENCIES, &bytes[..length]);
            board.record(KEY, 90, at(0));
            let expected = (length == HEADER.len()).then_some(90);
            assert_eq!(average(&board, KEY, 0), expected, "{length} bytes");
        }
    }
}
