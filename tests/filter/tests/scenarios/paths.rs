//! Paths: which lead somewhere, and that no other goes upstream.

use envoy_bedrock::admission::path::ALIAS_MAX_BYTES;
use envoy_bedrock::contract::names::{HEADER_ROUTE, ROUTE_STREAM, ROUTE_UNARY};
use filter_tests::UpstreamResponse;

use crate::oracle::assert_signed;
use crate::scene::{
    MASTER_KEY, Scene, TestDeployment, WEST, WILDCARD, WILDCARD_ALIAS, bare, forwarded, refusal, route,
};

const OPERATIONS: [(&str, &str); 5] = [
    ("converse", ROUTE_UNARY),
    ("converse-stream", ROUTE_STREAM),
    ("invoke", ROUTE_UNARY),
    ("invoke-with-response-stream", ROUTE_STREAM),
    ("count-tokens", ROUTE_UNARY),
];

/// Sends a request and returns the path that went upstream.
fn assert_reaches(scene: &Scene, path: &str, deployment: &TestDeployment, operation: &str) {
    let exchange = scene.post(path).body(["{}"]).send().unwrap();
    let now = scene.now_seconds();
    let answer = route(exchange, |_, sent| {
        assert_signed(sent, deployment, operation, b"{}", now);
        UpstreamResponse::new(200, &[], "{}")
    });
    assert_eq!(answer.unwrap().status(), 200, "{path}");
}

#[test]
fn every_operation_is_reached_with_and_without_the_prefix_by_its_own_route() {
    let scene = Scene::new();
    for (operation, expected) in OPERATIONS {
        for prefix in ["", "/bedrock", "/", "/bedrock/", "//bedrock", "///bedrock//"] {
            let path = format!("{prefix}/model/one/{operation}");
            let exchange = scene.post(&path).body(["{}"]).send().unwrap();
            let headers = forwarded(&exchange).headers.unwrap();
            assert_eq!(headers.text(HEADER_ROUTE), Some(expected), "{path}");
            assert_reaches(&scene, &path, &WEST, operation);
        }
    }
}

#[test]
fn every_spelling_of_an_alias_is_the_same_alias() {
    let scene = Scene::new();
    for alias in [
        "team/a:b",
        "team%2Fa:b",
        "team%2fa:b",
        "team/a%3Ab",
        "team/a%3ab",
        "team%2Fa%3Ab",
        "%74eam%2Fa%3Ab",
        "team/%61:b",
        "nickname",
        "%6Eickname",
    ] {
        assert_reaches(&scene, &format!("/model/{alias}/converse"), &WEST, "converse");
    }
    assert_reaches(
        &scene,
        &format!("/model/{WILDCARD_ALIAS}/invoke"),
        &WILDCARD,
        "invoke",
    );
}

#[test]
fn the_query_string_is_not_forwarded() {
    let scene = Scene::new();
    for query in ["?", "?a=b", "?a=b?c", "?/converse", "?%00", "?\\"] {
        assert_reaches(&scene, &format!("/model/one/converse{query}"), &WEST, "converse");
    }
}

