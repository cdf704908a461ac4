//! The row of a stream, and the response headers that the gateway adds.

use serde_json::{Value, json};

use crate::headers::LITELLM_PREFIX;
use crate::records::row::Outcome;
use crate::routing::outcome::AttemptResponse;
use crate::stream::tests::driver::Driver;
use crate::stream::*;

const START: u64 = 1_795_357_174_000_000_000;
const SECOND: u64 = 1_000_000_000;

fn config() -> Rc<ActiveConfig> {
    let settings = r#"{"master_key": "MASTER", "attempts": 2, "body_limit_bytes": 100, "models": [
        {"name": "m", "deployments": [{"id": "d", "model": "a:0", "region": "west", "cluster": "west",
         "authority": "west.test", "base_path": "/base", "weight": 1, "credentials": {"bearer": {"api_key": "API"}},
         "rates": {"base": {"input": 3000000, "output": 15000000, "cache_read": 300000}}}]},
        {"name": "images", "deployments": [{"id": "i", "model": "us.anthropic.c", "region": "west", "cluster": "west",
         "authority": "west.test", "weight": 1, "credentials": {"bearer": {"api_key": "API"}},
         "rates": {"base": {"input": 0, "output": 0}, "unmeasured": true}}]},
        {"name": "unpriced", "deployments": [{"id": "u", "model": "b", "region": "west", "cluster": "west",
         "authority": "west.test", "weight": 1, "credentials": {"bearer": {"api_key": "API"}}}]},
        {"name": "us.*", "deployments": [{"id": "w", "model": "us.*", "region": "west", "cluster": "west",
         "authority": "west.test", "weight": 1, "credentials": {"bearer": {"api_key": "API"}}}]}],
        "catalogue": {"us.x": {"base": {"input": 1000000, "output": 1000000}}}}"#;
    Rc::new(ActiveConfig::new(settings.as_bytes(), |_| Some("sk-secret".into())).unwrap())
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_nanoseconds(START + seconds * SECOND)
}

/// A dispatched request to `path` with `attempts` attempts.
fn dispatched(path: &str, attempts: u64) -> Driver {
    let request = [
        (":method", "POST"),
        (":path", path),
        ("authorization", "Bearer sk-secret"),
        ("x-litellm-call-id", "call-1"),
        ("x-litellm-tags", "team-a"),
        ("user-agent", "curl"),
    ];
    let driver = Driver::request(&config(), &request, &[b'x'; 40], at(0));
    let plan = driver.plan.as_ref().unwrap();
    for number in 1..=attempts {
        plan.request(number, b"west", at(0)).unwrap();
    }
    driver
}

fn row(stream: &Driver) -> Value {
    let json = stream.close(at(2)).json(0);
    assert!(!json.contains("sk-secret"), "{json}");
    serde_json::from_str(&format!("{{{}}}", json.trim_end_matches(','))).unwrap()
}

fn is_cost_unknown(stream: &Driver) -> bool {
    stream.close(at(2)).served().unwrap().is_cost_unknown()
}

fn check(row: &Value, expected: &[(&str, Value)]) {
    for (name, value) in expected {
        assert_eq!(&row[name], value, "{name} of {row}");
    }
}

const USAGE: &[u8] = br#"{"output":{},"usage":{"inputTokens":100,"outputTokens":10,"totalTokens":1110,"cacheReadInputTokens":1000}}"#;

#[test]
fn the_row_of_a_complete_response_has_its_usage_and_exact_cost() {
    let mut stream = dispatched("/model/m/converse", 2);
    assert!(stream.response(&[(":status", "200"), ("x-amzn-requestid", "r-1")], at(1)));
    stream.body(&USAGE[..30], false, || at(1));
    stream.body(&USAGE[30..], false, || {
        panic!("the time of the first content is read once")
    });
    stream.body(b"", true, || at(1));
    let json = stream.close(at(2)).json(0);
    // 100 x 3e-6 + 1000 x 3e-7 + 10 x 1.5e-5
    assert!(json.contains("\"spend\":0.00075,"), "{json}");
    check(
        &row(&stream),
        &[
            ("request_id", json!("call-1")),
            ("call_type", json!("converse")),
            ("model_group", json!("m")),
            ("model", json!("a:0")),
            ("model_id", json!("d")),
            ("model_region", json!("west")),
            ("api_base", json!("west.test/base")),
            ("request_tags", json!(["team-a"])),
            ("user_agent", json!("curl")),
            ("input_cost", json!(0.0003)),
            ("cache_read_cost", json!(0.0003)),
            ("output_cost", json!(0.00015)),
            ("prompt_tokens", json!(1100)),
            ("completion_tokens", json!(10)),
            ("total_tokens", json!(1110)),
            ("usage_source", json!("reported")),
            ("startTime", json!("2026-11-22T14:19:34.000Z")),
            ("completionStartTime", json!("2026-11-22T14:19:35.000Z")),
            ("endTime", json!("2026-11-22T14:19:36.000Z")),
            ("request_duration_ms", json!(2000)),
            ("status", json!("success")),
            ("http_status", json!(200)),
            ("error_class", Value::Null),
            ("attempted_retries", json!(1)),
            ("attempted_fallbacks", json!(0)),
            ("stream", json!(false)),
            ("x_amzn_requestid", json!("r-1")),
        ],
    );
}

