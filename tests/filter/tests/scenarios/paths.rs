//! Paths: which of them go upstream.

use envoy_bedrock::admission::path::ALIAS_MAX_BYTES;
use envoy_bedrock::contract::names::{HEADER_ROUTE, ROUTE_STREAM, ROUTE_UNARY};
use filter_tests::{HttpExchange, HttpMessage, UpstreamResponse};

use crate::fixtures::{MASTER_KEY, TestDeployment, WEST, WILDCARD, WILDCARD_ALIAS};
use crate::oracle::assert_signed;
use crate::scene::{Scene, forwarded, refusal, refusals, route};
use crate::table;

const OPERATIONS: [(&str, &str); 5] = [
    ("converse", ROUTE_UNARY),
    ("converse-stream", ROUTE_STREAM),
    ("invoke", ROUTE_UNARY),
    ("invoke-with-response-stream", ROUTE_STREAM),
    ("count-tokens", ROUTE_UNARY),
];

/// Sends a request and asserts that it reaches `deployment` for `operation`.
fn assert_reaches(scene: &Scene, path: &[u8], deployment: &TestDeployment, operation: &str) -> HttpMessage {
    let exchange = post(scene, path);
    let now = scene.now_seconds();
    let response = route(exchange, |_, sent| {
        assert_signed(sent, deployment, operation, b"{}", now);
        UpstreamResponse::new(200, &[], "{}")
    });
    let mut response = response.unwrap();
    assert_eq!(response.status(), 200, "{}", path.escape_ascii());
    response.attempts.remove(0)
}

/// Sends a request with the key. The path need not be text.
fn post(scene: &Scene, path: &[u8]) -> HttpExchange {
    let authorization = format!("Bearer {MASTER_KEY}");
    send(scene, path, Some(&authorization))
}

fn send(scene: &Scene, path: &[u8], authorization: Option<&str>) -> HttpExchange {
    let mut headers = vec![
        (&b":method"[..], &b"POST"[..]),
        (b":scheme", b"http"),
        (b":authority", b"localhost:4000"),
        (b":path", path),
    ];
    headers.extend(authorization.map(|value| (&b"authorization"[..], value.as_bytes())));
    scene.request(headers).body(["{}"]).send().unwrap()
}

#[test]
fn every_operation_has_its_own_route_with_and_without_the_prefix() {
    let scene = Scene::new();
    for (operation, expected) in OPERATIONS {
        for prefix in ["", "/bedrock", "/", "/bedrock/", "//bedrock", "///bedrock//"] {
            let path = format!("{prefix}/model/one/{operation}");
            let headers = forwarded(&post(&scene, path.as_bytes())).headers.unwrap();
            assert_eq!(headers.text(HEADER_ROUTE), Some(expected), "{path}");
            assert_reaches(&scene, path.as_bytes(), &WEST, operation);
        }
    }
}

#[test]
fn the_good_paths_of_the_table_go_upstream() {
    let scene = Scene::new();
    for row in table::paths(MASTER_KEY).iter().filter(|row| row.status == 200) {
        let operation = row.upstream.rsplit('/').next().unwrap();
        let sent = assert_reaches(&scene, &row.path, &WEST, operation);
        let headers = sent.headers.unwrap();
        assert_eq!(headers.text(":path"), Some(row.upstream.as_str()), "{}", row.name);
    }
}

#[test]
fn model_group_aliases_and_wildcards_can_be_percent_encoded() {
    let scene = Scene::new();
    for alias in ["nickname", "%6Eickname"] {
        let path = format!("/model/{alias}/converse");
        assert_reaches(&scene, path.as_bytes(), &WEST, "converse");
    }
    let path = format!("/model/{WILDCARD_ALIAS}/invoke");
    assert_reaches(&scene, path.as_bytes(), &WILDCARD, "invoke");
}

/// A refused path: status, reason (in the metrics' words) and path.
fn hostile() -> Vec<(u32, String, Vec<u8>)> {
    let rows = table::paths(MASTER_KEY).into_iter();
    let mut all: Vec<_> = rows
        .filter(|row| row.status != 200 && row.is_guarded)
        .map(|row| {
            let is_bad = row.reason.starts_with("bad_");
            let reason = if is_bad { "bad_path".to_owned() } else { row.reason };
            (row.status, reason, row.path)
        })
        .collect();
    for letter in ["x", "%78"] {
        for (length, reason) in [
            (ALIAS_MAX_BYTES, "unknown_model"),
            (ALIAS_MAX_BYTES + 1, "bad_path"),
            (60_000, "bad_path"),
        ] {
            let path = format!("/model/{}/converse", letter.repeat(length));
            all.push((400, reason.to_owned(), path.into_bytes()));
        }
    }
    all
}

#[test]
fn hostile_paths_are_refused_and_never_go_upstream() {
    let scene = Scene::new();
    let authorization = format!("Bearer {MASTER_KEY}");
    for (status, reason, path) in hostile() {
        for (authorization, status, reason) in
            [(Some(&*authorization), status, &*reason), (None, 401, "no_key")]
        {
            let before = refusals(&scene, reason);
            let exchange = send(&scene, &path, authorization);
            assert_eq!(refusal(&exchange).status, status, "{}", path.escape_ascii());
            exchange.finish().unwrap();
            assert_eq!(refusals(&scene, reason), before + 1, "{}", path.escape_ascii());
        }
    }
    scene.assert_healthy();
}

#[test]
fn an_alias_may_be_as_long_as_a_bedrock_model_id() {
    let scene = Scene::new();
    let message = |length: usize| {
        let path = format!("/model/{}/converse", "x".repeat(length));
        let reply = refusal(&scene.post(&path).send().unwrap());
        reply.body["message"].as_str().unwrap().to_owned()
    };
    for length in [ALIAS_MAX_BYTES - 1, ALIAS_MAX_BYTES] {
        assert!(message(length).starts_with("Invalid model name"), "{length}");
    }
    assert!(message(ALIAS_MAX_BYTES + 1).contains("longer than 2048 bytes"));
}

#[test]
fn other_methods_are_a_405_that_names_post() {
    let scene = Scene::new();
    let authorization = format!("Bearer {MASTER_KEY}");
    for row in table::methods(MASTER_KEY) {
        let headers = [
            (&b":method"[..], &*row.method),
            (b":path", b"/model/one/converse"),
            (b"authorization", authorization.as_bytes()),
        ];
        let reply = refusal(&scene.request(headers).send().unwrap());
        assert_eq!(
            (reply.status, reply.headers.text("allow")),
            (row.status, Some("POST")),
            "{}",
            row.name
        );
    }
}

#[test]
fn an_unknown_model_is_a_validation_exception_with_its_name() {
    let scene = Scene::new();
    let reply = refusal(&scene.post("/model/no%20such%22model/converse").send().unwrap());
    assert_eq!(reply.status, 400);
    let message = reply.body["message"].as_str().unwrap();
    assert!(message.contains("model=no such\"model. "), "{message}");
    assert!(
        message.contains("model_name \"*\"") && message.contains("us.anthropic.*"),
        "{message}"
    );
}
