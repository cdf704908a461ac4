//! The tables of this folder: see README.md. The filter's unit tests and tests/filter include this
//! file.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code, of which each includer uses a part"
)]

use serde_json::Value;

/// The key for `{wrong}`.
pub(crate) const WRONG_KEY: &str = "sk-guess-77aa";

/// A row: a request and what must come of it.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) method: Vec<u8>,
    pub(crate) path: Vec<u8>,
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) status: u32,
    pub(crate) reason: String,
    pub(crate) alias: String,
    pub(crate) upstream: String,
    pub(crate) is_guarded: bool,
}

/// A row of `headers.json`.
#[derive(Clone, Debug)]
pub(crate) struct ForwardedHeader {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) is_forwarded: bool,
}

pub(crate) fn keys(key: &str) -> Vec<Scenario> {
    scenarios(include_str!("keys.json"), key)
}

pub(crate) fn paths(key: &str) -> Vec<Scenario> {
    scenarios(include_str!("paths.json"), key)
}

pub(crate) fn methods(key: &str) -> Vec<Scenario> {
    scenarios(include_str!("methods.json"), key)
}

pub(crate) fn forwarded_headers() -> Vec<ForwardedHeader> {
    let read = |row: &Value| ForwardedHeader {
        name: text(row, "header"),
        value: text(row, "value"),
        is_forwarded: row["forwarded"].as_bool().unwrap(),
    };
    rows(include_str!("headers.json")).iter().map(read).collect()
}

fn rows(table: &str) -> Vec<Value> {
    serde_json::from_str(table).expect("a table of rows")
}

fn scenarios(table: &str, key: &str) -> Vec<Scenario> {
    rows(table).iter().map(|row| scenario(row, key)).collect()
}

fn scenario(row: &Value, key: &str) -> Scenario {
    let bytes_or = |field: &str, default: &str| bytes(row[field].as_str().unwrap_or(default));
    Scenario {
        name: row.to_string(),
        method: bytes_or("method", "POST"),
        path: bytes_or("path", "/model/one/converse"),
        headers: headers(row, key),
        status: row["status"]
            .as_u64()
            .and_then(|status| status.try_into().ok())
            .unwrap(),
        reason: text(row, "reason"),
        alias: text(row, "alias"),
        upstream: text(row, "upstream"),
        is_guarded: row["guarded"].as_bool().unwrap_or(true),
    }
}

/// The headers of a row. Names are in lower case, as from Envoy's codecs.
fn headers(row: &Value, key: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let Some(pairs) = row["headers"].as_array() else {
        return vec![(b"authorization".to_vec(), format!("Bearer {key}").into_bytes())];
    };
    let truncated = &key[..key.len() - 1];
    let filled = |value: &str| {
        value
            .replace("{key}", key)
            .replace("{truncated}", truncated)
            .replace("{upper}", &key.to_uppercase())
            .replace("{wrong}", WRONG_KEY)
    };
    pairs
        .iter()
        .map(|pair| {
            let (name, value) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
            (bytes(&name.to_lowercase()), bytes(&filled(value)))
        })
        .collect()
}

fn text(row: &Value, field: &str) -> String {
    row[field].as_str().unwrap_or_default().to_owned()
}

/// The bytes that a string of a table stands for.
fn bytes(text: &str) -> Vec<u8> {
    text.chars()
        .map(|character| u8::try_from(character).expect("a character that is one byte"))
        .collect()
}
