//! Secrets: that a [`Scene`] detects them, and that the filter does not reveal any.

use std::panic::{AssertUnwindSafe, catch_unwind};

use filter_tests::{HostCall, LogLine, RequestOutcome, UpstreamResponse, Vm};

use crate::fixtures::{API_KEY, MASTER_KEY, SECRETS};
use crate::scene::{Scene, assert_quiet, bare, route};

fn is_detected(vm: &Vm) -> bool {
    catch_unwind(AssertUnwindSafe(|| assert_quiet(vm, &SECRETS))).is_err()
}

#[test]
fn a_secret_in_the_log_or_in_a_host_call_is_detected() {
    for secret in SECRETS {
        let scene = Scene::new();
        assert!(!is_detected(&scene));
        let text = format!("here is {secret}!");
        scene.host_mut().log.push(LogLine {
            level: 0,
            text: text.clone(),
        });
        assert!(is_detected(&scene));
        scene.host_mut().log.clear();
        assert!(!is_detected(&scene));
        let (function, arguments) = ("proxy_set_property", vec!["name".to_owned(), text]);
        scene.host_mut().journal.push(HostCall {
            function,
            context: 1,
            arguments,
            status: 0,
        });
        assert!(is_detected(&scene));
        scene.host_mut().journal.clear();
    }
}

#[test]
fn a_secret_used_as_a_key_is_not_echoed() {
    let scene = Scene::new();
    for secret in SECRETS.into_iter().filter(|secret| *secret != MASTER_KEY) {
        for (name, value) in [
            ("authorization", format!("Bearer {secret}")),
            ("authorization", format!("Bearer {secret} {secret}")),
            (
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential={secret}/a/b/c/aws4_request"),
            ),
            ("authorization", secret.to_owned()),
            ("x-api-key", secret.to_owned()),
        ] {
            let mut headers = bare("POST", "/model/one/converse");
            headers.push((name, &value));
            let exchange = scene.request(headers).send().unwrap();
            assert_eq!(crate::scene::refusal(&exchange).status, 401);
            exchange.finish().unwrap();
        }
    }
}

#[test]
fn responses_and_filter_state_contain_no_secret() {
    let scene = Scene::new();
    for model in ["ordered", "backwards", "two", "private"] {
        let exchange = scene
            .post(&format!("/model/{model}/converse"))
            .body(["{}"])
            .send()
            .unwrap();
        let response = route(exchange, |_, _| UpstreamResponse::new(500, &[], "{}")).unwrap();
        let shown = format!("{:?}", response.message);
        let state = response
            .filter_state
            .values()
            .map(|value| String::from_utf8_lossy(value).into_owned());
        for said in state.chain([shown]) {
            assert!(!SECRETS.iter().any(|secret| said.contains(secret)), "{said}");
        }
    }
}

#[test]
fn the_router_does_not_see_the_key() {
    let scene = Scene::new();
    let more = [
        ("x-api-key", API_KEY),
        ("cookie", MASTER_KEY),
        ("x-litellm-api-key", MASTER_KEY),
    ];
    let exchange = scene
        .post_with("/model/one/converse", &more)
        .body(["{}"])
        .send()
        .unwrap();
    let RequestOutcome::Forwarded(message) = exchange.outcome() else {
        panic!("{:?}", exchange.outcome());
    };
    let shown = format!("{message:?}");
    assert!(!SECRETS.iter().any(|secret| shown.contains(secret)), "{shown}");
}