#[test]
fn a_cut_response_is_estimated_and_never_free() {
    for has_response in [true, false] {
        let mut stream = dispatched("/model/m/converse-stream", 1);
        if has_response {
            stream.response(&[(":status", "200")], at(1));
        }
        let row = row(&stream);
        check(
            &row,
            &[
                ("usage_source", json!("estimated")),
                ("prompt_tokens", json!(10)),
                ("spend", json!(0.00003)),
                ("status", json!("failure")),
                ("error_class", json!("Cut")),
                ("stream", json!(true)),
            ],
        );
    }
}

#[test]
fn a_response_cut_while_held_is_billed_with_the_status_that_the_client_received() {
    for (replaced, status) in [(Some(503), json!(503)), (None, Value::Null)] {
        let mut stream = dispatched("/model/m/converse", 1);
        stream.response(&[(":status", "200")], at(1));
        stream.body(USAGE, false, || at(1));
        stream.client_status = replaced;
        let usage = [
            ("usage_source", json!("reported")),
            ("completion_tokens", json!(10)),
        ];
        check(&row(&stream), &usage);
        let outcome = [
            ("http_status", status),
            ("status", json!("failure")),
            ("error_class", json!("Cut")),
        ];
        check(&row(&stream), &outcome);
    }
}

#[test]
fn a_timeout_of_envoy_is_estimated_and_one_of_bedrock_is_free() {
    for (from_bedrock, source, spend) in [
        (false, json!("estimated"), json!(0.00003)),
        (true, Value::Null, json!(0)),
    ] {
        let mut stream = dispatched("/model/m/converse", 1);
        if from_bedrock {
            stream
                .plan
                .as_ref()
                .unwrap()
                .record_response(1, AttemptResponse::of(408), &UnixTime::default);
        }
        let timeout = [(":status", "408"), ("x-amzn-errortype", "ModelTimeoutException")];
        stream.response(&timeout, at(1));
        stream.body(b"", true, || at(1));
        let expected = [
            ("http_status", json!(408)),
            ("error_class", json!("ModelTimeoutException")),
            ("usage_source", source),
            ("spend", spend),
        ];
        check(&row(&stream), &expected);
    }
}

#[test]
fn an_error_of_bedrock_is_free_and_recorded_by_type() {
    let mut stream = dispatched("/model/m/converse", 1);
    let response = [
        (":status", "429"),
        ("x-amzn-errortype", "ThrottlingException:http://internal.test/"),
    ];
    stream.response(&response, at(1));
    stream.body(b"", true, || at(1));
    check(
        &row(&stream),
        &[
            ("spend", json!(0)),
            ("total_tokens", json!(0)),
            ("usage_source", Value::Null),
            ("http_status", json!(429)),
            ("status", json!("failure")),
            ("error_class", json!("ThrottlingException")),
        ],
    );
}

#[test]
fn an_unknown_cost_is_null() {
    let mut stream = dispatched("/model/unpriced/converse", 1);
    stream.response(&[(":status", "200")], at(1));
    stream.body(USAGE, false, || at(1));
    stream.body(b"", true, || at(1));
    check(
        &row(&stream),
        &[
            ("spend", Value::Null),
            ("input_cost", Value::Null),
            ("output_cost", Value::Null),
            ("cache_read_cost", Value::Null),
            ("cache_creation_cost", Value::Null),
            ("total_tokens", json!(1110)),
            ("status", json!("success")),
        ],
    );
    assert!(is_cost_unknown(&stream));
    let mut names = stream.added_headers.iter().map(|(name, _)| name);
    assert!(names.all(|name| !name.contains("cost")));

    let mut stream = dispatched("/model/m/converse", 1);
    stream.response(&[(":status", "200")], at(1));
    stream.body(b"not json", false, || at(1));
    stream.body(b"", true, || at(1));
    check(
        &row(&stream),
        &[
            ("spend", Value::Null),
            ("usage_source", json!("unparsed")),
            ("usage_unread", json!("json")),
        ],
    );
}

