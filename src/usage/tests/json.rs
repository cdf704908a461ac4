//! Compares the tokenizer and the scanner with serde_json.

use proptest::prelude::*;
use serde_json::Value;

use super::super::Usage;
use super::super::fields::BODY;
use super::super::reading::{Counts, Reading};
use super::super::scan::Scanner;
use super::{cut, escaped};
use crate::checks;
use crate::json::{MAX_DEPTH, Malformed, Tokenizer, Tokens};

/// Records the tokens of a document. Literals produce none.
#[derive(Default)]
struct Rebuild(Vec<String>);

impl Tokens for Rebuild {
    fn open(&mut self, object: bool) {
        self.0.push(if object { "{" } else { "[" }.to_owned());
    }
    fn close(&mut self) {
        self.0.push("end".to_owned());
    }
    fn string(&mut self, _key: bool) -> bool {
        self.0.push(String::new());
        true
    }
    fn piece(&mut self, _key: bool, piece: &[u8]) {
        assert!(!piece.is_empty());
        // In hex, because a piece may end within a character.
        let text = self.0.last_mut().unwrap();
        text.push_str(&hex::encode(piece));
    }
    fn string_end(&mut self, key: bool) {
        let text = self.0.pop().unwrap();
        let text = String::from_utf8_lossy(&hex::decode(text).unwrap()).into_owned();
        self.0
            .push(format!("{}{text}", if key { "key:" } else { "text:" }));
    }
    fn number(&mut self, value: Option<u64>) {
        self.0.push(format!("number:{value:?}"));
    }
}

fn tokens(chunks: &[&[u8]]) -> Result<Vec<String>, Malformed> {
    let (mut tokenizer, mut rebuild, mut outcome) = (Tokenizer::default(), Rebuild::default(), Ok(()));
    for chunk in chunks {
        let result = tokenizer.push(chunk, &mut rebuild);
        assert!(
            outcome.is_ok() || result.is_err(),
            "a malformed document stays malformed"
        );
        outcome = result;
    }
    outcome?;
    // A number at the very end needs one more byte to end it.
    let complete = tokenizer.is_complete();
    let ended = tokenizer.push(b" ", &mut rebuild);
    assert_eq!(complete, ended.is_ok() && tokenizer.is_complete());
    if complete { Ok(rebuild.0) } else { Err(Malformed) }
}

/// The expected tokens, from serde_json's value of a document without repeated keys.
fn expected(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => into.push(format!("number:{:?}", number.as_u64())),
        Value::String(text) => into.push(format!("text:{text}")),
        Value::Array(values) => {
            into.push("[".to_owned());
            values.iter().for_each(|value| expected(value, into));
            into.push("end".to_owned());
        }
        Value::Object(members) => {
            into.push("{".to_owned());
            for (key, value) in members {
                into.push(format!("key:{key}"));
                expected(value, into);
            }
            into.push("end".to_owned());
        }
    }
}

