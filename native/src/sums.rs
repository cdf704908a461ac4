//! What counters have counted and Envoy does not know yet. Envoy looks up the labels whenever a
//! counter is increased, so this is done once per tick and not for each request.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Amounts by the ids of their series. All threads add, and one takes.
#[derive(Debug, Default)]
pub(crate) struct CounterSums(Mutex<Vec<Option<u64>>>);

impl CounterSums {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Adds to a counter. One that is 0 is taken too, so that it exists.
    pub(crate) fn add(&self, id: u32, amount: u64) {
        let Ok(index) = usize::try_from(id) else { return };
        let mut sums = self.lock();
        if sums.len() <= index {
            sums.resize(index.saturating_add(1), None);
        }
        if let Some(sum) = sums.get_mut(index) {
            *sum = Some(sum.unwrap_or_default().saturating_add(amount));
        }
    }

    /// What was added since the last time.
    pub(crate) fn take(&self) -> Vec<(u32, u64)> {
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
