//! Times, and the span of them that counts.

use std::str::FromStr;

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// A time, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UtcTime(OffsetDateTime);

/// From `since`, up to and without `until`. Either may be open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The first time in it.
    pub since: Option<UtcTime>,
    /// The first time behind it.
    pub until: Option<UtcTime>,
}

impl UtcTime {
    /// A time of RFC 3339 with any offset.
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

/// A time, or a date for its first moment in UTC.
impl FromStr for UtcTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
            .or_else(|| Self::parse(&format!("{text}T00:00:00Z")))
            .ok_or_else(|| {
                format!("expected a date (2026-11-22) or a time (2026-11-22T09:30:00Z), but found '{text}'")
            })
    }
}

impl Window {
    /// Whether `time` is in it.
    pub fn contains(&self, time: UtcTime) -> bool {
        self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time < until)
    }
}
