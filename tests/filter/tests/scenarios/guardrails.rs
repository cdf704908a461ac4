//! Models with a guardrail: whatever the client sends, Bedrock receives the configured guardrail,
//! covered by the signature.

use filter_tests::{
    FaultPlan, HeaderMap, HostCall, HttpExchange, Reach, RequestOutcome, UpstreamResponse, sweep,
};
use serde_json::{Value, json};

use crate::fixtures::{EAST, START_SECONDS, TOKEN, TestDeployment, WEST, model, settings, settings_of};
use crate::oracle::assert_signed;
use crate::scene::{Scene, forwarded, refusal, route};

const PATH: &str = "/model/guarded/converse";
/// The most bytes that the filter edits at once.
const PIECE: usize = 64 * 1024;
const MEBIBYTE: usize = 1024 * 1024;
const OURS: &str = r#""guardrailConfig":{"guardrailIdentifier":"gr7x2kq9p4aa","guardrailVersion":"3","trace":"enabled_full"}"#;
const THEIRS: &str = r#""guardrail\u0043onfig":{"guardrailIdentifier":"none","guardrailVersion":"1"}"#;

fn guarded_settings() -> Value {
    let mut guarded = model("guarded", &[(WEST, 1, 0), (EAST, 1, 1), (TOKEN, 1, 2)]);
    guarded["guardrail"] = json!({
        "identifier": "gr7x2kq9p4aa", "version": "3", "trace": "enabled_full", "stream_processing_mode": "async",
    });
    settings_of(vec![guarded, model("one", &[(WEST, 1, 0)])])
}

fn scene() -> Scene {
    Scene::with(&guarded_settings())
}

/// Routes a Converse request to its first deployment, which must receive `body`.
fn arrives(exchange: HttpExchange, body: &[u8]) {
    let response = route(exchange, |_, _| UpstreamResponse::new(200, &[], "{}")).unwrap();
    let sent = &response.attempts[0];
    assert_signed(sent, &WEST, "converse", body, START_SECONDS);
    let headers = sent.headers.as_ref().unwrap();
    let media: Vec<_> = headers.values("content-type").collect();
    assert_eq!(media, [b"application/json"]);
}

/// `{`, the guardrail, and `rest`.
fn with_ours(rest: &str) -> Vec<u8> {
    format!("{{{OURS}{rest}").into_bytes()
}

