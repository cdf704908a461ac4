//! When Envoy is restarted, and when it is given up.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The period in which restarts are limited.
const WINDOW: Duration = Duration::from_secs(60);
/// The wait before the second restart of a period. It doubles with each further one.
const BACKOFF_BASE: Duration = Duration::from_millis(250);
/// An Envoy that served as long as this is not in a loop of crashes.
const STABLE: Duration = Duration::from_secs(10);
/// The longest wait.
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// The restarts of the last minute.
#[derive(Debug)]
pub(super) struct Restarts {
    max: u32,
    recent: VecDeque<Instant>,
}

/// A restart that is allowed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Restart {
    /// How long to wait before it.
    pub(super) delay: Duration,
    /// Its number within the last minute, starting at 1.
    pub(super) number: u32,
}

impl Restarts {
    /// At most `max` within a minute.
    pub(super) fn up_to(max: u32) -> Self {
        Self {
            max,
            recent: VecDeque::new(),
        }
    }

    /// The next restart, for an Envoy that ended at `now` and had `served` this long; `None` if
    /// there were too many.
    ///
    /// The first restart of a minute is immediate, because most crashes are not repeated. So is
    /// that of an Envoy that was stable.
    pub(super) fn next(&mut self, now: Instant, served: Duration) -> Option<Restart> {
        self.recent
            .retain(|restart| now.saturating_duration_since(*restart) < WINDOW);
        let before = u32::try_from(self.recent.len()).unwrap_or(u32::MAX);
        if before >= self.max {
            return None;
        }
        self.recent.push_back(now);
        let delay = match before.checked_sub(1) {
            _ if served >= STABLE => Duration::ZERO,
            None => Duration::ZERO,
            Some(doublings) => BACKOFF_BASE
                .saturating_mul(2_u32.saturating_pow(doublings))
                .min(BACKOFF_MAX),
        };
        Some(Restart {
            delay,
            number: before + 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(restarts: &mut Restarts, at: Instant, count: usize) -> Vec<Option<u128>> {
        let delay = |_| {
            restarts
                .next(at, Duration::ZERO)
                .map(|restart| restart.delay.as_millis())
        };
        (0..count).map(delay).collect()
    }

    #[test]
    fn the_first_restart_is_immediate_and_the_wait_doubles_up_to_a_limit() {
        let mut restarts = Restarts::up_to(10);
        let expected = [0, 250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000].map(Some);
        assert_eq!(delays(&mut restarts, Instant::now(), 10), expected);
    }

    #[test]
    fn one_more_restart_than_the_limit_is_refused_until_a_minute_has_passed() {
        let now = Instant::now();
        let mut restarts = Restarts::up_to(2);
        assert_eq!(delays(&mut restarts, now, 3), [Some(0), Some(250), None]);
        let almost = now + WINDOW - Duration::from_millis(1);
        assert_eq!(restarts.next(almost, STABLE), None);
        let expected = Restart {
            delay: Duration::ZERO,
            number: 1,
        };
        assert_eq!(restarts.next(now + WINDOW, Duration::ZERO), Some(expected));
    }

    #[test]
    fn an_envoy_that_was_stable_is_restarted_without_a_wait() {
        let (mut restarts, now) = (Restarts::up_to(5), Instant::now());
        let almost = STABLE - Duration::from_millis(1);
        let delays = [Duration::ZERO, STABLE, almost].map(|served| {
            restarts
                .next(now, served)
                .map(|restart| restart.delay.as_millis())
        });
        assert_eq!(delays, [Some(0), Some(0), Some(500)]);
    }

    #[test]
    fn a_limit_of_zero_refuses_every_restart() {
        assert_eq!(Restarts::up_to(0).next(Instant::now(), STABLE), None);
    }
}
