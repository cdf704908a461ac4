use proptest::prelude::*;
use serde_json::{Value, json};

use super::editor::MEMBER;
use super::*;
use crate::checks::guarded;
use crate::contract::operation::Operation;
use crate::contract::settings::{GuardrailSettings, GuardrailTrace, StreamProcessingMode};
use crate::json::MAX_DEPTH;

const OURS: &str = r#""guardrailConfig":{"guardrailIdentifier":"gr1","guardrailVersion":"1"}"#;

fn settings() -> GuardrailSettings {
    GuardrailSettings {
        identifier: "gr1".into(),
        version: "1".into(),
        trace: None,
        stream_processing_mode: None,
    }
}

fn editor() -> Editor {
    let guardrail = Guardrail::new("guardrail", &settings()).unwrap();
    guardrail.guard(Operation::Converse, &mut Vec::new()).unwrap()
}

/// The body to send. Asserts that it is the same for every split of the input and output.
fn edited(body: &str) -> Result<String, BodyFault> {
    let whole = guarded(editor(), &[body.as_bytes()]);
    for split in 0..=body.len() {
        let (start, end) = body.as_bytes().split_at(split);
        assert_eq!(
            guarded(editor(), &[start, b"", end]),
            whole,
            "split at {split}: {body}"
        );
    }
    let bytes: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
    assert_eq!(guarded(editor(), &bytes), whole, "byte by byte: {body}");
    whole.map(|body| String::from_utf8(body).unwrap())
}

/// `{`, the inserted member and `rest`.
fn with_ours(rest: &str) -> Result<String, BodyFault> {
    Ok(format!("{{{OURS}{rest}"))
}

#[test]
fn the_member_comes_first_and_all_other_bytes_are_kept() {
    for rest in [
        r#""messages":[]}"#,
        " \"messages\" : [ ] , \"x\":1.50e+2 }\r\n\t ",
        r#""Grüße":"世界 \ud83e\udd80 \u0000","system":[{"text":"guardrailConfig"}]}"#,
        r#""a":{"guardrailConfig":{"trace":"disabled"}},"b":[{"guardrailConfig":1}],"c":"guardrailConfig"}"#,
        r#""":1,"a":"}","b":"{\"guardrailConfig\":1}"}"#,
        r#""a":1,"a":2}"#,
    ] {
        assert_eq!(edited(&format!("{{{rest}")), with_ours(&format!(",{rest}")));
    }
    let spaced = edited(" \r\n\t{\"a\":1}").unwrap();
    assert_eq!(spaced, format!(" \r\n\t{{{OURS},\"a\":1}}"));
}

#[test]
fn an_empty_object_gets_the_member_alone() {
    assert_eq!(edited("{}"), with_ours("}"));
    assert_eq!(edited("{ \n }  "), with_ours("}  "));
}