#[track_caller]
fn same_verdict(text: &[u8], chunks: &[&[u8]]) {
    let ours = tokens(chunks);
    match serde_json::from_slice::<Value>(text) {
        Ok(_) => assert!(ours.is_ok(), "{}", String::from_utf8_lossy(text)),
        Err(error) if checks::tolerated(&error) || std::str::from_utf8(text).is_err() => {}
        Err(error) => assert!(ours.is_err(), "{}: {error}", String::from_utf8_lossy(text)),
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map("[a-z\"\\\\é]{0,5}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Serializes a value with white space and escapes where JSON allows them.
fn render(value: &Value, space: &str, escapes: u64) -> String {
    match value {
        Value::String(text) => escaped(text, escapes),
        Value::Array(values) => {
            let values: Vec<_> = values.iter().map(|value| render(value, space, escapes)).collect();
            format!("[{space}{}{space}]", values.join(&format!("{space},{space}")))
        }
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(key, value)| {
                    format!(
                        "{}{space}:{space}{}",
                        escaped(key, escapes),
                        render(value, space, escapes)
                    )
                })
                .collect();
            format!("{{{space}{}{space}}}", members.join(&format!("{space},{space}")))
        }
        other => other.to_string(),
    }
}

/// JSON fragments in any order: mostly invalid, but never by much.
fn near_json() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"",
        "\\",
        "\\u00e9",
        "\\ud83d\\ude00",
        "\\ud83d",
        "\\x",
        "0",
        "1",
        "-",
        "-0",
        "01",
        "1.",
        "1.5",
        ".5",
        "1e5",
        "1e",
        "1E+2",
        "1e-",
        "18446744073709551615",
        "18446744073709551616",
        "true",
        "tru",
        "false",
        "null",
        "nul",
        " ",
        "\n",
        "\u{1}",
        "é",
        "x",
    ]);
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_document_is_read_as_by_serde_json(
        value in any_value(),
        space in "[ \t\r\n]{0,2}",
        escapes: u64,
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let text = render(&value, &space, escapes);
        let parsed: Value = serde_json::from_str(&text).unwrap();
        let mut wanted = Vec::new();
        expected(&parsed, &mut wanted);
        prop_assert_eq!(tokens(&cut(text.as_bytes(), &cuts)), Ok(wanted.clone()));
        let bytes: Vec<_> = text.as_bytes().chunks(1).collect();
        prop_assert_eq!(tokens(&bytes), Ok(wanted));
    }

    #[test]
    fn a_corrupted_document_is_judged_as_by_serde_json(
        value in any_value(),
        position in any::<prop::sample::Index>(),
        byte: u8,
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let mut text = value.to_string().into_bytes();
        let position = position.index(text.len());
        text[position] = byte;
        same_verdict(&text, &cut(&text, &cuts));
        same_verdict(&text[..position], &cut(&text[..position], &cuts));
    }

    #[test]
    fn near_json_is_judged_as_by_serde_json(text in near_json()) {
        same_verdict(text.as_bytes(), &[text.as_bytes()]);
        same_verdict(text.as_bytes(), &text.as_bytes().chunks(1).collect::<Vec<_>>());
        let inside = format!("[{text}]");
        same_verdict(inside.as_bytes(), &[inside.as_bytes()]);
        let string = format!("\"{text}\"");
        same_verdict(string.as_bytes(), &[string.as_bytes()]);
    }
}

#[test]
fn nesting_has_the_limit_of_serde_json() {
    for depth in [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1].map(|depth| usize::try_from(depth).unwrap()) {
        for (open, close) in [("[", "]"), ("{\"a\":[", "]}")] {
            let text = format!(
                "{}{}",
                open.repeat(depth / close.len()),
                close.repeat(depth / close.len())
            );
            assert_eq!(
                tokens(&[text.as_bytes()]).is_ok(),
                depth / close.len() * close.len() <= 127,
                "{depth}"
            );
            same_verdict(text.as_bytes(), &[text.as_bytes()]);
        }
    }
}

