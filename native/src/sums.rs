//! What counters have counted and Envoy does not know yet. Envoy looks up the labels whenever a
//! counter is increased, so this is done once per tick and not for each request.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many threads have a part of their own, so that workers do not wait for each other. Further
/// ones share.
const PARTS: usize = 64;

/// Amounts by the ids of their series. All threads add, and one takes.
#[derive(Debug)]
pub(crate) struct CounterSums([CounterPart; PARTS]);

/// What some threads have added. It is aligned so that no two parts are in one cache line.
#[derive(Debug)]
#[repr(align(128))]
struct CounterPart(Mutex<Vec<Option<u64>>>);

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The number of the thread.
    static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
}

impl CounterSums {
    pub(crate) const fn new() -> Self {
        Self([const { CounterPart(Mutex::new(Vec::new())) }; PARTS])
    }

    /// Adds to a counter. One that is 0 is taken too, so that it exists.
    pub(crate) fn add(&self, id: u32, amount: u64) {
        let part = THREAD.with(|thread| thread.checked_rem(PARTS));
        let part = part.and_then(|index| self.0.get(index));
        if let (Some(part), Ok(index)) = (part, usize::try_from(id)) {
            part.add(index, amount);
        }
    }

    /// What was added since the last time. A series may appear several times.
    pub(crate) fn take(&self) -> Vec<(u32, u64)> {
        self.0.iter().flat_map(CounterPart::take).collect()
    }
}

impl CounterPart {
    fn add(&self, index: usize, amount: u64) {
        let mut sums = self.lock();
        if sums.len() <= index {
            sums.resize(index.saturating_add(1), None);
        }
        if let Some(sum) = sums.get_mut(index) {
            *sum = Some(sum.unwrap_or_default().saturating_add(amount));
        }
    }

    fn take(&self) -> Vec<(u32, u64)> {
        let mut sums = self.lock();
        (0..)
            .zip(sums.iter_mut())
            .filter_map(|(id, sum)| Some((id, sum.take()?)))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn amounts_are_added_up_and_taken_once() {
        let sums = CounterSums::new();
        assert_eq!(sums.take(), []);
        for (id, amount) in [(5, 2), (0, 7), (5, 40), (2, 0)] {
            sums.add(id, amount);
        }
        assert_eq!(sums.take(), [(0, 7), (2, 0), (5, 42)]);
        assert_eq!(sums.take(), []);
        sums.add(5, 1);
        assert_eq!(sums.take(), [(5, 1)]);
    }

    #[test]
    fn no_thread_loses_or_doubles_an_amount() {
        let sums = CounterSums::new();
        let taken = thread::scope(|scope| {
            let adding: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..10_000).for_each(|_| sums.add(3, 1))))
                .collect();
            let mut taken = Vec::new();
            while !adding.iter().all(thread::ScopedJoinHandle::is_finished) {
                taken.extend(sums.take());
            }
            taken.extend(sums.take());
            taken
        });
        assert!(taken.iter().all(|(id, _)| *id == 3));
        assert_eq!(taken.iter().map(|(_, amount)| amount).sum::<u64>(), 40_000);
    }
}
