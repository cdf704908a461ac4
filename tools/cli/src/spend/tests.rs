use std::io::Write;

use envoy_bedrock::headers::Headers;
use envoy_bedrock::pricing::PicoUsd;
use envoy_bedrock::records::client::Client;
use envoy_bedrock::records::row::{Outcome, Row};
use envoy_bedrock::time::UnixTime;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::source::{Skipped, read_all};
use super::*;

const EVERY: [By; 10] = [
    By::Key,
    By::Model,
    By::ModelGroup,
    By::ModelId,
    By::Region,
    By::Day,
    By::Tag,
    By::EndUser,
    By::Status,
    By::UsageSource,
];

fn row(more: Value) -> String {
    let mut row = json!({
        "request_id": "r", "call_type": "converse", "api_key": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
        "key_alias": "app", "model": "us.anthropic.claude", "model_group": "claude", "model_id": "d1",
        "model_region": "us-east-1", "spend": 0.25, "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
        "cache_read_input_tokens": 3, "cache_creation_input_tokens": 2, "startTime": "2026-11-22T10:00:00.123Z",
        "status": "success", "usage_source": "reported", "request_tags": ["b", "a"], "end_user": null,
        "unknown": {"nested": [1, 2]},
    });
    let (Value::Object(row_fields), Value::Object(more)) = (&mut row, more) else {
        panic!("a row is an object")
    };
    row_fields.extend(more);
    row.to_string()
}

fn summary(by: &[By]) -> SpendSummary {
    SpendSummary::new(by, Window::default(), None)
}

fn summed(by: &[By], lines: &[String]) -> Vec<(Vec<Option<String>>, u64, String)> {
    let mut summary = summary(by);
    for line in lines {
        assert_eq!(summary.add(line.as_bytes()), LineOutcome::Counted, "{line}");
    }
    let groups = summary.groups().into_iter();
    groups
        .map(|group| {
            (
                group.labels,
                group.totals.requests,
                group.totals.spend.to_string(),
            )
        })
        .collect()
}

fn labelled(labels: &[&str]) -> Vec<Option<String>> {
    labels.iter().map(|label| Some((*label).to_owned())).collect()
}

#[test]
fn every_property_is_a_label() {
    let expected = [
        "app",
        "us.anthropic.claude",
        "claude",
        "d1",
        "us-east-1",
        "2026-11-22",
        "a,b",
        "",
        "success",
        "reported",
    ];
    let groups = summed(
        &EVERY,
        &[row(json!({"end_user": "", "request_tags": ["b", "a", "b"]}))],
    );
    let labels: Vec<&str> = groups[0]
        .0
        .iter()
        .map(|label| label.as_deref().unwrap_or(""))
        .collect();
    assert_eq!(labels, expected);
    assert_eq!(groups[0].0[7], None);
}

#[test]
fn an_absent_label_is_null_and_a_key_without_an_alias_is_its_hash() {
    let line = r#"{"startTime":"2026-11-22T10:00:00Z"}"#.to_owned();
    assert_eq!(
        summed(&EVERY, &[line])[0].0.iter().flatten().collect::<Vec<_>>(),
        ["2026-11-22"]
    );
    let groups = summed(
        &[By::Key],
        &[row(json!({"key_alias": null})), row(json!({"key_alias": "app"}))],
    );
    assert_eq!(groups.len(), 2);
    assert!(
        groups
            .iter()
            .any(|group| group.0[0].as_ref().unwrap().starts_with("88dc28d0"))
    );
}