#[test]
fn the_price_for_a_wildcard_is_looked_up_by_the_requested_model() {
    for (model, spend) in [("us.x", json!(0.00111)), ("us.y", Value::Null)] {
        let mut stream = dispatched(&format!("/model/{model}/converse"), 1);
        stream.response(&[(":status", "200")], at(1));
        stream.body(USAGE, false, || at(1));
        stream.body(b"", true, || at(1));
        check(
            &row(&stream),
            &[
                ("spend", spend),
                ("model", json!(model)),
                ("model_group", json!("us.*")),
            ],
        );
    }
}

#[test]
fn usage_billed_in_other_units_makes_the_cost_unknown() {
    let zeros = br#"{"usage":{"inputTokens":0,"outputTokens":0}}"#;
    let searched =
        br#"{"usage":{"input_tokens":9,"output_tokens":9,"server_tool_use":{"web_search_requests":1}}}"#;
    for (model, body) in [
        ("images", USAGE),
        ("images", &zeros[..]),
        ("images", b"{\"images\":[]}"),
        ("m", b"{\"images\":[]}"),
        ("m", searched),
    ] {
        let mut stream = dispatched(&format!("/model/{model}/invoke"), 1);
        stream.response(&[(":status", "200")], at(1));
        stream.body(body, false, || at(1));
        stream.body(b"", true, || at(1));
        check(
            &row(&stream),
            &[("spend", Value::Null), ("input_cost", Value::Null)],
        );
        assert!(is_cost_unknown(&stream));
    }
}

#[test]
fn a_row_has_the_latency_and_service_tier_of_its_request() {
    let optimized =
        br#"{"usage":{"inputTokens":100,"outputTokens":10},"performanceConfig":{"latency":"optimized"},
        "serviceTier":{"type":"default"}}"#;
    let standard =
        br#"{"usage":{"inputTokens":100,"outputTokens":10},"performanceConfig":{"latency":"standard"}}"#;
    let header = ("x-amzn-bedrock-performanceconfig-latency", "optimized");
    let tier = ("x-amzn-bedrock-service-tier", "priority");
    for (operation, more, body, tiers, spend) in [
        (
            "converse",
            vec![],
            &optimized[..],
            ["optimized", "default"],
            Value::Null,
        ),
        (
            "converse",
            vec![],
            &standard[..],
            ["standard", ""],
            json!(0.00045),
        ),
        (
            "invoke",
            vec![header, tier],
            USAGE,
            ["optimized", "priority"],
            Value::Null,
        ),
        ("invoke", vec![tier], USAGE, ["", "priority"], json!(0.00075)),
    ] {
        let mut stream = dispatched(&format!("/model/m/{operation}"), 1);
        let mut all = vec![(":status", "200")];
        all.extend(more);
        stream.response(&all, at(1));
        stream.body(body, false, || at(1));
        stream.body(b"", true, || at(1));
        let word = |word: &str| if word.is_empty() { Value::Null } else { json!(word) };
        let [latency, tier] = tiers.map(word);
        check(
            &row(&stream),
            &[
                ("performance_latency", latency),
                ("service_tier", tier),
                (
                    "output_cost",
                    if spend.is_null() {
                        Value::Null
                    } else {
                        json!(0.00015)
                    },
                ),
                ("spend", spend),
            ],
        );
    }
}

#[test]
fn counting_tokens_is_free() {
    let mut stream = dispatched("/model/m/count-tokens", 1);
    stream.response(&[(":status", "200")], at(1));
    stream.body(b"", true, || at(1));
    check(
        &row(&stream),
        &[
            ("spend", json!(0)),
            ("input_cost", json!(0)),
            ("status", json!("success")),
            ("usage_source", Value::Null),
        ],
    );
}