#[test]
fn the_guardrail_is_the_first_member_of_a_converse_request() {
    let scene = scene();
    let post = |body: &str| scene.post(PATH).body([body]).send().unwrap();
    arrives(post(r#"{"messages":[]}"#), &with_ours(r#","messages":[]}"#));
    arrives(post("{}"), &with_ours("}"));
    let mine = format!(r#"{{"a":1 , {THEIRS} , "b":{{"guardrailConfig":2}}}}"#);
    arrives(post(&mine), &with_ours(r#","a":1 , "b":{"guardrailConfig":2}}"#));
    let charset = [
        ("content-type", "application/json; charset=utf-16"),
        ("content-encoding", "identity"),
    ];
    let exchange = scene.post_with(PATH, &charset).body(["{}"]).send().unwrap();
    arrives(exchange, &with_ours("}"));
}

#[test]
fn a_stream_gets_the_processing_mode_and_count_tokens_gets_no_guardrail() {
    let scene = scene();
    let streamed = json!({"guardrailConfig": {
        "guardrailIdentifier": "gr7x2kq9p4aa", "guardrailVersion": "3", "trace": "enabled_full",
        "streamProcessingMode": "async",
    }});
    for (operation, expected) in [("converse-stream", streamed), ("count-tokens", json!({}))] {
        let exchange = scene
            .post(&format!("/model/guarded/{operation}"))
            .body(["{}"])
            .send()
            .unwrap();
        let response = route(exchange, |_, _| UpstreamResponse::new(200, &[], "")).unwrap();
        let sent = response.attempts[0].body();
        let sent: Value = serde_json::from_slice(&sent).unwrap();
        assert_eq!(sent, expected, "{operation}");
    }
    // A body must be JSON only if something is inserted into it.
    for path in [
        "/model/guarded/count-tokens",
        "/model/one/converse",
        "/model/guarded/invoke",
    ] {
        let exchange = scene.post(path).body(["not json"]).send().unwrap();
        assert_eq!(forwarded(&exchange).body(), b"not json", "{path}");
    }
}

#[test]
fn the_edited_body_is_the_same_however_it_arrives() {
    let scene = scene();
    for (body, sent) in [
        (
            r#" {"messages":[1,2]} "#.to_owned(),
            format!(r#" {{{OURS},"messages":[1,2]}} "#),
        ),
        (
            format!(r#"{{"a":"ä",{THEIRS},"b":2}}"#),
            format!(r#"{{{OURS},"a":"ä","b":2}}"#),
        ),
    ] {
        let (body, sent) = (body.as_bytes(), sent.as_bytes());
        for at in 0..=body.len() {
            let (start, end) = body.split_at(at);
            arrives(scene.post(PATH).body([start, end]).send().unwrap(), sent);
        }
        arrives(scene.post(PATH).body(body.chunks(1)).send().unwrap(), sent);
        arrives(scene.post(PATH).body([b"", body, b""]).send().unwrap(), sent);
        let trailers = [("x-amz-trailer-signature", "forged")];
        arrives(
            scene.post(PATH).body([body]).trailers(trailers).send().unwrap(),
            sent,
        );
        let exchange = scene
            .post(PATH)
            .body([body, b""])
            .trailers(trailers)
            .send()
            .unwrap();
        arrives(exchange, sent);
    }
}

/// A string member of `bytes` bytes.
fn filler(name: &str, bytes: usize) -> String {
    format!("\"{name}\":\"{}\"", "x".repeat(bytes - name.len() - 5))
}

#[test]
fn a_member_is_removed_from_anywhere_in_a_long_body() {
    let scene = scene();
    // At the start, around the borders of the pieces, and at the end.
    for before in [
        20,
        PIECE - 40,
        PIECE - 1,
        PIECE,
        PIECE + 1,
        2 * PIECE - 10,
        4 * PIECE,
        5 * PIECE,
    ] {
        let (first, last) = (filler("first", before), filler("last", 2 * PIECE));
        let body = format!("{{{first},{THEIRS},{last}}}");
        let sent = with_ours(&format!(",{first},{last}}}"));
        for size in [body.len(), 64 * 1024, 100_003] {
            let exchange = scene
                .post(PATH)
                .body(body.as_bytes().chunks(size))
                .send()
                .unwrap();
            arrives(exchange, &sent);
        }
        let body = format!("{{{THEIRS},{first},{THEIRS}}}");
        let exchange = scene.post(PATH).body([&body]).send().unwrap();
        arrives(exchange, &with_ours(&format!(",{first}}}")));
    }
    let theirs = format!("\"guardrailConfig\":[{}]", "1,".repeat(2 * PIECE) + "1");
    let exchange = scene
        .post(PATH)
        .body([format!("{{{theirs},\"a\":1}}")])
        .send()
        .unwrap();
    arrives(exchange, &with_ours(",\"a\":1}"));
}

#[test]
fn white_space_before_the_object_can_be_long() {
    let scene = scene();
    for spaces in [PIECE - 2, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
        let space = " ".repeat(spaces);
        let exchange = scene
            .post(PATH)
            .body([format!("{space}{{\"a\":1}}")])
            .send()
            .unwrap();
        arrives(exchange, format!("{space}{{{OURS},\"a\":1}}").as_bytes());
    }
}

#[test]
fn a_body_that_is_not_a_json_object_is_a_typed_400() {
    let scene = scene();
    for (body, found) in [
        (&b""[..], "an empty body"),
        (b"[]", "not an object"),
        (b"{\"a\":", "truncated"),
        (b"{\"a\":1}x", "malformed JSON"),
        (b"\xef\xbb\xbf{}", "malformed JSON"),
        (b"{\"a\":\"\xff\"}", "not UTF-8"),
        (b"\x1f\x8b\x08\0\0\0", "UTF-8"),
    ] {
        let trailers = [("x-trailer", "1")];
        let mut exchanges = vec![
            scene.post(PATH).body([body]).send().unwrap(),
            scene.post(PATH).body([body, b""]).send().unwrap(),
            scene.post(PATH).body([body]).trailers(trailers).send().unwrap(),
        ];
        if body.is_empty() {
            exchanges.push(scene.post(PATH).send().unwrap());
            exchanges.push(scene.post(PATH).trailers(trailers).send().unwrap());
        }
        for exchange in exchanges {
            let reply = refusal(&exchange);
            assert_eq!(reply.status, 400);
            let message = reply.body["message"].as_str().unwrap();
            assert!(
                message.contains("must be a JSON object") && message.contains(found),
                "{message}"
            );
            exchange.finish().unwrap();
        }
    }
    scene.assert_healthy();
}

#[test]
fn an_error_in_the_body_is_reported_after_the_upload() {
    let scene = scene();
    let mut exchange = scene.post(PATH).unfinished().send().unwrap();
    // Nothing after the error can repair it.
    for chunk in ["{\"a\":1", "]", "}"] {
        exchange.request_chunk(chunk.as_bytes(), false).unwrap();
        assert_eq!(exchange.outcome(), RequestOutcome::Waiting);
    }
    exchange.request_chunk(b"", true).unwrap();
    assert_eq!(refusal(&exchange).status, 400);
    exchange.finish().unwrap();
}

#[test]
fn the_limit_applies_to_the_clients_body() {
    let limit = 1000;
    let mut settings = guarded_settings();
    settings["body_limit_bytes"] = json!(limit);
    let scene = Scene::with(&settings);
    for length in [limit - 1, limit] {
        let member = filler("a", length - 2);
        let exchange = scene.post(PATH).body([format!("{{{member}}}")]).send().unwrap();
        arrives(exchange, &with_ours(&format!(",{member}}}")));
    }
    let body = format!("{{{}}}", filler("a", limit - 1));
    let exchange = scene.post(PATH).body(body.as_bytes().chunks(400)).send().unwrap();
    assert_eq!(refusal(&exchange).status, 413);
    exchange.finish().unwrap();
}

#[test]
fn invoke_gets_the_guardrail_in_headers_that_replace_the_clients() {
    let scene = scene();
    let theirs = [
        ("x-amzn-bedrock-guardrailidentifier", "theirs"),
        ("x-amzn-bedrock-guardrailidentifier", "theirs-too"),
        ("x-amzn-bedrock-trace", "DISABLED"),
        ("x-amzn-bedrock-service-tier", "flex"),
    ];
    for operation in ["invoke", "invoke-with-response-stream"] {
        let path = format!("/model/guarded/{operation}");
        let exchange = scene
            .post_with(&path, &theirs)
            .body(["{\"guardrailConfig\":1}"])
            .send()
            .unwrap();
        let response = route(exchange, |_, _| UpstreamResponse::new(200, &[], "{}")).unwrap();
        let sent = &response.attempts[0];
        assert_signed(sent, &WEST, operation, b"{\"guardrailConfig\":1}", START_SECONDS);
        let headers = sent.headers.as_ref().unwrap();
        for (name, expected) in [
            ("x-amzn-bedrock-guardrailidentifier", "gr7x2kq9p4aa"),
            ("x-amzn-bedrock-guardrailversion", "3"),
            ("x-amzn-bedrock-trace", "ENABLED_FULL"),
            ("x-amzn-bedrock-service-tier", "flex"),
        ] {
            let found: Vec<_> = headers.values(name).collect();
            assert_eq!(found, [expected.as_bytes()], "{name}");
        }
    }
}

#[test]
fn every_attempt_has_the_guardrail() {
    let scene = scene();
    let attempts: [TestDeployment; 3] = [WEST, EAST, TOKEN];
    let body = format!("{{{THEIRS},\"a\":1}}");
    let exchange = scene.post(PATH).body([&body]).send().unwrap();
    let response = route(exchange, |number, _| {
        UpstreamResponse::new(if number == 3 { 200 } else { 429 }, &[], "{}")
    });
    let sent = response.unwrap().attempts;
    assert_eq!(sent.len(), 3);
    for (sent, deployment) in sent.iter().zip(&attempts) {
        assert_signed(
            sent,
            deployment,
            "converse",
            &with_ours(",\"a\":1}"),
            START_SECONDS,
        );
    }
    let exchange = scene.post("/model/guarded/invoke").body(["{}"]).send().unwrap();
    let response = route(exchange, |number, _| {
        UpstreamResponse::new(if number == 3 { 200 } else { 503 }, &[], "{}")
    });
    for sent in response.unwrap().attempts {
        let identifier = sent
            .headers
            .as_ref()
            .unwrap()
            .text("x-amzn-bedrock-guardrailidentifier")
            .map(str::to_owned);
        assert_eq!(identifier.as_deref(), Some("gr7x2kq9p4aa"));
    }
}

#[test]
fn large_bodies_do_not_grow_the_memory_by_their_size() {
    let scene = scene();
    let serve = |body: &str, chunk_bytes: usize| {
        let exchange = scene
            .post(PATH)
            .body(body.as_bytes().chunks(chunk_bytes))
            .send()
            .unwrap();
        let response = route(exchange, |_, _| UpstreamResponse::new(200, &[], "{}")).unwrap();
        assert_eq!(response.status(), 200);
        response.attempts[0].body().len()
    };
    serve("{}", 1);
    let before = scene.memory_bytes();
    let member = filler("a", 20 * MEBIBYTE);
    let sent = with_ours(&format!(",{member}}}")).len();
    for body in [
        format!("{{{member}}}"),
        format!("{{{member},{THEIRS}}}"),
        format!("{{{THEIRS},{member}}}"),
    ] {
        for chunk_bytes in [body.len(), 64 * 1024, 16 * 1024 + 1] {
            assert_eq!(serve(&body, chunk_bytes), sent);
        }
    }
    let theirs = format!("{{\"guardrailConfig\":\"{}\"}}", "x".repeat(20 * MEBIBYTE));
    assert_eq!(serve(&theirs, 64 * 1024), OURS.len() + 2);
    let grown = scene.memory_bytes() - before;
    assert!(grown <= MEBIBYTE, "{grown} bytes");
}

#[test]
fn a_body_without_a_guardrail_costs_two_more_host_calls_whatever_its_size() {
    let scene = scene();
    let calls = |path: &str, body: &[u8]| {
        let before = scene.host().journal.len();
        let exchange = scene.post(path).body(body.chunks(64 * 1024)).send().unwrap();
        assert!(matches!(exchange.outcome(), RequestOutcome::Forwarded(_)));
        exchange.finish().unwrap();
        scene.host().journal.len() - before
    };
    let large = format!("{{{}}}", filler("a", 4 * MEBIBYTE));
    for body in [b"{\"a\":1}", large.as_bytes()] {
        // The first request defines the metrics.
        calls("/model/one/converse", body);
        calls(PATH, body);
        assert_eq!(calls(PATH, body), calls("/model/one/converse", body) + 2);
    }
    let is_write = |call: &&HostCall| call.function == "proxy_set_buffer_bytes";
    assert!(
        scene
            .host()
            .journal
            .iter()
            .filter(is_write)
            .all(|call| call.status == 0)
    );
}

/// Asserts that no failing host call lets a request go upstream without the guardrail.
fn assert_swept(reach: Reach, body: &str, sent: &[u8]) {
    let mut left = 0;
    let runs = sweep(reach, |plan: FaultPlan| {
        let Ok(scene) = Scene::start(&guarded_settings(), plan.clone()) else {
            return;
        };
        let mut exchange = scene.post(PATH).body([body]).send().unwrap();
        if let RequestOutcome::Forwarded(_) = exchange.outcome() {
            let attempt = exchange.attempt(1, WEST.cluster).unwrap();
            if attempt.headers.is_some() {
                assert_signed(&attempt, &WEST, "converse", sent, scene.now_seconds());
                left += 1;
            }
            let _ = exchange
                .judge(HeaderMap::new([(":status", "200")]), true)
                .unwrap();
        }
        exchange.finish().unwrap();
        assert_eq!(scene.host().streams(), 0);
    });
    assert!(runs > 20 && left > 5, "{runs} {left}");
}

#[test]
fn no_failure_of_the_host_lets_a_request_pass_without_the_guardrail() {
    for reach in [Reach::Envoy, Reach::Hostile] {
        assert_swept(reach, "{\"a\":1}", &with_ours(",\"a\":1}"));
        assert_swept(reach, &format!("{{\"a\":1,{THEIRS}}}"), &with_ours(",\"a\":1}"));
    }
}

#[test]
fn a_guardrail_that_does_not_fit_in_a_header_is_refused_at_startup() {
    let mut settings = settings();
    settings["models"][0]["guardrail"] = json!({"identifier": "a\r\nb: c", "version": "1"});
    let Err(error) = Scene::start(&settings, FaultPlan::default()) else {
        panic!("the configuration is accepted");
    };
    let shown = format!("{error:?}");
    assert!(
        shown.contains("models[0].guardrail.identifier: expected the id or ARN of a guardrail"),
        "{shown}"
    );
}
