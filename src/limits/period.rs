//! How long a budget lasts: LiteLLM's `budget_duration`.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::{Date, Month, OffsetDateTime, Time};

use crate::time::UnixTime;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;
/// The first Monday after 1970-01-01, a Thursday.
const MONDAY: u64 = 4 * DAY;
/// The longest period, in days or months. Longer ones are not periods but mistakes.
const NUMBER_MAX: u64 = 1_000_000;

/// A period after which a budget begins anew, always in UTC.
///
/// Seconds, minutes, hours and days count from 1970. As in LiteLLM, `7d` begins on Mondays, and
/// `30d` is a calendar month, like `1mo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period {
    number: u64,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Seconds,
    Minutes,
    Hours,
    Days,
    Weeks,
    Months,
}

/// A text is not a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidPeriod;

impl fmt::Display for InvalidPeriod {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("expected a whole number with a unit (s, m, h, d, w or mo), such as 30d")
    }
}

impl std::error::Error for InvalidPeriod {}

/// The time that one budget is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetWindow {
    /// Its first second since 1970.
    pub start: u64,
    /// The first second after it; `None` if it never ends.
    pub end: Option<u64>,
}

impl BudgetWindow {
    /// A window without an end.
    pub const FOREVER: Self = Self { start: 0, end: None };
}

impl Unit {
    const ALL: [Self; 6] = [
        Self::Months,
        Self::Seconds,
        Self::Minutes,
        Self::Hours,
        Self::Days,
        Self::Weeks,
    ];

    const fn suffix(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Minutes => "m",
            Self::Hours => "h",
            Self::Days => "d",
            Self::Weeks => "w",
            Self::Months => "mo",
        }
    }
}

impl Period {
    /// Parses a period such as `30d`.
    ///
    /// # Errors
    /// [`InvalidPeriod`]
    pub fn parse(text: &str) -> Result<Self, InvalidPeriod> {
        let parsed = Unit::ALL.into_iter().find_map(|unit| {
            let digits = text.strip_suffix(unit.suffix())?;
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let number = digits.parse().ok().filter(|_| is_number)?;
            (1..=NUMBER_MAX)
                .contains(&number)
                .then_some(Self { number, unit })
        });
        parsed.ok_or(InvalidPeriod)
    }

    /// The window that `now` is in.
    pub fn window(self, now: UnixTime) -> BudgetWindow {
        let now = now.seconds();
        let (length, first) = match (self.unit, self.number) {
            (Unit::Months, months) => return months_around(now, months),
            (Unit::Days, 30) => return months_around(now, 1),
            (Unit::Days, 7) | (Unit::Weeks, 1) => (WEEK, MONDAY),
            (Unit::Seconds, number) => (number, 0),
            (Unit::Minutes, number) => (number.saturating_mul(MINUTE), 0),
            (Unit::Hours, number) => (number.saturating_mul(HOUR), 0),
            (Unit::Days, number) => (number.saturating_mul(DAY), 0),
            (Unit::Weeks, number) => (number.saturating_mul(WEEK), MONDAY),
        };
        let passed = now.saturating_sub(first).checked_rem(length).unwrap_or(0);
        let start = now.saturating_sub(passed);
        BudgetWindow {
            start,
            end: Some(start.saturating_add(length)),
        }
    }
}

/// The window of a budget that `now` is in: the first one ends at `reset_at`, if that is set, and the
/// others as `period` says.
pub fn window_of(period: Option<Period>, reset_at: Option<u64>, now: UnixTime) -> BudgetWindow {
    let regular = period.map_or(BudgetWindow::FOREVER, |period| period.window(now));
    match reset_at {
        Some(first) if now.seconds() < first => BudgetWindow {
            start: 0,
            end: Some(first),
        },
        Some(first) => BudgetWindow {
            start: regular.start.max(first),
            end: regular.end,
        },
        None => regular,
    }
}