#[test]
fn surrogate_pairs_make_one_character_and_lone_ones_a_replacement() {
    for (json, text) in [
        (r#""\ud83d\ude00""#, "text:😀"),
        (r#""\ud83d""#, "text:\u{FFFD}"),
        (r#""\ud83dx""#, "text:\u{FFFD}x"),
        (r#""\ud83d\n""#, "text:\u{FFFD}\n"),
        (r#""\ude00\ud83d\ud83d\ude00""#, "text:\u{FFFD}\u{FFFD}😀"),
    ] {
        assert_eq!(tokens(&[json.as_bytes()]), Ok(vec![text.to_owned()]), "{json}");
    }
}

/// Documents with the keys of responses and others, where they matter and where they do not.
fn any_response() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "usage",
        "inputTokens",
        "outputTokens",
        "cacheReadInputTokens",
        "cacheWriteInputTokens",
        "cacheDetails",
        "cacheReadInputTokenCount",
        "ttl",
        "serviceTier",
        "type",
        "performanceConfig",
        "latency",
        "stopReason",
        "output",
        "message",
        "content",
        "text",
        "p",
        "a key that is much longer than any that is looked for at all",
    ]);
    let leaf = prop_oneof![
        3 => (0u64..3000).prop_map(|number| number.to_string()),
        1 => prop::sample::select(vec![
            "null", "true", "-1", "1.5", "1e3", "18446744073709551615", "99999999999999999999", "\"7\"", "-0",
        ]).prop_map(str::to_owned),
        3 => prop::sample::select(vec![
            "5m", "1h", "priority", "flex", "default", "optimized", "end_turn", "usage", "{\"usage\":{}}", "é",
        ]).prop_map(|text| escaped(text, 0)),
    ];
    let object = move |value: BoxedStrategy<String>| {
        proptest::collection::vec((key.clone(), value, any::<u8>()), 0..9).prop_map(|members| {
            let members: Vec<_> = members
                .into_iter()
                .map(|(key, value, escapes)| {
                    // One key in four has escapes.
                    let escapes = if escapes < 64 { u64::from(escapes) } else { 0 };
                    format!("{}:{value}", escaped(key, escapes))
                })
                .collect();
            format!("{{{}}}", members.join(", "))
        })
    };
    let value = leaf.prop_recursive(4, 60, 8, move |inner| {
        prop_oneof![
            4 => object(inner.clone().boxed()),
            1 => proptest::collection::vec(inner, 0..4).prop_map(|values| format!("[{}]", values.join(","))),
        ]
    });
    let details = proptest::collection::vec(("5m|1h|2h", 0u64..50), 0..4).prop_map(|details| {
        let details: Vec<_> = details
            .iter()
            .map(|(ttl, tokens)| format!(r#"{{"inputTokens":{tokens},"ttl":"{ttl}"}}"#))
            .collect();
        format!("[{}]", details.join(","))
    });
    let usage = (0u64..9, 0u64..9, prop::option::of(0u64..99), details).prop_map(|(input, output, write, details)| {
        let write = write.map_or("null".to_owned(), |write| write.to_string());
        format!(
            r#"{{"inputTokens":{input},"outputTokens":{output},"cacheWriteInputTokens":{write},"cacheDetails":{details}}}"#
        )
    });
    proptest::collection::vec((response_key(), prop_oneof![value, usage]), 0..7).prop_map(|members| {
        let members: Vec<_> = members
            .iter()
            .map(|(key, value)| format!("\"{key}\":{value}"))
            .collect();
        format!("{{{}}}", members.join(","))
    })
}

fn response_key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "usage",
        "usage",
        "serviceTier",
        "performanceConfig",
        "stopReason",
        "output",
        "metrics",
        "usage ",
    ])
}

fn scan(chunks: &[&[u8]]) -> Reading {
    let mut scanner = Scanner::new(&BODY, Reading::default());
    for chunk in chunks {
        scanner.push(chunk).unwrap();
    }
    assert!(scanner.is_complete());
    scanner.visitor().clone()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn the_scanner_finds_what_the_parsed_document_holds(
        text in any_response(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let parsed: Value = serde_json::from_str(&text).unwrap();
        let (usage, tier, latency) = checks::expected(&parsed);
        let wanted = (usage, tier, latency, checks::expected_stop_reason(&parsed));
        let found = |reading: &Reading| {
            let metadata = &reading.metadata;
            (reading.usage().usage(), metadata.service_tier, metadata.latency, metadata.stop_reason)
        };
        prop_assert_eq!(found(&scan(&cut(text.as_bytes(), &cuts))), wanted, "{}", text);
        let bytes: Vec<_> = text.as_bytes().chunks(1).collect();
        prop_assert_eq!(found(&scan(&bytes)), wanted, "{}", text);
    }
}

#[test]
fn a_repeated_key_replaces_everything_under_the_first() {
    let text = r#"{"usage":{"inputTokens":1,"outputTokens":2,"cacheReadInputTokens":3},
                   "usage":{"outputTokens":5,"inputTokens":4,"inputTokens":6}}"#;
    let usage = scan(&[text.as_bytes()]).usage();
    assert_eq!(
        usage.usage(),
        Some(Usage {
            input: 6,
            output: 5,
            ..Usage::default()
        })
    );
    let text = r#"{"usage":{"inputTokens":1,"outputTokens":2},"usage":null}"#;
    assert_eq!(scan(&[text.as_bytes()]).usage(), Counts::default());
}

#[test]
fn usage_elsewhere_is_ignored() {
    let usage = r#"{"inputTokens":1,"outputTokens":2}"#;
    for text in [
        format!(r#"{{"a":{{"usage":{usage}}}}}"#),
        format!(r#"[{{"usage":{usage}}}]"#),
        format!(r#"{{"usage":[{usage}]}}"#),
        format!(r#"{{"usage":{{"usage":{usage}}}}}"#),
        format!(r#"{{"a":[{{}}, "usage", {usage}]}}"#),
        format!(r#"{{"content":[{{"usage":{usage}}}]}}"#),
        format!(r#"{{"a":"\"usage\":{}"}}"#, usage.replace('"', "\\\"")),
        format!(r#"{{"usage2":{usage},"usag":{usage},"":{usage}}}"#),
    ] {
        assert_eq!(scan(&[text.as_bytes()]).usage(), Counts::default(), "{text}");
    }
}
