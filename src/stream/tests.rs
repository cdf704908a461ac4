use serde_json::{Value, json};

use super::*;
use crate::headers::HeaderPair;
use crate::random::Random;
use crate::routing::active_config::ActiveConfig;
use crate::stream::request::Exchange;

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

fn headers<'a>(pairs: &[(&'a str, &'a str)]) -> Vec<HeaderPair<'a>> {
    pairs
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect()
}

/// An account of a request to `path` that has made `attempts` attempts.
fn departed(path: &str, attempts: u64) -> Account {
    let request = headers(&[
        (":method", "POST"),
        (":path", path),
        ("authorization", "Bearer sk-secret"),
        ("x-litellm-tags", "team-a"),
        ("user-agent", "curl"),
    ]);
    let mut account = Account::open(Headers(&request), "call-1".into(), at(0));
    let mut exchange = Exchange::begin(config(), Headers(&request)).unwrap();
    exchange.receive(&[b'x'; 40]).unwrap();
    let plan = Rc::new(exchange.depart(&mut Random::new(1)).unwrap().plan);
    for number in 1..=attempts {
        plan.request(number, b"west", at(0)).unwrap();
    }
    account.departed(plan);
    account
}

fn line(account: &Account) -> Value {
    let json = account.close(at(2)).json(0);
    assert!(!json.contains("sk-secret"), "{json}");
    serde_json::from_str(&format!("{{{}}}", json.trim_end_matches(','))).unwrap()
}

fn check(line: &Value, expected: &[(&str, Value)]) {
    for (name, value) in expected {
        assert_eq!(&line[name], value, "{name} of {line}");
    }
}

const USAGE: &[u8] = br#"{"output":{},"usage":{"inputTokens":100,"outputTokens":10,"totalTokens":1110,"cacheReadInputTokens":1000}}"#;

#[test]
fn a_whole_answer_leaves_its_usage_and_its_exact_cost() {
    let mut account = departed("/model/m/converse", 2);
    account.answered(Headers(&headers(&[
        (":status", "200"),
        ("x-amzn-requestid", "r-1"),
    ])));
    assert!(account.is_reading());
    account.read(&USAGE[..30], || Some(at(1)));
    account.read(&USAGE[30..], || {
        panic!("the time of the first content is asked for once")
    });
    account.ended();
    let json = account.close(at(2)).json(0);
    // 100 x 3e-6 + 1000 x 3e-7 + 10 x 1.5e-5
    assert!(json.contains("\"spend\":0.00075,"), "{json}");
    check(
        &line(&account),
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
            ("stream", json!(false)),
            ("x_amzn_requestid", json!("r-1")),
        ],
    );
}

