//! Numbers within bounds.

use super::report::Reader;
use crate::document::field::YamlField;
use crate::document::reader::Read;

/// The longest time limit: a week.
pub(crate) const TIME_LIMIT_MAX_SECONDS: f64 = 604_800.0;
/// The largest limit of requests at once. No Envoy handles that many.
pub(crate) const PARALLEL_REQUESTS_MAX: u64 = 1_000_000;
/// Most retries: clients give up long before the last.
pub(crate) const RETRIES_MAX: u64 = 10;
/// The largest number of retries that is not a slip.
const STATED_RETRIES_MAX: u64 = 1_000_000;

impl Reader<'_> {
    /// A whole number from `least` to `most`.
    pub(crate) fn whole_number(&mut self, field: &YamlField, least: u64, most: u64) -> Read<u64> {
        let number = self.number(field)?;
        if number.fract() == 0.0 && (least as f64..=most as f64).contains(&number) {
            return Ok(number as u64);
        }
        let expected = format!("a whole number from {least} to {most}");
        Err(self.unexpected(&field.location, expected, number.to_string()))
    }

    /// A number of seconds from `least` to `most`.
    pub(crate) fn seconds(&mut self, field: &YamlField, least: f64, most: f64) -> Read<f64> {
        let seconds = self.number(field)?;
        if (least..=most).contains(&seconds) {
            return Ok(seconds);
        }
        let expected = format!("a time from {least} to {most} seconds");
        Err(self.unexpected(&field.location, expected, seconds.to_string()))
    }

    /// The same in milliseconds.
    pub(crate) fn milliseconds(&mut self, field: &YamlField, least: f64, most: f64) -> Read<u64> {
        let seconds = self.seconds(field, least, most)?;
        Ok((seconds * 1000.0).round() as u64)
    }

    /// Retries. More than the most are cut to it.
    pub(crate) fn retries(&mut self, field: &YamlField) -> Read<u32> {
        let retries = self.whole_number(field, 0, STATED_RETRIES_MAX)?;
        if retries > RETRIES_MAX {
            self.note(&field.location, format!("only {RETRIES_MAX} retries are made"));
        }
        Ok(u32::try_from(retries.min(RETRIES_MAX)).unwrap_or(u32::MAX))
    }

    /// A time limit in milliseconds; `None` for 0, which LiteLLM takes for no limit.
    pub(crate) fn time_limit(&mut self, field: &YamlField) -> Read<Option<u64>> {
        let seconds = self.seconds(field, 0.0, TIME_LIMIT_MAX_SECONDS)?;
        if seconds == 0.0 {
            self.note(&field.location, "0 is no time limit, as in LiteLLM");
            return Ok(None);
        }
        Ok(Some(((seconds * 1000.0).round() as u64).max(1)))
    }
}