#[test]
fn the_cost_of_a_request_that_only_envoy_saw_is_known_unless_it_went_upstream() {
    for (envoy, unknown_spend, failures) in [
        (json!({"response_code": "400", "upstream_host": ""}), 0, 1),
        (json!({"response_code": "503", "upstream_host": "-"}), 0, 1),
        (
            json!({"response_code": "503", "upstream_host": "192.0.2.1:443"}),
            1,
            1,
        ),
        (json!({"response_code": "0"}), 0, 1),
        (json!({"response_code": "200"}), 0, 0),
    ] {
        let mut line = json!({"requester_ip_address": "192.0.2.7", "envoy": envoy});
        let mut summary = summary(&[By::Status, By::Day]);
        assert_eq!(
            summary.add(line.to_string().as_bytes()),
            LineOutcome::Foreign,
            "without a time"
        );
        line["envoy"]["time"] = json!("2026-11-22T10:00:00.123Z");
        assert_eq!(
            summary.add(line.to_string().as_bytes()),
            LineOutcome::Counted,
            "{line}"
        );
        let total = summary.total();
        assert_eq!(
            (total.requests, total.unknown_spend, total.failures),
            (1, unknown_spend, failures),
            "{line}"
        );
        let status = if failures == 1 { "failure" } else { "success" };
        assert_eq!(summary.groups()[0].labels, labelled(&[status, "2026-11-22"]));
    }
}

#[test]
fn a_line_of_the_filter_and_envoy_is_a_row() {
    let headers: [(&[u8], &[u8]); 2] = [
        (b"x-litellm-tags", b"b, a"),
        (b"x-litellm-end-user-id", b"me \"1\""),
    ];
    let started = UnixTime::from_nanoseconds(1_795_000_000_000_000_000);
    let row = Row {
        client: &Client::read(Headers(&headers), "r".into()),
        key: None,
        started,
        ended: started,
        outcome: Outcome::Incomplete,
    };
    let tail = r#""requester_ip_address":"192.0.2.7","envoy":{"time":"2000-01-01T00:00:00.000Z","response_code":"0"}"#;
    let line = format!("{{{}{tail}}}", row.json(0));
    let mut summary = summary(&[By::Tag, By::EndUser, By::Day, By::Status]);
    assert_eq!(summary.add(line.as_bytes()), LineOutcome::Counted, "{line}");
    assert_eq!(
        summary.groups()[0].labels,
        labelled(&["a,b", "me \"1\"", "2026-11-18", "failure"])
    );
    assert_eq!((summary.total().failures, summary.total().unknown_spend), (1, 0));
}

#[test]
fn all_columns_are_added_up() {
    let mut summary = summary(&[By::Key]);
    for line in [
        row(json!({})),
        row(json!({"spend": null, "status": "failure", "usage_source": "unknown", "prompt_tokens": null})),
        row(json!({"usage_source": "estimated"})),
    ] {
        summary.add(line.as_bytes());
    }
    let expected = Totals {
        requests: 3,
        failures: 1,
        prompt_tokens: 20,
        completion_tokens: 15,
        cache_read_input_tokens: 9,
        cache_creation_input_tokens: 6,
        spend: PicoUsd::new(500_000_000_000),
        unknown_spend: 1,
        estimated: 1,
    };
    assert_eq!(*summary.total(), expected);
    assert_eq!(summary.groups()[0].totals, expected);
}

#[test]
fn money_is_added_as_written() {
    // With floats, ten times 0.1 would be 0.9999999999999999, and small amounts would vanish next
    // to large ones.
    let mut lines = vec![row(json!({})).replace("0.25", "0.1"); 10];
    lines.push(row(json!({})).replace("0.25", "1e-12"));
    lines.push(row(json!({})).replace("0.25", "123456789012.5"));
    lines.push(row(json!({})).replace("0.25", "\"2.5e-1\""));
    assert_eq!(
        summed(&[], &lines),
        [(Vec::new(), 13, "123456789013.750000000001".to_owned())]
    );
}