#[test]
fn tokens_are_counted_by_the_foundation_model() {
    for (operation, model) in [("count-tokens", "anthropic.c"), ("converse", "us.anthropic.c")] {
        let stream = dispatched(&format!("/model/images/{operation}"), 1);
        check(&row(&stream), &[("model", json!(model))]);
    }
}

#[test]
fn a_refused_request_has_a_row_without_a_model() {
    let stream = Driver::open(
        &config(),
        &[(":method", "POST"), (":path", "/model/m/converse")],
        true,
        at(0),
    );
    assert!(stream.reply.is_some());
    check(
        &row(&stream),
        &[
            ("http_status", json!(401)),
            ("status", json!("failure")),
            ("error_class", json!("UnrecognizedClientException")),
            ("call_type", Value::Null),
            ("api_key", Value::Null),
            ("model_group", Value::Null),
            ("spend", json!(0)),
        ],
    );
}

#[test]
fn a_refusal_that_the_client_did_not_wait_for_has_a_reason_but_no_status() {
    for (path, error_class, refusal) in [
        (
            "/model/m/converse",
            json!("UnrecognizedClientException"),
            "no_key",
        ),
        ("/health/readiness", Value::Null, "incomplete"),
    ] {
        let request = &[(":method", "GET"), (":path", path)];
        let mut stream = Driver::open(&config(), request, false, at(0));
        assert!(stream.reply.is_none(), "the upload is being drained");
        stream.client_status = None;
        let reason = match stream.close(at(2)).outcome {
            Outcome::Refused { reason, .. } => reason,
            Outcome::Incomplete => "incomplete",
            other => panic!("{other:?}"),
        };
        assert_eq!(reason, refusal);
        check(
            &row(&stream),
            &[
                ("http_status", Value::Null),
                ("status", json!("failure")),
                ("error_class", error_class),
                ("request_duration_ms", json!(2000)),
            ],
        );
    }
}

#[test]
fn the_row_of_a_refused_request_has_its_path_and_requested_model() {
    for (path, key, kept, model) in [
        (
            "/model/m/converse?key=sk-secret",
            "Bearer sk-wrong",
            json!("/model/m/converse"),
            json!("m"),
        ),
        (
            "/model/m%3Fkey=sk-secret/converse",
            "Bearer sk-wrong",
            json!("/model/m"),
            Value::Null,
        ),
        (
            "/model/m/converse%3fkey=sk-secret",
            "Bearer sk-wrong",
            json!("/model/m/converse"),
            json!("m"),
        ),
        (
            "/model/m/converse%23sk-secret",
            "Bearer sk-wrong",
            json!("/model/m/converse"),
            json!("m"),
        ),
        (
            "/sk-secret/model/m/converse",
            "",
            json!("/[redacted]/model/m/converse"),
            Value::Null,
        ),
        (
            "/model/Bearer%20sk-secret/converse",
            "",
            json!("/model/Bearer%20[redacted]/converse"),
            json!("Bearer [redacted]"),
        ),
        (
            "/model/a;key=ABSKsecret/invoke",
            "",
            json!("/model/a;key=[redacted]/invoke"),
            json!("a;key=[redacted]"),
        ),
        (
            "/bedrock-api-key-secret/x",
            "",
            json!("/[redacted]/x"),
            Value::Null,
        ),
        (
            "/model/task-1/invoke",
            "",
            json!("/model/task-1/invoke"),
            json!("task-1"),
        ),
        (
            "/bedrock/model/no%2Fsuch/invoke",
            "Bearer sk-secret",
            json!("/bedrock/model/no%2Fsuch/invoke"),
            json!("no/such"),
        ),
        (
            "/model/m/nothing",
            "Bearer sk-secret",
            json!("/model/m/nothing"),
            Value::Null,
        ),
        ("/v1/models", "", json!("/v1/models"), Value::Null),
    ] {
        let stream = Driver::open(
            &config(),
            &[(":method", "POST"), (":path", path), ("authorization", key)],
            true,
            at(0),
        );
        assert!(stream.reply.is_some());
        check(
            &row(&stream),
            &[
                ("path", kept),
                ("requested_model", model),
                ("model_group", Value::Null),
            ],
        );
    }
}

#[test]
fn a_refused_upload_that_envoy_ends_first_has_the_status_of_envoy() {
    let request = &[(":method", "POST"), (":path", "/model/m/converse")];
    let mut stream = Driver::open(&config(), request, false, at(0));
    assert!(stream.reply.is_none(), "the upload is being drained");
    stream.client_status = Some(408);
    check(
        &row(&stream),
        &[
            ("http_status", json!(408)),
            ("status", json!("failure")),
            ("error_class", json!("UnrecognizedClientException")),
        ],
    );
}

