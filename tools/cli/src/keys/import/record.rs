//! Reads the fields of one row.

use std::collections::BTreeMap;

use envoy_bedrock::limits::period::Period;
use envoy_bedrock::pricing::PicoUsd;
use envoy_bedrock::time::UnixTime;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::columns::{TableColumns, Use};
use super::losses::Loss;
use super::rows::LiteLlmRow;
use crate::document::reader::is_plain_text;

const UNREADABLE: &str = "the value cannot be used here";

/// The fields of a row that were not read yet, and what has no equal here.
pub(super) struct Record {
    fields: LiteLlmRow,
    pub(super) losses: Vec<Loss>,
}

impl Record {
    /// Records the fields that are not taken, by the table's columns.
    pub(super) fn new(row: LiteLlmRow, table: &TableColumns) -> Self {
        let filled = row.into_iter().filter(|(_, value)| !is_empty(value));
        let (mut fields, mut losses) = (LiteLlmRow::new(), Vec::new());
        for (name, value) in filled {
            match table.column(&name).1 {
                Use::Taken => drop(fields.insert(name, value)),
                Use::Dropped => {}
                Use::Left(meaning) => losses.push(Loss::left(name, meaning)),
                Use::Protects(meaning) => losses.push(Loss::protecting(name, meaning)),
            }
        }
        Self { fields, losses }
    }

    /// Fields of an object in a row.
    pub(super) fn of(fields: Map<String, Value>) -> Self {
        let filled = fields.into_iter().filter(|(_, value)| !is_empty(value));
        Self {
            fields: filled.collect(),
            losses: Vec::new(),
        }
    }

    /// The fields that were not read.
    pub(super) fn rest(&mut self) -> &mut Map<String, Value> {
        &mut self.fields
    }

    /// A text that the gateway reads literally.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.converted(name, |value| plain(value.as_str()?))
    }

    pub(super) fn flag(&mut self, name: &str) -> bool {
        self.converted(name, Value::as_bool).unwrap_or(false)
    }

    /// A whole number that is not negative.
    pub(super) fn whole(&mut self, name: &str) -> Option<u64> {
        self.converted(name, whole)
    }

    /// An amount in USD that is not negative.
    pub(super) fn amount(&mut self, name: &str) -> Option<f64> {
        self.converted(name, |value| {
            let amount = value.as_f64()?;
            PicoUsd::parse(&amount.to_string()).ok().map(|_| amount)
        })
    }

    pub(super) fn period(&mut self, name: &str) -> Option<Period> {
        self.converted(name, |value| Period::parse(value.as_str()?).ok())
    }

    /// A time; without a time zone it is in UTC.
    pub(super) fn time(&mut self, name: &str) -> Option<UnixTime> {
        self.converted(name, |value| time(value.as_str()?))
    }

    /// Texts that the gateway reads literally.
    pub(super) fn texts(&mut self, name: &str) -> Vec<String> {
        let texts = self.converted(name, |value| {
            let elements = value.as_array()?.iter();
            elements.map(|element| plain(element.as_str()?)).collect()
        });
        texts.unwrap_or_default()
    }

    pub(super) fn object(&mut self, name: &str) -> Option<Map<String, Value>> {
        self.converted(name, |value| value.as_object().cloned())
    }

    /// Names with texts.
    pub(super) fn names(&mut self, name: &str) -> BTreeMap<String, String> {
        let names = self.converted(name, |value| {
            let entries = value.as_object()?.iter();
            entries
                .map(|(name, value)| Some((plain(name)?, plain(value.as_str()?)?)))
                .collect()
        });
        names.unwrap_or_default()
    }

    /// Names with whole numbers that are not negative.
    pub(super) fn limits(&mut self, name: &str) -> BTreeMap<String, u64> {
        let limits = self.converted(name, |value| {
            let entries = value.as_object()?.iter().filter(|(_, value)| !value.is_null());
            entries
                .map(|(name, value)| Some((plain(name)?, whole(value)?)))
                .collect()
        });
        limits.unwrap_or_default()
    }

    /// A value that cannot be converted could be a limit, so it counts as one that protects.
    fn converted<T>(&mut self, name: &str, convert: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        let value = self.fields.remove(name)?;
        let converted = convert(&value);
        if converted.is_none() {
            self.losses.push(Loss::protecting(name, UNREADABLE));
        }
        converted
    }
}