#[test]
fn the_most_expensive_group_comes_first_level_by_level_and_days_are_in_order() {
    let line = |key: &str, day: u8, spend: &str| {
        row(json!({"key_alias": key, "startTime": format!("2026-11-{day:02}T23:30:00-01:00")}))
            .replace("0.25", spend)
    };
    let lines = [
        line("small", 1, "3"),
        line("large", 2, "2"),
        line("large", 1, "2"),
        line("none", 1, "0"),
    ];
    let group = |labels: &[&str], spend: &str| (labelled(labels), 1, spend.to_owned());
    assert_eq!(
        summed(&[By::Key, By::Day], &lines),
        [
            group(&["large", "2026-11-02"], "2"),
            group(&["large", "2026-11-03"], "2"),
            group(&["small", "2026-11-02"], "3"),
            group(&["none", "2026-11-02"], "0"),
        ],
        "days are in UTC"
    );
    assert_eq!(
        summed(&[By::Day, By::Key], &lines)
            .into_iter()
            .map(|group| group.0)
            .collect::<Vec<_>>(),
        [
            labelled(&["2026-11-02", "small"]),
            labelled(&["2026-11-02", "large"]),
            labelled(&["2026-11-02", "none"]),
            labelled(&["2026-11-03", "large"]),
        ]
    );
}

#[test]
fn a_window_includes_its_start_and_excludes_its_end() {
    let window = Window {
        since: Some("2026-11-22".parse().unwrap()),
        until: Some("2026-11-22T10:00:00+01:00".parse().unwrap()),
    };
    for (time, expected) in [
        ("2026-11-21T23:59:59.999Z", LineOutcome::LeftOut),
        ("2026-11-22T00:00:00.000Z", LineOutcome::Counted),
        ("2026-11-22T08:59:59.999Z", LineOutcome::Counted),
        ("2026-11-22T09:00:00.000Z", LineOutcome::LeftOut),
    ] {
        let mut summary = SpendSummary::new(&[], window, None);
        assert_eq!(
            summary.add(row(json!({"startTime": time})).as_bytes()),
            expected,
            "{time}"
        );
        assert_eq!(
            summary.total().requests,
            u64::from(expected == LineOutcome::Counted)
        );
    }
    let error = "22.11.2026".parse::<UtcTime>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected a date (2026-11-22) or a time (2026-11-22T09:30:00Z), but found '22.11.2026'"
    );
}

#[test]
fn a_tag_selects_the_requests_that_have_it() {
    let mut summary = SpendSummary::new(&[], Window::default(), Some("a"));
    assert_eq!(summary.add(row(json!({})).as_bytes()), LineOutcome::Counted);
    for tags in [json!(["aa"]), json!([]), json!(null)] {
        assert_eq!(
            summary.add(row(json!({"request_tags": tags})).as_bytes()),
            LineOutcome::LeftOut
        );
    }
}

#[test]
fn probes_and_lookups_are_not_requests() {
    let mut summary = summary(&[By::Key]);
    assert_eq!(
        summary.add(row(json!({"call_type": "internal"})).as_bytes()),
        LineOutcome::LeftOut
    );
    let probe = json!({"envoy": {
        "time": "2026-11-22T10:00:00.000Z", "response_code": "503", "response_flags": "LH",
    }});
    assert_eq!(summary.add(probe.to_string().as_bytes()), LineOutcome::LeftOut);
    assert_eq!(summary.total(), &Totals::default());
}

#[test]
fn a_line_that_is_not_a_row_is_foreign_and_changes_nothing() {
    let mut summary = summary(&[By::Key]);
    for line in [
        "".to_owned(),
        "[2026-11-22 10:00:00.123][1][info] starting".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        row(json!({})).replace('}', ""),
        row(json!({"startTime": null})),
        row(json!({"startTime": "yesterday"})),
        row(json!({"startTime": "9999-12-31T23:59:59-23:00"})),
        row(json!({"spend": -1})),
        row(json!({"spend": "free"})),
        row(json!({"spend": {}})),
        row(json!({})).replace("0.25", "1e300"),
        row(json!({"prompt_tokens": -1})),
        row(json!({"prompt_tokens": "many"})),
        row(json!({"request_tags": "a"})),
        format!("{} {}", row(json!({})), row(json!({}))),
    ] {
        assert_eq!(summary.add(line.as_bytes()), LineOutcome::Foreign, "{line}");
    }
    assert_eq!(summary.add(b"{\"startTime\":\"\xff\"}"), LineOutcome::Foreign);
    assert_eq!(*summary.total(), Totals::default());
    assert!(summary.groups().is_empty());
}

