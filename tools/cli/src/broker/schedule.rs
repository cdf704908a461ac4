//! When a credential is renewed.
//!
//! As in the AWS SDKs, renewal begins a quarter of an hour before the expiry, at a random moment,
//! and becomes urgent ten minutes before. For credentials that live shorter, both are parts of the
//! life.

use std::time::Duration;

/// From when on a renewal is tried before the expiry.
const ADVISORY: Duration = Duration::from_secs(15 * 60);
/// From when on failures are followed by frequent attempts.
const MANDATORY: Duration = Duration::from_secs(10 * 60);
/// Pause after the first failure; it doubles with each.
const RETRY_MIN: Duration = Duration::from_millis(500);
/// Longest pause after a failure, or while the source has no newer credential: instance roles may
/// have one only five minutes before the expiry.
const RETRY_MAX: Duration = Duration::from_secs(60);
/// Longest pause while a renewal is urgent or there is no credential.
const RETRY_URGENT_MAX: Duration = Duration::from_secs(5);
/// How often credentials without an expiry are read again: a file or variable may have changed.
const WITHOUT_EXPIRY: Duration = Duration::from_secs(10 * 60);

/// The attempts to get one credential.
#[derive(Default)]
pub(super) struct Renewals {
    /// The life of the newest credential when it was obtained.
    life: Option<Duration>,
    /// How many attempts have failed in a row.
    failures: u32,
}

impl Renewals {
    /// How long to wait after an attempt that returned a credential with this much life `left`;
    /// `None` if it never expires. With `is_same`, the source has no newer one. `chance` is from 0
    /// to 1.
    pub(super) fn succeeded(&mut self, left: Option<Duration>, is_same: bool, chance: f64) -> Duration {
        self.failures = 0;
        let pause = renewal(left, chance);
        if is_same && left.is_some() {
            return pause.min(RETRY_MAX);
        }
        self.life = left;
        pause
    }

    /// How long to wait after an attempt that failed. `left` is the remaining life of the
    /// credential that is still in use.
    pub(super) fn failed(&mut self, left: Option<Duration>, chance: f64) -> Duration {
        let doubled = RETRY_MIN.saturating_mul(1 << self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        let mandatory = self.life.map_or(MANDATORY, |life| MANDATORY.min(life / 3));
        let is_urgent = left.is_none_or(|left| left < mandatory);
        let longest = if is_urgent { RETRY_URGENT_MAX } else { RETRY_MAX };
        doubled.min(longest).mul_f64(0.75 + chance.clamp(0.0, 1.0) / 2.0)
    }
}

/// How long to wait until the renewal of a credential that was just obtained and lives for `life`.
fn renewal(life: Option<Duration>, chance: f64) -> Duration {
    let Some(life) = life else {
        return WITHOUT_EXPIRY;
    };
    let advisory = ADVISORY.min(life / 2);
    // Spread over the first fifth of the window, so that many gateways do not ask at once.
    let spread = (advisory / 5).mul_f64(chance.clamp(0.0, 1.0));
    (life.saturating_sub(advisory) + spread).max(RETRY_MIN)
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
    fn retries_are_slower_each_time() {
        let mut renewals = Renewals::default();
        renewals.succeeded(Some(HOUR), false, 0.0);
        let mut pause = || renewals.failed(Some(ADVISORY), 0.5);
        assert_eq!([pause(), pause(), pause()], [1, 2, 4].map(|n| RETRY_MIN * n));
        let last = (0..50).map(|_| pause()).last();
        assert_eq!(last, Some(RETRY_MAX));
    }

    #[test]
    fn retries_stay_frequent_when_it_is_urgent_and_after_the_expiry() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (life, left, expected) in [
            (Some(HOUR), seconds(600), RETRY_MAX),
            (Some(HOUR), seconds(599), RETRY_URGENT_MAX),
            (Some(HOUR), seconds(0), RETRY_URGENT_MAX),
            (seconds(900), seconds(300), RETRY_MAX),
            (seconds(900), seconds(299), RETRY_URGENT_MAX),
        ] {
            let mut renewals = Renewals::default();
            renewals.succeeded(life, false, 0.0);
            let last = (0..50).map(|_| renewals.failed(left, 0.5)).last();
            assert_eq!(last, Some(expected), "{life:?} {left:?}");
        }
        let mut none_yet = Renewals::default();
        let last = (0..50).map(|_| none_yet.failed(None, 0.5)).last();
        assert_eq!(last, Some(RETRY_URGENT_MAX));
    }

    #[test]
    fn a_source_that_has_no_newer_credential_is_asked_each_minute() {
        let mut renewals = Renewals::default();
        assert_eq!(
            renewals.succeeded(Some(HOUR), false, 0.0),
            Duration::from_secs(45 * 60)
        );
        assert_eq!(renewals.succeeded(Some(ADVISORY), true, 0.0), RETRY_MAX);
        let short = Duration::from_secs(4);
        assert_eq!(renewals.succeeded(Some(short), true, 0.0), short / 2);
        assert_eq!(renewals.succeeded(None, true, 0.0), WITHOUT_EXPIRY);
        let urgent = (0..50).map(|_| renewals.failed(Some(MANDATORY / 2), 0.5)).last();
        assert_eq!(urgent, Some(RETRY_URGENT_MAX), "its life is still an hour");
    }
}