/// Whether nothing is set.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

/// References and placeholders are for the operator's configuration, not for LiteLLM's users.
fn plain(text: &str) -> Option<String> {
    is_plain_text(text).then(|| text.to_owned())
}

fn whole(value: &Value) -> Option<u64> {
    let float = || {
        let float = value.as_f64().filter(|float| float.fract() == 0.0)?;
        format!("{float}").parse().ok()
    };
    value.as_u64().or_else(float)
}

/// A time; without a time zone it is in UTC.
pub(super) fn time(text: &str) -> Option<UnixTime> {
    let mut text = text.trim().replacen(' ', "T", 1);
    let clock = text.split_once('T').map_or("", |(_, clock)| clock);
    match clock.rfind(['+', '-', 'Z']) {
        None => text.push('Z'),
        // PostgreSQL leaves the minutes of a zone out if they are zero.
        Some(zone) if clock.len() - zone == "+00".len() => text.push_str(":00"),
        Some(_) => {}
    }
    let time = OffsetDateTime::parse(&text, &Rfc3339).ok()?;
    u64::try_from(time.unix_timestamp())
        .ok()
        .map(UnixTime::from_seconds)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::columns::KEYS;
    use super::*;

    fn record(row: Value) -> Record {
        Record::new(row.as_object().unwrap().clone(), &KEYS)
    }

    #[test]
    fn a_time_without_a_zone_is_in_utc() {
        let expected = Some(UnixTime::from_seconds(1_795_256_331));
        for text in [
            "2026-11-21 10:18:51",
            "2026-11-21 10:18:51.298",
            "2026-11-21T10:18:51.298",
            "2026-11-21T10:18:51.298Z",
            "2026-11-21 10:18:51.298+00",
            "2026-11-21 12:18:51+02:00",
            "2026-11-21 05:18:51.298-05",
        ] {
            assert_eq!(time(text), expected, "{text}");
        }
        for text in [
            "",
            "infinity",
            "2026-11-21",
            "21/11/2026 10:18:51",
            "1969-01-01 00:00:00",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn a_value_that_cannot_be_used_is_a_protection_that_is_lost() {
        let mut record = record(json!({
            "tpm_limit": -1, "rpm_limit": 1.5, "max_budget": "much", "expires": "infinity", "models": "a",
            "key_alias": "os.environ/SECRET", "budget_duration": "1y", "aliases": {"a": 1}, "blocked": "yes",
        }));
        assert_eq!(
            (record.whole("tpm_limit"), record.whole("rpm_limit")),
            (None, None)
        );
        assert_eq!(
            (record.amount("max_budget"), record.time("expires")),
            (None, None)
        );
        assert_eq!((record.texts("models"), record.text("key_alias")), (vec![], None));
        assert_eq!(record.period("budget_duration"), None);
        assert!(record.names("aliases").is_empty() && !record.flag("blocked"));
        assert_eq!(record.losses.len(), 9);
        assert!(record.losses.iter().all(|loss| loss.protects));
    }

    #[test]
    fn only_columns_with_a_value_are_lost() {
        let empty = json!({
            "tpd_limit": null, "policies": [], "model_max_budget": {}, "auto_rotate": false, "user_id": "",
            "new_column": {}, "created_by": "admin", "rotation_count": 3,
        });
        assert_eq!(record(empty).losses, []);
        let filled = json!({"tpd_limit": 0, "user_id": "u", "new_column": 1});
        let mut losses = record(filled).losses;
        losses.sort_by(|a, b| a.setting.cmp(&b.setting));
        let losses: Vec<_> = losses
            .iter()
            .map(|loss| (loss.setting.as_str(), loss.protects))
            .collect();
        assert_eq!(
            losses,
            [("new_column", true), ("tpd_limit", true), ("user_id", false)]
        );
    }
}