#[test]
fn a_line_that_would_overflow_a_sum_is_left_out_of_all_sums() {
    let mut summary = summary(&[By::Key]);
    let large = row(json!({"prompt_tokens": u64::MAX}));
    assert_eq!(summary.add(large.as_bytes()), LineOutcome::Counted);
    assert_eq!(
        summary.add(row(json!({"key_alias": "other"})).as_bytes()),
        LineOutcome::Foreign
    );
    assert_eq!((summary.total().requests, summary.groups().len()), (1, 1));
}

#[test]
fn groups_beyond_the_limit_are_combined() {
    let mut summary = summary(&[By::EndUser]).with_limit(2);
    for user in ["a", "b", "c", "d", "a"] {
        summary.add(row(json!({"end_user": user})).as_bytes());
    }
    assert_eq!(summary.groups().len(), 2);
    assert_eq!(summary.others().unwrap().requests, 2);
    assert_eq!(summary.total().requests, 5);
}

fn read(bytes: &[u8]) -> (u64, Skipped) {
    let mut summary = summary(&[By::Key]);
    let mut is_row = |line: &[u8]| summary.add(line) != LineOutcome::Foreign;
    let skipped = read_all(bytes, &mut is_row).unwrap();
    (summary.total().requests, skipped)
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn an_incomplete_last_line_is_not_a_foreign_line() {
    let row = row(json!({}));
    let skipped = |foreign, first_foreign, torn| Skipped {
        foreign,
        first_foreign,
        torn,
    };
    for (text, rows, expected) in [
        (String::new(), 0, skipped(0, 0, false)),
        ("x".to_owned(), 0, skipped(0, 0, true)),
        (format!("{row}\n{row}\r\n\n"), 2, skipped(0, 0, false)),
        (format!("{row}\n{row}"), 2, skipped(0, 0, false)),
        (format!("{row}\n{}", &row[..40]), 1, skipped(0, 0, true)),
        (format!("{row}\nhello\n\nhello\n{row}\n"), 2, skipped(2, 2, false)),
    ] {
        assert_eq!(read(text.as_bytes()), (rows, expected), "{text}");
        assert_eq!(read(&gzip(&text)), (rows, expected), "gzipped: {text}");
    }
}

#[test]
fn gzipped_logs_can_have_several_members_and_be_incomplete() {
    let line = row(json!({})) + "\n";
    let mut two = gzip(&line.repeat(1000));
    two.extend(gzip(&line));
    assert_eq!(read(&two), (1001, Skipped::default()));
    let whole = gzip(
        &(0..1000)
            .map(|n| row(json!({"prompt_tokens": n})) + "\n")
            .collect::<String>(),
    );
    let (rows, skipped) = read(&whole[..whole.len() / 2]);
    assert!((1..1000).contains(&rows), "{rows}");
    assert!(skipped.torn && skipped.foreign == 0, "{skipped:?}");
    let mut broken = whole.clone();
    broken.truncate(20);
    broken.extend([0xff; 50]);
    assert!(read(&broken).1.torn);
}

fn rows() -> impl Strategy<Value = Vec<String>> {
    let label = prop_oneof![Just(Value::Null), "[ab]{0,2}".prop_map(Value::from)];
    let labels = prop::collection::vec(label, 8);
    let tags = prop_oneof![
        Just(Value::Null),
        prop::collection::vec("[ab,]{0,2}", 0..3).prop_map(Value::from)
    ];
    let spend = prop_oneof![
        Just("null".to_owned()),
        (any::<u64>(), -15..3i32).prop_map(|(digits, exponent)| format!("{digits}e{exponent}")),
    ];
    let row = (labels, tags, spend, any::<u32>(), 1..4u8).prop_map(|(labels, tags, spend, tokens, day)| {
        row(json!({
            "api_key": labels[0], "key_alias": labels[1], "model": labels[2], "model_group": labels[3],
            "model_id": labels[4], "model_region": labels[5], "end_user": labels[6], "usage_source": labels[7],
            "request_tags": tags, "prompt_tokens": tokens, "startTime": format!("2026-11-0{day}T00:00:00.000Z"),
        }))
        .replace("0.25", &spend)
    });
    prop::collection::vec(row, 0..40)
}

proptest! {
    #[test]
    fn groups_of_any_kind_sum_to_the_total(
        lines in rows(),
        by in prop::sample::subsequence(EVERY.to_vec(), 0..EVERY.len()),
        limit in 0..20usize,
    ) {
        let mut ungrouped = summary(&[]);
        let mut summary = summary(&by).with_limit(limit);
        for line in &lines {
            prop_assert_eq!(summary.add(line.as_bytes()), LineOutcome::Counted);
            ungrouped.add(line.as_bytes());
        }
        let groups = summary.groups();
        prop_assert!(groups.len() <= limit);
        prop_assert!(groups.iter().all(|group| group.labels.len() == by.len()));
        let parts = groups.iter().map(|group| &group.totals).chain(summary.others());
        let sum = parts.fold(Totals::default(), |sum, part| sum.checked_add(part).unwrap());
        prop_assert_eq!(sum, *summary.total());
        prop_assert_eq!(summary.total(), ungrouped.total());
        prop_assert_eq!(sum.requests, lines.len() as u64);
    }

    #[test]
    fn any_bytes_are_read_to_the_end(bytes: Vec<u8>) {
        read(&bytes);
    }
}

#[test]
fn no_label_in_csv_is_a_formula() {
    for (label, cell) in [
        ("=SUM(A1)", "'=SUM(A1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@cmd", "'@cmd"),
        ("\t=1", "'\t=1"),
        ("\r=1", "\"'\r=1\""),
        ("\n=1", "\"'\n=1\""),
        ("=1,2", "\"'=1,2\""),
        ("a=1", "a=1"),
        ("'quoted", "'quoted"),
    ] {
        let mut summary = SpendSummary::new(&[By::EndUser], Window::default(), None);
        assert_eq!(
            summary.add(row(json!({ "end_user": label })).as_bytes()),
            LineOutcome::Counted
        );
        let csv = report::csv(&summary);
        let line = csv.split_once('\n').unwrap().1;
        assert_eq!(line, format!("{cell},1,0,10,5,3,2,0.25,0,0\n"), "{label:?}");
    }
}

#[test]
fn a_group_of_unknown_costs_has_an_unknown_cost_instead_of_zero() {
    let mut summary = summary(&[By::Model]);
    for (model, spend) in [
        ("unknown", json!(null)),
        ("unknown", json!(0)),
        ("partly", json!(null)),
        ("partly", json!(0.5)),
        ("free", json!(0)),
    ] {
        let line = row(json!({"model": model, "spend": spend}));
        assert_eq!(summary.add(line.as_bytes()), LineOutcome::Counted);
    }
    let report: Value = serde_json::from_str(&report::json(&summary, 0, 0)).unwrap();
    let spend = |model: &str| {
        let groups = report["groups"].as_array().unwrap();
        let group = groups.iter().find(|group| group["group"]["model"] == model);
        let group = group.unwrap();
        (group["spend"].clone(), group["unknown_spend"].as_u64().unwrap())
    };
    assert_eq!(spend("unknown"), (Value::Null, 1));
    assert_eq!(spend("partly"), (json!(0.5), 1));
    assert_eq!(spend("free"), (json!(0), 0));
    assert_eq!(report["total"]["spend"], json!(0.5));
    let csv = report::csv(&summary);
    assert!(csv.contains("\nunknown,2,0,20,10,6,4,,1,0\n"), "{csv}");
    let table = text::table(&summary, None);
    let line = |model: &str| {
        let line = table.lines().find(|line| line.starts_with(&format!(" {model} ")));
        line.unwrap()
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(line("unknown")[7], "unknown", "{table}");
    assert_eq!(line("unknown").len(), 10, "no share: {table}");
    assert_eq!(line("free")[7], "0.0", "{table}");
}