/// The window of this many calendar months. They count from January of year 0, so `12mo` is a
/// calendar year.
fn months_around(now: u64, months: u64) -> BudgetWindow {
    let utc = i64::try_from(now)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let Some(utc) = utc else {
        return BudgetWindow::FOREVER;
    };
    let month = u64::from(utc.year().unsigned_abs())
        .saturating_mul(12)
        .saturating_add(u64::from(u8::from(utc.month())).saturating_sub(1));
    let first = month.saturating_sub(month.checked_rem(months).unwrap_or(0));
    BudgetWindow {
        start: first_second(first).unwrap_or(0),
        end: first_second(first.saturating_add(months)),
    }
}

/// The first second of a month that is counted from January of year 0. `None` after the year 9999.
fn first_second(month: u64) -> Option<u64> {
    let year = i32::try_from(month / 12).ok()?;
    let number = u8::try_from(month % 12).ok()?.saturating_add(1);
    let date = Date::from_calendar_date(year, Month::try_from(number).ok()?, 1).ok()?;
    u64::try_from(date.with_time(Time::MIDNIGHT).assume_utc().unix_timestamp()).ok()
}

impl TryFrom<String> for Period {
    type Error = InvalidPeriod;

    fn try_from(text: String) -> Result<Self, InvalidPeriod> {
        Self::parse(&text)
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{}", self.number, self.unit.suffix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixTime {
        UnixTime::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn windows_begin_at_the_times_that_people_expect() {
        // A Thursday.
        let now = at("2026-11-26T14:19:34.500Z");
        for (period, start, end) in [
            ("30s", "2026-11-26T14:19:30Z", "2026-11-26T14:20:00Z"),
            ("1m", "2026-11-26T14:19:00Z", "2026-11-26T14:20:00Z"),
            ("6h", "2026-11-26T12:00:00Z", "2026-11-26T18:00:00Z"),
            ("24h", "2026-11-26T00:00:00Z", "2026-11-27T00:00:00Z"),
            ("1d", "2026-11-26T00:00:00Z", "2026-11-27T00:00:00Z"),
            ("7d", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"),
            ("1w", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"),
            ("30d", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
            ("1mo", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
            ("3mo", "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("12mo", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ] {
            let expected = BudgetWindow {
                start: at(start).seconds(),
                end: Some(at(end).seconds()),
            };
            assert_eq!(Period::parse(period).unwrap().window(now), expected, "{period}");
        }
    }

    #[test]
    fn windows_follow_each_other_without_a_gap() {
        for period in ["17s", "90m", "5h", "1d", "2d", "7d", "2w", "30d", "5mo"] {
            let parsed = Period::parse(period).unwrap();
            assert_eq!(parsed.to_string(), period);
            let mut window = parsed.window(at("2027-12-31T23:59:59Z"));
            for _ in 0..50 {
                let end = window.end.unwrap();
                assert!(end > window.start);
                let next = parsed.window(UnixTime::from_seconds(end));
                assert_eq!(next.start, end, "{period}");
                assert_eq!(parsed.window(UnixTime::from_seconds(end - 1)), window);
                window = next;
            }
        }
    }

    #[test]
    fn what_is_not_a_period_is_an_error() {
        for text in [
            "", "d", "0d", "-1d", "1.5h", "10", "1y", "+1d", "1 d", "1000001s", "mo", "é",
        ] {
            assert_eq!(Period::parse(text), Err(InvalidPeriod), "{text}");
        }
    }

    #[test]
    fn the_first_window_ends_when_the_database_said() {
        let period = Some(Period::parse("1h").unwrap());
        let window = |now| window_of(period, Some(10_000), UnixTime::from_seconds(now));
        let first = BudgetWindow {
            start: 0,
            end: Some(10_000),
        };
        assert_eq!(window(9_999), first);
        let second = BudgetWindow {
            start: 10_000,
            end: Some(10_800),
        };
        assert_eq!(window(10_000), second);
        assert_eq!(window(10_799), second);
        assert_eq!(window(10_800).start, 10_800);
    }
}