#[test]
fn the_clients_guardrail_is_removed_with_one_comma() {
    let theirs = r#""guardrailConfig":{"guardrailIdentifier":"theirs","a":[1,{"b":2}]}"#;
    for (body, rest) in [
        (format!("{{{theirs}}}"), "}"),
        (format!("{{ {theirs} }} "), "} "),
        (format!(r#"{{{theirs},"a":1}}"#), r#","a":1}"#),
        (format!(r#"{{"a":1,{theirs}}}"#), r#","a":1}"#),
        (format!(r#"{{"a":1 , {theirs} , "b":2 }}"#), r#","a":1 , "b":2 }"#),
        (format!(r#"{{{theirs},{theirs}}}"#), "}"),
        (
            format!(r#"{{{theirs},"a":1,{theirs},"b":2,{theirs}}}"#),
            r#","a":1,"b":2}"#,
        ),
        (
            format!(r#"{{"a":1,{theirs},{theirs},"b":2}}"#),
            r#","a":1,"b":2}"#,
        ),
    ] {
        assert_eq!(edited(&body), with_ours(rest), "{body}");
    }
    for value in ["null", "0", "-1.5e3", "\"x,}\"", "[]", "[{\"a\":\",\"}]", "true"] {
        let body = format!(r#"{{"a":1,"guardrailConfig": {value} ,"b":2}}"#);
        assert_eq!(edited(&body), with_ours(r#","a":1,"b":2}"#), "{value}");
    }
}

#[test]
fn an_escaped_name_is_recognized() {
    let every_letter: String = MEMBER
        .bytes()
        .map(|letter| format!("\\u{:04x}", u32::from(letter)))
        .collect();
    for name in [
        r"guardrail\u0043onfig",
        r"\u0067uardrailConfig",
        r"guardrailConfi\u0067",
        r"guardrail\u0043on\u0066ig",
        &every_letter,
    ] {
        let body = format!(r#"{{"a":1,"{name}":{{}},"b":2}}"#);
        assert_eq!(edited(&body), with_ours(r#","a":1,"b":2}"#), "{name}");
    }
}

#[test]
fn other_names_are_kept() {
    // Names in AWS's protocol are case-sensitive: Bedrock does not know these.
    for name in [
        "GuardrailConfig",
        "guardrailconfig",
        "guardrail_config",
        "guardrailConfig ",
        " guardrailConfig",
        "guardrailConfi",
        "guardrailConfigs",
        "guardrailConfigguardrailConfig",
        r"guardrail\\u0043onfig",
        r"guardrail\u0063onfig",
        "guardrailСonfig",
        "guardrail\u{200b}Config",
        "\u{FFFD}",
    ] {
        let rest = format!(r#""{name}":1}}"#);
        assert_eq!(
            edited(&format!("{{{rest}")),
            with_ours(&format!(",{rest}")),
            "{name}"
        );
    }
}

#[test]
fn a_body_that_is_not_a_json_object_is_refused() {
    use BodyFault::*;
    for (body, fault) in [
        ("", Empty),
        (" ", Incomplete),
        ("\n\t", Incomplete),
        ("[]", NotAnObject),
        ("[{}]", NotAnObject),
        ("\"{}\"", NotAnObject),
        ("null", NotAnObject),
        ("true ", NotAnObject),
        ("1", NotAnObject),
        ("1 ", NotAnObject),
        ("{", Incomplete),
        ("{\"a\"", Incomplete),
        ("{\"a\":1", Incomplete),
        ("{\"a\":1,", Incomplete),
        ("{\"guardrailConfig\":{}", Incomplete),
        ("{}}", Malformed),
        ("{}{}", Malformed),
        ("{} x", Malformed),
        ("{}\0", Malformed),
        ("\0{}", Malformed),
        ("{\0}", Malformed),
        ("{,}", Malformed),
        ("{\"a\":1,}", Malformed),
        ("{,\"a\":1}", Malformed),
        ("{\"a\":1,,\"b\":2}", Malformed),
        ("{\"a\" 1}", Malformed),
        ("{'a':1}", Malformed),
        ("{a:1}", Malformed),
        ("{\"a\":01}", Malformed),
        ("{\"a\":NaN}", Malformed),
        ("{\"a\":\"\n\"}", Malformed),
        ("{\"a\":\"\u{1}\"}", Malformed),
        ("{\"a\":\"\\x\"}", Malformed),
        ("{}//", Malformed),
        ("/**/{}", Malformed),
        ("\u{feff}{}", Malformed),
        ("not json", Malformed),
    ] {
        // The fault must not depend on the split.
        assert_eq!(guarded(editor(), &[body.as_bytes()]), Err(fault), "{body:?}");
        for split in 0..=body.len() {
            let (start, end) = body.as_bytes().split_at(split);
            assert_eq!(
                guarded(editor(), &[start, end]),
                Err(fault),
                "{body:?} split at {split}"
            );
        }
    }
}

#[test]
fn encodings_other_than_utf_8_are_refused() {
    let utf_16: Vec<u8> = r#"{"a":1}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for body in [
        &utf_16[..],
        b"\xff\xfe{\0}\0",
        b"{\"guardrail\xc1\x83onfig\":{}}",
        b"{\"a\":\"\xff\"}",
        b"{\"a\":\"\xe4\xb8\"}",
        b"{\"a\":\"\xed\xa0\x80\"}",
        b"{\"a\":\"\xf4\x90\x80\x80\"}",
        b"{}\x80",
        b"\x1f\x8b\x08",
    ] {
        for split in 0..=body.len() {
            let (start, end) = body.split_at(split);
            assert!(
                guarded(editor(), &[start, end]).is_err(),
                "{body:?} split at {split}"
            );
        }
    }
    let overlong = guarded(editor(), &[b"{\"guardrail\xc1\x83onfig\":{}}"]);
    assert_eq!(overlong, Err(BodyFault::NotUtf8));
}

#[test]
fn names_that_parsers_read_differently_are_refused() {
    for name in [
        r"guardrailConfig\u0000",
        r"guardrail\u0000Config",
        r"\ud800guardrailConfig",
        r"guardrail\udc00Config",
        r"guardrailConfig\ud83d",
        r"x\ud83d\u0041",
    ] {
        assert_eq!(
            edited(&format!("{{\"{name}\":1}}")),
            Err(BodyFault::BadName),
            "{name}"
        );
        let nested = format!(r#""a":{{"{name}":"{name}"}}}}"#);
        assert_eq!(
            edited(&format!("{{{nested}")),
            with_ours(&format!(",{nested}")),
            "{name}"
        );
    }
}

#[test]
fn nesting_is_limited() {
    // The object itself is a level.
    for (levels, is_read) in [(MAX_DEPTH - 1, true), (MAX_DEPTH, false), (1_000_000, false)] {
        let levels = usize::try_from(levels).unwrap();
        let body = format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        let outcome = guarded(editor(), &[body.as_bytes()]);
        assert_eq!(outcome.is_ok(), is_read, "{levels}");
        assert!(is_read || outcome == Err(BodyFault::Malformed));
    }
}

#[test]
fn guardrails_in_too_many_places_are_refused() {
    let body = |places: usize| format!("{{{}\"z\":1}}", "\"a\":1,\"guardrailConfig\":1,".repeat(places));
    for (places, is_edited) in [(7, true), (8, true), (9, false), (100_000, false)] {
        let outcome = guarded(editor(), &[body(places).as_bytes()]);
        assert_eq!(outcome.is_ok(), is_edited, "{places}");
        assert!(is_edited || outcome == Err(BodyFault::TooManyGuardrails));
    }
    // Adjacent ones count as one place.
    let body = format!("{{{}\"z\":1}}", "\"guardrailConfig\":1,".repeat(100_000));
    let outcome = guarded(editor(), &[body.as_bytes()]);
    assert_eq!(outcome, with_ours(",\"z\":1}").map(String::into_bytes));
}

#[test]
fn a_fault_is_permanent() {
    let mut editor = editor();
    assert_eq!(editor.push(b"{]"), Err(BodyFault::Malformed));
    assert_eq!(editor.push(b"{}"), Err(BodyFault::Malformed));
    assert_eq!(editor.finish(), Err(BodyFault::Malformed));
}

#[test]
fn a_body_without_a_guardrail_is_edited_only_at_the_start() {
    let front = |body: &[u8]| {
        let mut editor = editor();
        editor.push(body).unwrap();
        editor.finish().unwrap().edit.front_bytes()
    };
    assert_eq!(front(b"{\"a\":1}"), Some(1));
    assert_eq!(front(b"  {\"a\":1}"), Some(3));
    assert_eq!(front(b"{\"guardrailConfig\":1}"), None);
}

fn forwarded(headers: &[(&str, &str)]) -> Forwarded {
    let bytes = |text: &str| text.as_bytes().to_vec();
    headers
        .iter()
        .map(|(name, value)| (bytes(name), bytes(value)))
        .collect()
}

#[test]
fn invoke_gets_the_guardrail_in_headers_instead_of_the_clients() {
    let sent = [
        ("x-amzn-bedrock-guardrailidentifier", "theirs"),
        ("content-type", "application/json"),
        ("x-amzn-bedrock-guardrailversion", "9"),
        ("x-amzn-bedrock-guardrailversion", "8"),
        ("x-amzn-bedrock-trace", "DISABLED"),
        ("x-amzn-bedrock-guardrail-of-the-future", "off"),
        ("x-amzn-bedrock-service-tier", "flex"),
    ];
    let kept = [
        ("content-type", "application/json"),
        ("x-amzn-bedrock-service-tier", "flex"),
    ];
    let own = [
        ("x-amzn-bedrock-guardrailidentifier", "gr1"),
        ("x-amzn-bedrock-guardrailversion", "1"),
    ];
    let traced = |trace| GuardrailSettings { trace, ..settings() };
    for (trace, word) in [
        (None, None),
        (Some(GuardrailTrace::Enabled), Some("ENABLED")),
        (Some(GuardrailTrace::Disabled), Some("DISABLED")),
        (Some(GuardrailTrace::EnabledFull), Some("ENABLED_FULL")),
    ] {
        let guardrail = Guardrail::new("g", &traced(trace)).unwrap();
        for operation in [Operation::Invoke, Operation::InvokeWithResponseStream] {
            let mut headers = forwarded(&sent);
            assert!(guardrail.guard(operation, &mut headers).is_none());
            let mut expected = forwarded(&kept);
            expected.extend(forwarded(&own));
            expected.extend(
                word.map(|word| forwarded(&[("x-amzn-bedrock-trace", word)]))
                    .into_iter()
                    .flatten(),
            );
            assert_eq!(headers, expected);
        }
    }
}

#[test]
fn count_tokens_gets_no_guardrail() {
    let sent = [
        ("x-amzn-bedrock-guardrailidentifier", "theirs"),
        ("content-type", "text/plain"),
    ];
    let mut headers = forwarded(&sent);
    let guardrail = Guardrail::new("g", &settings()).unwrap();
    assert!(guardrail.guard(Operation::CountTokens, &mut headers).is_none());
    assert_eq!(headers, forwarded(&sent));
}

#[test]
fn converse_gets_the_guardrail_in_the_body_as_json_in_utf_8() {
    let full = GuardrailSettings {
        trace: Some(GuardrailTrace::EnabledFull),
        stream_processing_mode: Some(StreamProcessingMode::Async),
        ..settings()
    };
    let guardrail = Guardrail::new("g", &full).unwrap();
    for (operation, mode) in [
        (Operation::Converse, None),
        (Operation::ConverseStream, Some("async")),
    ] {
        let mut headers = forwarded(&[
            ("content-type", "application/json; charset=utf-7"),
            ("x-amzn-bedrock-trace", "DISABLED"),
            ("accept", "x"),
        ]);
        let editor = guardrail.guard(operation, &mut headers).unwrap();
        assert_eq!(
            headers,
            forwarded(&[("accept", "x"), ("content-type", "application/json")])
        );
        let body = guarded(editor, &[b"{}"]).unwrap();
        let config = &serde_json::from_slice::<Value>(&body).unwrap()["guardrailConfig"];
        let mut expected =
            json!({"guardrailIdentifier": "gr1", "guardrailVersion": "1", "trace": "enabled_full"});
        if let Some(mode) = mode {
            expected["streamProcessingMode"] = mode.into();
        }
        assert_eq!(*config, expected);
    }
}

#[test]
fn an_identifier_cannot_escape_its_json_string() {
    let identifier = r#"a","guardrailVersion":"2\u0022"#;
    let settings = GuardrailSettings {
        identifier: identifier.into(),
        ..settings()
    };
    let guardrail = Guardrail::new("g", &settings).unwrap();
    let editor = guardrail.guard(Operation::Converse, &mut Vec::new()).unwrap();
    let body = guarded(editor, &[b"{}"]).unwrap();
    let config = &serde_json::from_slice::<Value>(&body).unwrap()["guardrailConfig"];
    assert_eq!(
        *config,
        json!({"guardrailIdentifier": identifier, "guardrailVersion": "1"})
    );
}

#[test]
fn identifiers_and_versions_are_validated() {
    for (length, is_good) in [(0, false), (1, true), (2047, true), (2048, true), (2049, false)] {
        assert_eq!(is_identifier(&"x".repeat(length)), is_good, "{length}");
    }
    for identifier in ["a b", "a\n", "a\r\nx: y", "\u{e4}", "\u{7f}", "a\0"] {
        assert!(!is_identifier(identifier), "{identifier:?}");
    }
    assert!(is_identifier(
        "arn:aws:bedrock:us-east-1:123456789012:guardrail/abc123"
    ));
    for (version, is_good) in [
        ("DRAFT", true),
        ("1", true),
        ("9999999", true),
        ("99999999", true),
        ("100000000", false),
        ("0", false),
        ("01", false),
        ("", false),
        ("draft", false),
        ("1.0", false),
        ("-1", false),
        ("\u{661}", false),
    ] {
        assert_eq!(is_version(version), is_good, "{version:?}");
    }
    let error = |settings: GuardrailSettings| {
        Guardrail::new("models[0].guardrail", &settings)
            .unwrap_err()
            .to_string()
    };
    let identifier = GuardrailSettings {
        identifier: "a\r\nx: y".into(),
        ..settings()
    };
    assert_eq!(
        error(identifier),
        "models[0].guardrail.identifier: expected the id or ARN of a guardrail: 1 to 2048 printable ASCII characters \
         without spaces, but found \"a\\r\\nx: y\""
    );
    let version = GuardrailSettings {
        version: "latest".into(),
        ..settings()
    };
    assert_eq!(
        error(version),
        "models[0].guardrail.version: expected DRAFT or a version number from 1 to 99999999, but found \"latest\""
    );
}

/// JSON objects with the member at the top level and elsewhere, and with white space.
fn documents() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        2 => Just("guardrailConfig".to_owned()),
        1 => Just("guardrail\\u0043onfig".to_owned()),
        3 => "[a-zA-Zäü]{0,6}",
    ];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<i32>().prop_map(|number| number.to_string()),
        "\"[a-zA-Z{},:\u{e4}\u{4e16}]{0,8}\"",
    ];
    let space = || "[ \n\t]{0,2}";
    let members = move |value: BoxedStrategy<String>| {
        let member = (space(), name.clone(), space(), space(), value, space()).prop_map(
            |(before, name, after, colon, value, end)| {
                format!("{before}\"{name}\"{after}:{colon}{value}{end}")
            },
        );
        prop::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(",")))
    };
    let inner = members.clone();
    let value = leaf.prop_recursive(3, 24, 6, move |value| {
        prop_oneof![
            inner(value.clone().boxed()),
            prop::collection::vec(value, 0..3).prop_map(|all| format!("[{}]", all.join(" , "))),
        ]
    });
    (space(), members(value.boxed()), space())
        .prop_map(|(before, object, after)| format!("{before}{object}{after}"))
}

proptest! {
    #[test]
    fn the_sent_body_parses_as_the_original_with_our_guardrail(body in documents(), recipe in 0u8..0x80) {
        crate::checks::guardrail(&[&[recipe], body.as_bytes()].concat());
    }

    #[test]
    fn any_bytes_are_edited_as_json_or_refused(body in prop::collection::vec(any::<u8>(), 0..64), recipe in 0u8..0x80) {
        crate::checks::guardrail(&[&[recipe], &body[..]].concat());
    }
}