/// Paths under the key, and what they are answered with.
fn hostile() -> Vec<(u32, Vec<u8>)> {
    let text: &[(u32, &str)] = &[
        // Operations that there are not, and segments too many or too few.
        (404, "/model"),
        (404, "/model/"),
        (404, "/bedrock"),
        (404, "/bedrock/"),
        (404, "/bedrock/model"),
        (404, "/model/one"),
        (404, "/model/one/"),
        (404, "/model/one/converse/"),
        (404, "/model/one/Converse"),
        (404, "/model/one/converse%00"),
        (404, "/model/one/conv%65rse"),
        (404, "/model/one/converse;a=b"),
        (404, "/model/one/converse.json"),
        (404, "/model/one/async-invoke"),
        (400, "/model/one/converse/../admin"),
        (404, "/model/one%2Fconverse"),
        (404, "/bedrock/bedrock/model/one/converse"),
        (404, "//bedrock//bedrock/model/one/converse"),
        (404, "//model"),
        (404, "/bedrock//models/one/converse"),
        (404, "//model/one/converse/"),
        (404, "/bedrockx/model/one/converse"),
        (404, "/bedrock/../model/one/converse"),
        (404, "/bedrock%2Fmodel/one/converse"),
        (404, "/models/one/converse"),
        (404, "/model%2Fone/converse"),
        (404, "/model\\one\\converse"),
        (404, "/bedrock/v1/model/one/converse"),
        // Segments that a later hop could take for something else.
        (400, "/model//converse"),
        (400, "/bedrock//model//one/converse"),
        (400, "//model/../one/converse"),
        (400, "/model//one/converse"),
        (400, "/model/one//converse"),
        (400, "/model/./converse"),
        (400, "/model/../converse"),
        (400, "/model/./one/converse"),
        (400, "/model/../model/one/converse"),
        (400, "/model/one/./converse"),
        (400, "/model/one/../converse"),
        (400, "/model/one/../../admin/converse"),
        (400, "/model/%2e/converse"),
        (400, "/model/%2e%2e/converse"),
        (400, "/model/%2E./one/converse"),
        (400, "/model/.%2e/one/converse"),
        (400, "/model/..%2Fone/converse"),
        (400, "/model/%2e%2e%2fone/converse"),
        (400, "/model/team%2F%2Fa/converse"),
        (400, "/model/%2Fone/converse"),
        (400, "/model/one%2F/converse"),
        (400, "/model/any/%2e%2e/x/converse"),
        (400, "/model/any/..%2f..%2fmodel%2fother/converse"),
        // Bytes that no path holds, raw or encoded.
        (400, "/model/one\\two/converse"),
        (400, "/model/one%5Ctwo/converse"),
        (400, "/model/..%5c/converse"),
        (400, "/model/one%00/converse"),
        (400, "/model/%00/converse"),
        (400, "/model/one\0/converse"),
        (400, "/model/one%0d%0ahost:evil/converse"),
        (400, "/model/one%1f/converse"),
        (400, "/model/one%7f/converse"),
        (400, "/model/one%C2%85/converse"),
        (400, "/model/one\x7f/converse"),
        (400, "/model/on e/converse"),
        (400, "/model/one\t/converse"),
        (400, "/model/one#/converse"),
        (400, "/model/{one}/converse"),
        (400, "/model/\"one\"/converse"),
        (400, "/model/\u{f6}ne/converse"),
        // Bad percent signs and bad UTF-8.
        (400, "/model/one%/converse"),
        (400, "/model/one%3/converse"),
        (400, "/model/one%zz/converse"),
        (400, "/model/one%-1/converse"),
        (400, "/model/%u006fne/converse"),
        (400, "/model/%ff/converse"),
        (400, "/model/%c0%af/converse"),
        (400, "/model/%c0%ae%c0%ae/converse"),
        (400, "/model/%ed%a0%80/converse"),
        (400, "/model/%f5%80%80%80/converse"),
        (400, "/model/%e2%82/converse"),
        // Names that nobody configured.
        (400, "/model/One/converse"),
        (400, "/model/ONE/converse"),
        (400, "/model/one%20/converse"),
        (400, "/model/on%2565/converse"),
        (400, "/model/%252e%252e/converse"),
        (400, "/model/one;v=1/converse"),
        (400, "/model/one/two/converse"),
        (400, "/model/team%252Fa:b/converse"),
        (400, "/model/any/converse"),
        (400, "/model/*/converse"),
        (
            400,
            "/model/us.anthropic.claude-3-5-sonnet-20240620-v1:0/converse",
        ),
    ];
    let mut all: Vec<_> = text
        .iter()
        .map(|(status, path)| (*status, path.as_bytes().to_vec()))
        .collect();
    all.push((400, b"/model/\xff/converse".to_vec()));
    all.push((400, b"/model/one\xc3/converse".to_vec()));
    for length in [ALIAS_MAX_BYTES, ALIAS_MAX_BYTES + 1, 60_000] {
        all.push((
            400,
            format!("/model/{}/converse", "x".repeat(length)).into_bytes(),
        ));
        all.push((
            400,
            format!("/model/{}/converse", "%78".repeat(length)).into_bytes(),
        ));
    }
    all
}

#[test]
fn hostile_paths_are_refused_and_never_go_upstream() {
    let scene = Scene::new();
    let authorization = format!("Bearer {MASTER_KEY}");
    for (status, path) in hostile() {
        let shown = path.escape_ascii().to_string();
        let headers = [
            (&b":method"[..], &b"POST"[..]),
            (b":scheme", b"http"),
            (b":authority", b"localhost:4000"),
            (b":path", &path),
            (b"authorization", authorization.as_bytes()),
        ];
        for (headers, expected) in [(&headers[..], status), (&headers[..4], 401)] {
            let exchange = scene
                .request(headers.iter().copied())
                .body(["{}"])
                .send()
                .unwrap();
            assert_eq!(refusal(&exchange).status, expected, "{shown}");
            exchange.finish().unwrap();
        }
    }
    scene.assert_healthy();
}

#[test]
fn an_alias_may_be_as_long_as_bedrocks_ids_and_no_longer() {
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
fn other_methods_are_405_and_name_the_right_one() {
    let scene = Scene::new();
    for method in [
        "GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "post", "", "\u{ff}",
    ] {
        let authorization = format!("Bearer {MASTER_KEY}");
        let mut headers = bare(method, "/model/one/converse");
        headers.push(("authorization", &authorization));
        let reply = refusal(&scene.request(headers).send().unwrap());
        assert_eq!(
            (reply.status, reply.headers.text("allow")),
            (405, Some("POST")),
            "{method}"
        );
    }
}

#[test]
fn an_unknown_model_is_a_validation_exception_that_names_it() {
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
