//! What a VM knows about deployments, most of which all workers of an Envoy share.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use crate::cooldown::Cooldowns;
use crate::latency::LatencyBoard;
use crate::limits::Limiter;
use crate::time::UnixTime;

/// Repeated retries that a VM can always make in a row.
const RESERVE: u64 = 100;
/// Repeated retries per second that a VM can always make.
const RESERVE_PER_SECOND: u64 = 10;
/// Each request pays for this part of a repeated retry.
const PER_REQUEST: (u64, u64) = (1, 5);

/// The state of deployments, and what it costs to retry on them.
pub struct Outlook {
    pub(crate) cooldowns: Cooldowns,
    pub(crate) latencies: LatencyBoard,
    pub(crate) limiter: Rc<Limiter>,
    pub(crate) budget: RetryBudget,
}

impl fmt::Debug for Outlook {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Outlook").finish_non_exhaustive()
    }
}

impl Outlook {
    /// The outlook of a VM.
    pub fn new(limiter: Rc<Limiter>, cooldowns: Cooldowns, latencies: LatencyBoard) -> Self {
        Self {
            cooldowns,
            latencies,
            limiter,
            budget: RetryBudget::default(),
        }
    }

    /// An outlook whose VM is alone.
    #[cfg(test)]
    pub(crate) fn in_memory() -> Self {
        use crate::capacity::Capacity;
        use crate::cooldown::fake_store::FakeStore;

        let store = FakeStore::default();
        let capacity = Rc::new(Capacity::new(1, Box::new(store.clone())));
        let limiter = Rc::new(Limiter::new(capacity, Box::new(store.clone())));
        let outlook = Self::new(
            limiter,
            Cooldowns::new(Box::new(store.clone())),
            LatencyBoard::new(Box::new(store)),
        );
        outlook.cooldowns.open();
        outlook.latencies.open();
        outlook
    }
}

/// Limits retries on deployments that are known to fail, because the request has tried them or they
/// cool down. Otherwise, every request would make all its attempts while everything is down. Retries
/// on other deployments are free.
///
/// This is linkerd's retry budget: the balance grows with requests and with time.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    /// In parts of a retry.
    balance: Cell<u64>,
    counted: Cell<UnixTime>,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self {
            balance: Cell::new(RESERVE.saturating_mul(PER_REQUEST.1)),
            counted: Cell::default(),
        }
    }
}

impl RetryBudget {
    /// Counts a request.
    pub(crate) fn deposit(&self) {
        self.add(PER_REQUEST.0);
    }

    /// Whether this many repeated retries could be made.
    pub(crate) fn can_withdraw(&self, retries: u64, now: UnixTime) -> bool {
        self.add_for_time(now);
        self.balance.get() >= retries.saturating_mul(PER_REQUEST.1)
    }

    /// Whether a repeated retry can be made, which is then paid for.
    pub(crate) fn withdraw(&self, now: UnixTime) -> bool {
        self.add_for_time(now);
        match self.balance.get().checked_sub(PER_REQUEST.1) {
            Some(rest) => {
                self.balance.set(rest);
                true
            }
            None => false,
        }
    }

    fn add_for_time(&self, now: UnixTime) {
        let passed = now.milliseconds_since(self.counted.replace(now));
        let parts = RESERVE_PER_SECOND.saturating_mul(PER_REQUEST.1);
        self.add(parts.saturating_mul(passed).checked_div(1000).unwrap_or_default());
    }

    fn add(&self, parts: u64) {
        let most = RESERVE.saturating_mul(PER_REQUEST.1);
        self.balance
            .set(self.balance.get().saturating_add(parts).min(most));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> UnixTime {
        UnixTime::from_seconds(1_795_357_174).after_milliseconds(milliseconds)
    }

    #[test]
    fn repeated_retries_are_a_fifth_of_the_requests_beyond_the_reserve() {
        let budget = RetryBudget::default();
        let made = |requests: u64, now: UnixTime| {
            let mut made = 0;
            for _ in 0..requests {
                budget.deposit();
                made += u64::from(budget.withdraw(now));
            }
            made
        };
        assert_eq!(made(100, at(0)), 100);
        let more = made(1000, at(0));
        assert!((200..=230).contains(&more), "{more}");
        assert_eq!(made(10, at(1000)), 10, "ten more each second");
        assert!(made(100, at(1000)) <= 30);
    }
}
