//! The proxy key: where the filter finds it, and what it refuses.

use filter_tests::{HttpExchange, RequestOutcome};

use crate::fixtures::MASTER_KEY;
use crate::scene::{Scene, assert_quiet, bare, refusal, refusals};
use crate::table;
use crate::table::{Scenario, WRONG_KEY as WRONG};

const PATH: &str = "/bedrock/model/one/converse";

/// Sends a request whose body never matters: the key is checked before it arrives.
fn judged(scene: &Scene, path: &str, more: &[(Vec<u8>, Vec<u8>)]) -> HttpExchange {
    let headers = bare("POST", path);
    let headers = headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .chain(
            more.iter()
                .map(|(name, value)| (name.as_slice(), value.as_slice())),
        );
    scene.request(headers).body(["not ", "read"]).send().unwrap()
}

fn accepted() -> Vec<Scenario> {
    let mut rows = table::keys(MASTER_KEY);
    rows.retain(|row| row.status == 200);
    rows
}

#[test]
fn the_key_is_accepted_in_every_header_and_form_of_the_table() {
    let scene = Scene::new();
    for row in accepted() {
        let exchange = judged(&scene, PATH, &row.headers);
        let passed = matches!(exchange.outcome(), RequestOutcome::Forwarded(_));
        assert!(passed, "{}", row.name);
        exchange.finish().unwrap();
    }
}

/// Asserts that a request with these headers is refused with 401, for any model.
fn assert_refused(scene: &Scene, headers: &[(Vec<u8>, Vec<u8>)], name: &str) {
    let known = judged(scene, PATH, headers);
    let known_reply = refusal(&known);
    assert_eq!(known_reply.status, 401, "{name}");
    assert_eq!(known_reply.headers.text("www-authenticate"), Some("Bearer"));
    let unknown = judged(scene, "/bedrock/model/nothing-of-the-kind/converse", headers);
    assert_eq!(refusal(&unknown), known_reply, "{name}");
    assert!(!format!("{known_reply:?}").contains(WRONG));
    known.finish().unwrap();
    unknown.finish().unwrap();
}

/// Pairs of accepted values of one header: twice, and in the forms into which proxies and codecs
/// join a repeated header.
fn repeated() -> Vec<Vec<(Vec<u8>, Vec<u8>)>> {
    let single = |row: Scenario| match row.headers.as_slice() {
        [(name, value)] => Some((name.clone(), String::from_utf8(value.clone()).unwrap())),
        _ => None,
    };
    let once: Vec<_> = accepted().into_iter().filter_map(single).collect();
    let wrong = once
        .iter()
        .map(|(name, value)| (name.clone(), value.replace(MASTER_KEY, WRONG)));
    let others: Vec<_> = once.iter().cloned().chain(wrong).collect();
    let mut all = Vec::new();
    for (name, value) in &once {
        for (_, other) in others.iter().filter(|(other, _)| other == name) {
            let header = |value: &str| (name.clone(), value.as_bytes().to_vec());
            all.push(vec![header(value), header(other)]);
            for joint in [",", ", "] {
                all.push(vec![header(&format!("{value}{joint}{other}"))]);
            }
        }
    }
    all
}

#[test]
fn anything_but_one_good_key_is_a_401_that_is_the_same_for_every_model() {
    let scene = Scene::new();
    for row in table::keys(MASTER_KEY).iter().filter(|row| row.status != 200) {
        let before = refusals(&scene, &row.reason);
        assert_refused(&scene, &row.headers, &row.name);
        assert_eq!(refusals(&scene, &row.reason), before + 2, "{}", row.name);
    }
    for headers in repeated() {
        assert_refused(&scene, &headers, &format!("{headers:?}"));
    }
    assert_quiet(&scene, &[WRONG]);
    assert_eq!(
        scene.host().count("proxy_get_buffer_bytes"),
        1,
        "only the configuration is read"
    );
    scene.assert_healthy();
}

#[test]
fn a_key_in_the_query_string_is_ignored() {
    let scene = Scene::new();
    for query in ["key", "api_key", "api-key", "x-api-key", "authorization", "token"] {
        let exchange = judged(&scene, &format!("{PATH}?{query}={WRONG}"), &[]);
        assert_eq!(refusal(&exchange).status, 401, "{query}");
        let exchange = judged(&scene, &format!("{PATH}?{query}={MASTER_KEY}"), &[]);
        assert_eq!(refusal(&exchange).status, 401, "{query}");
    }
    assert_quiet(&scene, &[WRONG]);
}

#[test]
fn the_key_is_checked_before_path_method_model_and_length() {
    let scene = Scene::new();
    for (method, path) in [
        ("GET", PATH),
        ("DELETE", "/model/one/converse"),
        ("POST", "/model/one/no-such-operation"),
        ("POST", "/model/%00/converse"),
        ("POST", "/model/../x/converse"),
        ("POST", "/bedrock"),
        ("GET", "/bedrock/admin"),
        ("GET", "/models"),
        ("POST", "//model/one/converse"),
        ("GET", "/bedrock//model"),
    ] {
        let mut headers = bare(method, path);
        headers.push(("content-length", "99999999999"));
        let exchange = scene.request(headers).unfinished().send().unwrap();
        assert_eq!(refusal(&exchange).status, 401, "{method} {path}");
    }
}

#[test]
fn a_body_after_the_refusal_changes_nothing() {
    let scene = Scene::new();
    let headers = [("x-api-key", WRONG), ("content-length", "99999999999")];
    let mut exchange = scene
        .request(bare("POST", PATH).into_iter().chain(headers))
        .unfinished()
        .send()
        .unwrap();
    let reply = refusal(&exchange);
    exchange.request_chunk(b"{}", false).unwrap();
    exchange.request_chunk(b"{}", true).unwrap();
    assert_eq!(refusal(&exchange), reply);
    exchange.finish().unwrap();
    scene.assert_healthy();
}

#[test]
fn only_probes_succeed_without_a_key() {
    let scene = Scene::new();
    for path in ["/health/liveliness", "/health/liveness", "/health/readiness"] {
        let exchange = scene.request(bare("GET", path)).send().unwrap();
        assert!(
            matches!(exchange.outcome(), RequestOutcome::LocalReply { status: 200, .. }),
            "{path}"
        );
    }
    for row in table::paths(MASTER_KEY).iter().filter(|row| !row.is_guarded) {
        for method in ["GET", "POST", "OPTIONS", "CONNECT"] {
            let headers = [
                (&b":method"[..], method.as_bytes()),
                (b":scheme", b"http"),
                (b":authority", b"localhost:4000"),
                (b":path", &row.path),
            ];
            let exchange = scene.request(headers).send().unwrap();
            assert_eq!(refusal(&exchange).status, 404, "{method} {}", row.name);
        }
    }
}
