//! The span of time whose requests count.

use std::str::FromStr;

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::error::TimeError;

/// A time, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UtcTime(OffsetDateTime);

/// From `since` up to but not including `until`. Either may be open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The first time in the window.
    pub since: Option<UtcTime>,
    /// The first time after the window.
    pub until: Option<UtcTime>,
}

impl UtcTime {
    /// Parses an RFC 3339 time with any offset.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        time.checked_to_offset(UtcOffset::UTC).map(Self)
    }

    /// Its day, `2026-11-22`.
    pub(super) fn day(self) -> String {
        let (year, month, day) = self.0.to_calendar_date();
        format!("{year:04}-{:02}-{day:02}", u8::from(month))
    }
}

/// A time, or a date, which means its first moment in UTC.
impl FromStr for UtcTime {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        Self::parse(text)
            .or_else(|| Self::parse(&format!("{text}T00:00:00Z")))
            .ok_or_else(|| TimeError(text.to_owned()))
    }
}

impl Window {
    /// Whether `time` is in the window.
    pub fn contains(&self, time: UtcTime) -> bool {
        self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time < until)
    }
}