#[test]
fn only_refused_requests_record_their_path() {
    let mut served = dispatched("/model/m/converse", 1);
    served.response(&[(":status", "403")], at(1));
    let probe = [(":method", "GET"), (":path", "/health/readiness")];
    let probed = Driver::open(&config(), &probe, true, at(0));
    for stream in [served, probed] {
        let row = row(&stream);
        assert!(
            row.get("path").is_none() && row.get("requested_model").is_none(),
            "{row}"
        );
    }
}

#[test]
fn a_probe_is_recorded_as_internal() {
    let stream = Driver::open(
        &config(),
        &[(":method", "GET"), (":path", "/health/readiness")],
        true,
        at(0),
    );
    assert!(stream.reply.is_some());
    assert!(matches!(
        stream.close(at(1)).outcome,
        Outcome::Internal { status: 200 }
    ));
    check(
        &row(&stream),
        &[("call_type", json!("internal")), ("status", json!("success"))],
    );
}

#[test]
fn a_request_whose_client_disconnects_during_the_upload_has_a_row() {
    let request = [
        (":method", "POST"),
        (":path", "/model/m/invoke"),
        ("authorization", "Bearer sk-secret"),
    ];
    let stream = Driver::open(&config(), &request, false, at(0));
    assert!(stream.reply.is_none());
    check(
        &row(&stream),
        &[
            ("path", json!("/model/m/invoke")),
            ("requested_model", json!("m")),
            ("status", json!("failure")),
            ("http_status", Value::Null),
            ("spend", json!(0)),
        ],
    );
}

/// The value of a header that the gateway added to the response.
fn header<'a>(stream: &'a Driver, name: &str) -> Option<&'a str> {
    let mut headers = stream.added_headers.iter();
    let found = headers.find(|(found, _)| found == name);
    found.map(|(_, value)| value.as_str())
}

#[test]
fn a_complete_response_has_headers_with_its_deployment_and_cost() {
    let mut stream = dispatched("/model/m/converse", 2);
    assert!(stream.response(&[(":status", "200")], at(1)));
    stream.body(USAGE, false, || at(1));
    assert!(
        stream.added_headers.is_empty(),
        "the response is not complete yet"
    );
    stream.body(b"", true, || at(2));
    for (name, value) in [
        ("x-litellm-call-id", "call-1"),
        ("x-litellm-model-group", "m"),
        ("x-litellm-model-id", "d"),
        ("x-litellm-model-region", "west"),
        ("x-litellm-model-api-base", "west.test/base"),
        ("x-litellm-attempted-retries", "1"),
        ("x-litellm-response-duration-ms", "2000"),
        ("x-litellm-response-cost", "0.00075"),
        ("x-litellm-response-cost-input", "0.0003"),
        ("x-litellm-response-cost-output", "0.00015"),
        ("x-litellm-response-cost-cache-read", "0.0003"),
        ("x-litellm-response-cost-cache-creation", "0"),
    ] {
        assert_eq!(header(&stream, name), Some(value), "{name}");
    }
    let mut names = stream.added_headers.iter().map(|(name, _)| name);
    assert!(names.all(|name| name.starts_with(LITELLM_PREFIX)));
}

#[test]
fn only_a_response_that_is_one_document_is_held_for_its_cost() {
    for (path, status, expected) in [
        ("/model/m/converse", "200", true),
        ("/model/m/invoke", "200", true),
        ("/model/m/converse", "429", false),
        ("/model/m/converse-stream", "200", false),
        ("/model/m/count-tokens", "200", false),
    ] {
        let mut stream = dispatched(path, 1);
        let is_held = stream.response(&[(":status", status)], at(1));
        assert_eq!(is_held, expected, "{path} {status}");
    }
}

#[test]
fn a_refused_request_has_headers_with_its_id_and_no_model() {
    let request = [(":method", "POST"), (":path", "/model/m/converse")];
    let mut stream = Driver::open(&config(), &request, true, at(0));
    stream.response(&[(":status", "401")], at(0));
    let names: Vec<_> = stream.added_headers.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["x-litellm-call-id", "x-litellm-response-duration-ms"]);
}
