//! When a credential is renewed.
//!
//! As in the AWS SDKs, renewal begins a quarter of an hour before the expiry, spread by chance, and
//! becomes urgent ten minutes before. For credentials that live shorter, both are parts of the life.

use std::time::Duration;

/// From when on a renewal is tried before the expiry.
const ADVISORY: Duration = Duration::from_secs(15 * 60);
/// From when on it is tried often.
const MANDATORY: Duration = Duration::from_secs(10 * 60);
/// Pause after the first failure; it doubles with each.
const RETRY_MIN: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// Longest pause while a renewal is urgent or there is no credential.
const RETRY_URGENT_MAX: Duration = Duration::from_secs(5);
/// How often credentials without an expiry are read again: a file or variable may have changed.
const WITHOUT_EXPIRY: Duration = Duration::from_secs(10 * 60);

/// How long to wait until the renewal of a credential that was just obtained and lives for `life`.
/// `chance` is from 0 to 1.
pub(super) fn renewal(life: Option<Duration>, chance: f64) -> Duration {
    let Some(life) = life else {
        return WITHOUT_EXPIRY;
    };
    let advisory = ADVISORY.min(life / 2);
    // Spread over the first fifth of the window, so that many gateways do not ask at once.
    let spread = (advisory / 5).mul_f64(chance.clamp(0.0, 1.0));
    (life.saturating_sub(advisory) + spread).max(RETRY_MIN)
}

/// How long to wait after the `failures`-th failure in a row. `left` is what is left of the
/// credential that is still in use, `life` its whole life.
pub(super) fn retry(failures: u32, left: Option<Duration>, life: Option<Duration>, chance: f64) -> Duration {
    let doubled = RETRY_MIN.saturating_mul(1 << failures.saturating_sub(1).min(10));
    let mandatory = life.map_or(MANDATORY, |life| MANDATORY.min(life / 3));
    let is_urgent = left.is_none_or(|left| left < mandatory);
    let longest = if is_urgent { RETRY_URGENT_MAX } else { RETRY_MAX };
    doubled.min(longest).mul_f64(0.75 + chance.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn renewal_begins_a_quarter_of_an_hour_before_the_expiry() {
        assert_eq!(renewal(Some(HOUR), 0.0), Duration::from_secs(45 * 60));
        assert_eq!(renewal(Some(HOUR), 1.0), Duration::from_secs(48 * 60));
    }

    #[test]
    fn a_short_life_is_renewed_after_about_its_half() {
        let life = Duration::from_secs(5);
        assert_eq!(renewal(Some(life), 0.0), Duration::from_millis(2500));
        assert_eq!(renewal(Some(life), 1.0), Duration::from_secs(3));
        assert_eq!(renewal(Some(Duration::ZERO), 0.0), RETRY_MIN);
        assert_eq!(renewal(None, 0.5), WITHOUT_EXPIRY);
    }

    #[test]
    fn retries_are_slower_each_time_and_often_when_it_is_urgent() {
        let calm = |failures| retry(failures, Some(ADVISORY), Some(HOUR), 0.5);
        assert_eq!([calm(1), calm(2), calm(3)], [1, 2, 4].map(|n| RETRY_MIN * n));
        assert_eq!(calm(50), RETRY_MAX);
        let urgent = retry(50, Some(Duration::from_secs(599)), Some(HOUR), 0.5);
        assert_eq!(urgent, RETRY_URGENT_MAX);
        assert_eq!(retry(50, None, None, 0.5), RETRY_URGENT_MAX);
    }
}
