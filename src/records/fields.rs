//! Writes the members of a JSON object.
//!
//! This avoids `std::fmt` and serde_json, because each request writes about thirty members and
//! formatting them was the largest part of accounting (`make bench`).

use crate::encoding::decimal::{push_decimal, push_thousandths};
use crate::json::plain_length;
use crate::pricing::PicoUsd;

/// Enough for a typical row, so that the string does not reallocate.
const CAPACITY_BYTES: usize = 1536;

/// Members, each followed by a comma.
#[derive(Debug)]
pub(super) struct JsonFields(String);

impl JsonFields {
    /// Starts with `room` reserved bytes.
    pub(super) fn reserving(room: usize) -> Self {
        let mut text = String::with_capacity(CAPACITY_BYTES);
        text.extend(std::iter::repeat_n(' ', room));
        Self(text)
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }

    pub(super) fn text(&mut self, name: &str, value: Option<&str>) {
        self.member(name, value, quote);
    }

    pub(super) fn texts(&mut self, name: &str, values: &[String]) {
        self.member(name, Some(values), |text, values| {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                quote(text, value);
            }
            text.push(']');
        });
    }

    pub(super) fn number(&mut self, name: &str, value: Option<u64>) {
        self.member(name, value, push_decimal);
    }

    pub(super) fn thousandths(&mut self, name: &str, value: Option<u64>) {
        self.member(name, value, push_thousandths);
    }

    /// An exact decimal, which no float could represent.
    pub(super) fn amount(&mut self, name: &str, value: Option<PicoUsd>) {
        self.member(name, value, |text, value| value.push_to(text));
    }

    pub(super) fn flag(&mut self, name: &str, value: bool) {
        self.member(name, Some(value), |text, value| {
            text.push_str(if value { "true" } else { "false" })
        });
    }

    pub(super) fn json(&mut self, name: &str, value: Option<&serde_json::Value>) {
        self.member(name, value, |text, value| text.push_str(&value.to_string()));
    }

    fn member<T>(&mut self, name: &str, value: Option<T>, write: impl FnOnce(&mut String, T)) {
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
        match value {
            Some(value) => write(&mut self.0, value),
            None => self.0.push_str("null"),
        }
        self.0.push(',');
    }
}

pub(super) fn quote(text: &mut String, value: &str) {
    if plain_length(value.as_bytes()) == value.len() {
        text.push('"');
        text.push_str(value);
        text.push('"');
    } else {
        text.push_str(&serde_json::Value::from(value).to_string());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_kind_of_member_is_valid_json() {
        let mut fields = JsonFields::reserving(0);
        fields.text("plain", Some("a b"));
        fields.text("hostile", Some("\"}\\,\n\u{7f}\u{0}é\u{2028}"));
        fields.text("none", None);
        fields.texts("list", &["a".into(), "\"".into()]);
        fields.texts("empty", &[]);
        fields.number("zero", Some(0));
        fields.number("most", Some(u64::MAX));
        fields.thousandths("thousandths", Some(1_500));
        fields.amount("amount", Some(PicoUsd::new(1_500_000_000_000)));
        fields.flag("flag", true);
        fields.json("json", Some(&json!({ "a": [1, "\n"] })));
        let text = fields.into_text();
        let value: Value = serde_json::from_str(&format!("{{{}}}", text.trim_end_matches(','))).unwrap();
        let expected = json!({
            "plain": "a b", "hostile": "\"}\\,\n\u{7f}\u{0}é\u{2028}", "none": null, "list": ["a", "\""], "empty": [],
            "zero": 0, "most": u64::MAX, "thousandths": 1.5, "amount": 1.5, "flag": true, "json": { "a": [1, "\n"] },
        });
        assert_eq!(value, expected);
        assert!(
            text.is_ascii() || !text.contains('\n'),
            "a row must be a single line"
        );
    }
}
