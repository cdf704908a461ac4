//! Points in time, and their formats in AWS's protocols and in the spend log.
//!
//! The core has no clock: functions that depend on the time take a [`UnixTime`].

use std::cell::OnceCell;
use std::fmt;

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;
/// How far the clocks of two workers may differ, because they are read at different moments.
pub(crate) const SKEW_MILLISECONDS: u64 = 1000;

/// Nanoseconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// The year always has four digits: the largest value is in July 2554.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// From the value of Envoy's clock.
    pub const fn from_nanoseconds(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// From whole seconds since the epoch.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(NANOSECONDS_PER_SECOND))
    }

    /// Nanoseconds since the epoch.
    pub const fn nanoseconds(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch.
    pub const fn seconds(self) -> u64 {
        self.0 / NANOSECONDS_PER_SECOND
    }

    /// Whole milliseconds since `earlier`, or 0 if that is later.
    pub const fn milliseconds_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0) / 1_000_000
    }

    /// Nanoseconds since `earlier`, or 0 if that is later.
    pub const fn nanoseconds_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This time plus this many milliseconds.
    #[must_use]
    pub const fn after_milliseconds(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds.saturating_mul(1_000_000)))
    }

    /// Whether this time is between two times that any worker has written. A start in the future is
    /// from before the clock was set back, so the answer is no.
    pub(crate) fn is_between(self, start: Self, end: Self) -> bool {
        start.milliseconds_since(self) <= SKEW_MILLISECONDS && self < end
    }

    /// Parses a time in the format of RFC 3339, in UTC. A fraction of a second is cut off. Returns
    /// `None` if it is malformed, or before 1970.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
        let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
        let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
        if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
        let day = u8::try_from(day).ok()?;
        let date = Date::from_calendar_date(i32::from(year), month, day).ok()?;
        let [hour, minute, second] = [hour, minute, second].map(|part| u8::try_from(part).unwrap_or(u8::MAX));
        let clock = Time::from_hms(hour, minute, second).ok()?;
        let seconds = PrimitiveDateTime::new(date, clock).assume_utc().unix_timestamp();
        u64::try_from(seconds).ok().map(Self::from_seconds)
    }

    /// Formats the time according to RFC 3339, in UTC with milliseconds.
    pub fn rfc3339(self) -> Rfc3339 {
        let AmzDate([y1, y2, y3, y4, m1, m2, d1, d2, _, h1, h2, n1, n2, s1, s2, _]) = self.amz_date();
        let milliseconds = u32::try_from(self.0 / 1_000_000 % 1000).unwrap_or_default();
        let ([_, f1], [f2, f3]) = (two_digits(milliseconds / 100), two_digits(milliseconds));
        Rfc3339([
            y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2, b'.', f1,
            f2, f3, b'Z',
        ])
    }

    /// Parses a time in the format of Signature Version 4. Returns `None` if it is malformed, or
    /// before 1970.
    pub fn parse_amz_date(text: &str) -> Option<Self> {
        let digits = text.bytes().enumerate().all(|(index, byte)| match index {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
        if !digits || text.len() != 16 {
            return None;
        }
        let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default();
        let (date, clock) = (
            [part(0..4), part(4..6), part(6..8)],
            [part(9..11), part(11..13), part(13..15)],
        );
        Self::parse_rfc3339(&format!("{}T{}Z", date.join("-"), clock.join(":")))
    }

    /// Formats the time for Signature Version 4.
    pub fn amz_date(self) -> AmzDate {
        AmzDate::of(self)
    }
}

/// A time in UTC in ISO 8601's basic format: `20261122T141934Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AmzDate([u8; 16]);

impl AmzDate {
    fn of(time: UnixTime) -> Self {
        // Neither fallback is reachable, and AWS would refuse a date in 1970.
        let utc = i64::try_from(time.seconds())
            .ok()
            .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let year = utc.year().unsigned_abs();
        let [y1, y2] = two_digits(year / 100);
        let [y3, y4] = two_digits(year);
        let [m1, m2] = two_digits(u32::from(u8::from(utc.month())));
        let [d1, d2] = two_digits(u32::from(utc.day()));
        let [h1, h2] = two_digits(u32::from(utc.hour()));
        let [n1, n2] = two_digits(u32::from(utc.minute()));
        let [s1, s2] = two_digits(u32::from(utc.second()));
        Self([y1, y2, y3, y4, m1, m2, d1, d2, b'T', h1, h2, n1, n2, s1, s2, b'Z'])
    }

    /// The 16 characters, as sent in `x-amz-date`.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The 16 characters as a string.
    pub fn as_str(&self) -> &str {
        ascii(&self.0)
    }

    /// The day, which starts a credential scope.
    pub fn day(&self) -> Day {
        let [y1, y2, y3, y4, m1, m2, d1, d2, ..] = self.0;
        Day([y1, y2, y3, y4, m1, m2, d1, d2])
    }
}

impl fmt::Debug for AmzDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A time in UTC in the format of RFC 3339: `2026-11-22T14:19:34.000Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rfc3339([u8; 24]);

impl Rfc3339 {
    /// The formatted time.
    pub fn as_str(&self) -> &str {
        ascii(&self.0)
    }
}

impl fmt::Debug for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A day in UTC: `20261122`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day([u8; 8]);

impl Day {
    /// The 8 digits as a string.
    pub fn as_str(&self) -> &str {
        ascii(&self.0)
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The last two decimal digits of `number`.
fn two_digits(number: u32) -> [u8; 2] {
    [number / 10, number].map(|n| char::from_digit(n % 10, 10).map_or(b'0', |digit| digit as u8))
}

/// Three numbers with exactly these many digits, with separators between them.
fn numbers(text: &str, separator: char, digits: [usize; 3]) -> Option<[u16; 3]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; 3];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits)?;
        *number = part
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(numbers)
}

/// Converts `bytes`, which are ASCII by construction.
fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// A clock that reads `clock` when it is first asked, and tells that time from then on: within a
/// callback, time stands still.
pub fn read_once(clock: impl Fn() -> UnixTime) -> impl Fn() -> UnixTime {
    let time = OnceCell::new();
    move || *time.get_or_init(&clock)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn amz_date(seconds: u64) -> AmzDate {
        UnixTime::from_nanoseconds(seconds.saturating_mul(NANOSECONDS_PER_SECOND)).amz_date()
    }

    #[test]
    fn known_times_are_formatted() {
        for (seconds, expected) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_440_938_160, "20150830T123600Z"),
            (1_795_357_174, "20261122T141934Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(amz_date(seconds).as_str(), expected);
            assert_eq!(amz_date(seconds).day().as_str(), &expected[..8]);
        }
    }

    #[test]
    fn the_last_nanosecond_of_a_day_belongs_to_it() {
        let midnight = 1_795_305_600 * NANOSECONDS_PER_SECOND;
        assert_eq!(
            UnixTime::from_nanoseconds(midnight - 1).amz_date().as_str(),
            "20261121T235959Z"
        );
        assert_eq!(
            UnixTime::from_nanoseconds(midnight).amz_date().as_str(),
            "20261122T000000Z"
        );
    }

    #[test]
    fn times_of_rfc3339_are_read_and_anything_else_is_not() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-22T14:19:34Z", 1_795_357_174),
            ("2026-11-22T14:19:34.999Z", 1_795_357_174),
            ("2000-02-29T00:00:00.0Z", 951_782_400),
        ] {
            let expected = Some(UnixTime::from_seconds(seconds));
            assert_eq!(UnixTime::parse_rfc3339(text), expected, "{text}");
        }
        for text in [
            "",
            "Z",
            "2026-11-22T14:19:34",
            "2026-11-22T14:19:34+00:00",
            "2026-11-22T14:19:34.Z",
            "2026-11-22T14:19Z",
            "2026-11-22T14:19:34:00Z",
            "2026-1-22T14:19:34Z",
            "+026-11-22T14:19:34Z",
            "2026-13-22T14:19:34Z",
            "2025-02-29T00:00:00Z",
            "2026-11-22T24:00:00Z",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(UnixTime::parse_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn only_dates_in_the_format_of_signatures_are_read() {
        for seconds in [0, 951_782_400, 1_795_357_174, 4_107_542_400] {
            let time = UnixTime::from_seconds(seconds);
            assert_eq!(UnixTime::parse_amz_date(time.amz_date().as_str()), Some(time));
        }
        for text in [
            "",
            "20261122T141934",
            "20261122T141934ZZ",
            "20261122t141934Z",
            "20261122T14193aZ",
            "20261322T141934Z",
            "20261122T146034Z",
            "19691122T141934Z",
            "2026-11-22T14:19:34Z",
            "+0261122T141934Z",
            "2026112\u{e9}T14193Z",
        ] {
            assert_eq!(UnixTime::parse_amz_date(text), None, "{text}");
        }
    }

    #[test]
    fn the_largest_time_is_formatted() {
        assert_eq!(
            UnixTime::from_nanoseconds(u64::MAX).amz_date().as_str(),
            "25540721T233433Z"
        );
    }

    proptest! {
        #[test]
        fn dates_are_well_formed_and_preserve_order(a: u64, b: u64) {
            let (a, b) = (UnixTime::from_nanoseconds(a.min(b)), UnixTime::from_nanoseconds(a.max(b)));
            prop_assert!(a.amz_date() <= b.amz_date());
            let date = a.amz_date();
            let digits = date.as_str().bytes().filter(u8::is_ascii_digit).count();
            prop_assert_eq!((digits, &date.as_str()[8..9], &date.as_str()[15..]), (14, "T", "Z"));
        }
    }
}