#[test]
fn a_cut_answer_is_estimated_and_never_free() {
    for is_answered in [true, false] {
        let mut account = departed("/model/m/converse-stream", 1);
        if is_answered {
            account.answered(Headers(&headers(&[(":status", "200")])));
        }
        let line = line(&account);
        check(
            &line,
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
fn an_answer_that_breaks_off_while_it_waits_is_billed_under_what_the_client_got() {
    for (replaced, status) in [(Some(503), json!(503)), (None, Value::Null)] {
        let mut account = departed("/model/m/converse", 1);
        account.answered(Headers(&headers(&[(":status", "200")])));
        account.read(USAGE, || Some(at(1)));
        account.replaced(replaced);
        let usage = [
            ("usage_source", json!("reported")),
            ("completion_tokens", json!(10)),
        ];
        check(&line(&account), &usage);
        let course = [
            ("http_status", status),
            ("status", json!("failure")),
            ("error_class", json!("Cut")),
        ];
        check(&line(&account), &course);
    }
}

#[test]
fn a_request_that_the_gateway_gives_up_is_estimated_and_one_that_bedrock_does_is_not() {
    for (is_bedrocks, source, spend) in [
        (false, json!("estimated"), json!(0.00003)),
        (true, Value::Null, json!(0)),
    ] {
        let mut account = departed("/model/m/converse", 1);
        if let (true, Course::Departed { plan, .. }) = (is_bedrocks, &account.course) {
            plan.answered(1, 504, None);
        }
        let timeout = [(":status", "504"), ("x-amzn-errortype", "ModelTimeoutException")];
        account.answered(Headers(&headers(&timeout)));
        assert!(!account.is_reading());
        account.ended();
        let expected = [
            ("http_status", json!(504)),
            ("error_class", json!("ModelTimeoutException")),
            ("usage_source", source),
            ("spend", spend),
        ];
        check(&line(&account), &expected);
    }
}

#[test]
fn an_error_of_bedrock_costs_nothing_and_is_named() {
    let mut account = departed("/model/m/converse", 1);
    let answer = [
        (":status", "429"),
        ("x-amzn-errortype", "ThrottlingException:http://internal.test/"),
    ];
    account.answered(Headers(&headers(&answer)));
    assert!(!account.is_reading());
    account.ended();
    check(
        &line(&account),
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
fn a_spend_that_nobody_knows_is_null() {
    let mut account = departed("/model/unpriced/converse", 1);
    account.answered(Headers(&headers(&[(":status", "200")])));
    account.read(USAGE, || None);
    account.ended();
    check(
        &line(&account),
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
    assert!(account.close(at(2)).is_spend_unknown());
    let names = told(&account).into_iter().map(|(name, _)| name);
    assert!(names.into_iter().all(|name| !name.contains("cost")));

    let mut account = departed("/model/m/converse", 1);
    account.answered(Headers(&headers(&[(":status", "200")])));
    account.read(b"not json", || None);
    account.ended();
    check(
        &line(&account),
        &[
            ("spend", Value::Null),
            ("usage_source", json!("unparsed")),
            ("usage_unread", json!("json")),
        ],
    );
}

#[test]
fn a_wildcards_price_is_looked_up_by_the_name_that_the_client_gave() {
    for (model, spend) in [("us.x", json!(0.00111)), ("us.y", Value::Null)] {
        let mut account = departed(&format!("/model/{model}/converse"), 1);
        account.answered(Headers(&headers(&[(":status", "200")])));
        account.read(USAGE, || None);
        account.ended();
        check(
            &line(&account),
            &[
                ("spend", spend),
                ("model", json!(model)),
                ("model_group", json!("us.*")),
            ],
        );
    }
}

#[test]
fn what_is_paid_for_in_another_unit_has_no_cost_whatever_the_answer_counts() {
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
        let mut account = departed(&format!("/model/{model}/invoke"), 1);
        account.answered(Headers(&headers(&[(":status", "200")])));
        account.read(body, || None);
        account.ended();
        check(
            &line(&account),
            &[("spend", Value::Null), ("input_cost", Value::Null)],
        );
        assert!(account.close(at(2)).is_spend_unknown());
    }
}

#[test]
fn the_latency_and_the_tier_that_served_a_request_are_in_its_line() {
    let optimized =
        br#"{"usage":{"inputTokens":100,"outputTokens":10},"performanceConfig":{"latency":"optimized"},
        "serviceTier":{"type":"default"}}"#;
    let standard =
        br#"{"usage":{"inputTokens":100,"outputTokens":10},"performanceConfig":{"latency":"standard"}}"#;
    let header = ("x-amzn-bedrock-performanceconfig-latency", "optimized");
    let tier = ("x-amzn-bedrock-service-tier", "priority");
    for (operation, more, body, told, spend) in [
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
        let mut account = departed(&format!("/model/m/{operation}"), 1);
        let mut all = vec![(":status", "200")];
        all.extend(more);
        account.answered(Headers(&headers(&all)));
        account.read(body, || None);
        account.ended();
        let word = |word: &str| if word.is_empty() { Value::Null } else { json!(word) };
        let [latency, tier] = told.map(word);
        check(
            &line(&account),
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
    let mut account = departed("/model/m/count-tokens", 1);
    account.answered(Headers(&headers(&[(":status", "200")])));
    account.ended();
    check(
        &line(&account),
        &[
            ("spend", json!(0)),
            ("input_cost", json!(0)),
            ("status", json!("success")),
            ("usage_source", Value::Null),
        ],
    );
}

#[test]
fn counted_tokens_are_those_of_the_foundation_model() {
    for (operation, model) in [("count-tokens", "anthropic.c"), ("converse", "us.anthropic.c")] {
        let account = departed(&format!("/model/images/{operation}"), 1);
        check(&line(&account), &[("model", json!(model))]);
    }
}

#[test]
fn a_refused_request_has_a_line_without_a_model() {
    let request = headers(&[(":method", "POST"), (":path", "/model/m/converse")]);
    let mut account = Account::open(Headers(&request), "call-1".into(), at(0));
    account.refused(&Exchange::begin(config(), Headers(&request)).unwrap_err());
    check(
        &line(&account),
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
fn a_client_that_leaves_before_its_refusal_got_no_status_but_the_reason_stays() {
    for (path, error_class, refusal) in [
        (
            "/model/m/converse",
            json!("UnrecognizedClientException"),
            "no_key",
        ),
        ("/health/readiness", Value::Null, "incomplete"),
    ] {
        let request = headers(&[(":method", "GET"), (":path", path)]);
        let mut account = Account::open(Headers(&request), "call-1".into(), at(0));
        account.refused(&Exchange::begin(config(), Headers(&request)).unwrap_err());
        account.replaced(None);
        let row = account.close(at(2));
        assert_eq!((row.refusal(), row.is_internal()), (Some(refusal), false));
        check(
            &line(&account),
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
fn a_refused_request_tells_what_it_asked_for() {
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
        let request = headers(&[(":method", "POST"), (":path", path), ("authorization", key)]);
        let mut account = Account::open(Headers(&request), "call-1".into(), at(0));
        account.refused(&Exchange::begin(config(), Headers(&request)).unwrap_err());
        check(
            &line(&account),
            &[
                ("path", kept),
                ("requested_model", model),
                ("model_group", Value::Null),
            ],
        );
    }
}

#[test]
fn an_upload_that_envoy_ends_before_its_refusal_has_envoys_status() {
    let request = headers(&[(":method", "POST"), (":path", "/model/m/converse")]);
    let mut account = Account::open(Headers(&request), "call-1".into(), at(0));
    account.refused(&Exchange::begin(config(), Headers(&request)).unwrap_err());
    account.replaced(Some(408));
    check(
        &line(&account),
        &[
            ("http_status", json!(408)),
            ("status", json!("failure")),
            ("error_class", json!("UnrecognizedClientException")),
        ],
    );
}

#[test]
fn only_refused_requests_tell_their_path() {
    let mut answered = departed("/model/m/converse", 1);
    answered.answered(Headers(&headers(&[(":status", "403")])));
    let probe = headers(&[(":method", "GET"), (":path", "/health/readiness")]);
    let mut probed = Account::open(Headers(&probe), "call-1".into(), at(0));
    probed.refused(&Exchange::begin(config(), Headers(&probe)).unwrap_err());
    for account in [answered, probed] {
        let line = line(&account);
        assert!(
            line.get("path").is_none() && line.get("requested_model").is_none(),
            "{line}"
        );
    }
}

#[test]
fn a_probe_is_told_from_a_request_for_a_model() {
    let request = headers(&[(":method", "GET"), (":path", "/health/readiness")]);
    let mut account = Account::open(Headers(&request), "call-1".into(), at(0));
    account.refused(&Exchange::begin(config(), Headers(&request)).unwrap_err());
    assert!(account.close(at(1)).is_internal());
    check(
        &line(&account),
        &[("call_type", json!("internal")), ("status", json!("success"))],
    );
}

#[test]
fn a_client_that_leaves_while_it_sends_has_a_line() {
    let request = headers(&[(":path", "/model/m/invoke")]);
    let account = Account::open(Headers(&request), "call-1".into(), at(0));
    check(
        &line(&account),
        &[
            ("path", json!("/model/m/invoke")),
            ("requested_model", json!("m")),
            ("status", json!("failure")),
            ("http_status", Value::Null),
            ("spend", json!(0)),
        ],
    );
}

fn told(account: &Account) -> Vec<(&'static str, String)> {
    account.headers(at(2))
}

fn header<'a>(headers: &'a [(&'static str, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value.as_str())
}

#[test]
fn a_whole_answer_tells_its_course_and_its_cost() {
    let mut account = departed("/model/m/converse", 2);
    account.answered(Headers(&headers(&[(":status", "200")])));
    assert!(account.may_wait());
    account.read(USAGE, || Some(at(1)));
    assert_eq!(
        header(&told(&account), "x-litellm-response-cost"),
        None,
        "the answer is not complete yet"
    );
    account.ended();
    let told = told(&account);
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
        assert_eq!(header(&told, name), Some(value), "{name}");
    }
    assert!(
        told.iter()
            .all(|(name, _)| name.starts_with(crate::stream::headers::PREFIX))
    );
}

#[test]
fn only_an_answer_that_is_one_document_waits_for_its_cost() {
    for (path, status, waits) in [
        ("/model/m/converse", "200", true),
        ("/model/m/invoke", "200", true),
        ("/model/m/converse", "429", false),
        ("/model/m/converse-stream", "200", false),
        ("/model/m/count-tokens", "200", false),
    ] {
        let mut account = departed(path, 1);
        account.answered(Headers(&headers(&[(":status", status)])));
        assert_eq!(account.may_wait(), waits, "{path} {status}");
    }
}

#[test]
fn a_refused_request_tells_its_id_and_nothing_of_a_model() {
    let account = Account::open(Headers(&[]), "call-1".into(), at(0));
    let names: Vec<_> = told(&account).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["x-litellm-call-id", "x-litellm-response-duration-ms"]);
}
