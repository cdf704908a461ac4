//! That the look-out for secrets, which every [`Scene`] keeps, sees them where they show.

use std::panic::{AssertUnwindSafe, catch_unwind};

use filter_tests::{HostCall, LogLine, RequestOutcome, UpstreamResponse, Vm};

use crate::fixtures::{API_KEY, MASTER_KEY, SECRETS};
use crate::scene::{Scene, assert_quiet, bare, route};

fn is_noticed(vm: &Vm) -> bool {
    catch_unwind(AssertUnwindSafe(|| assert_quiet(vm, &SECRETS))).is_err()
}

#[test]
fn a_secret_in_the_log_or_in_a_host_call_is_noticed() {
    for secret in SECRETS {
        let scene = Scene::new();
        assert!(!is_noticed(&scene));
        let text = format!("here is {secret}!");
        scene.host_mut().log.push(LogLine {
            level: 0,
            text: text.clone(),
        });
        assert!(is_noticed(&scene));
        scene.host_mut().log.clear();
        assert!(!is_noticed(&scene));
        let (function, arguments) = ("proxy_set_property", vec!["name".to_owned(), text]);
        scene.host_mut().journal.push(HostCall {
            function,
            context: 1,
            arguments,
            status: 0,
        });
        assert!(is_noticed(&scene));
        scene.host_mut().journal.clear();
    }
}

#[test]
fn a_secret_as_a_wrong_key_or_in_an_odd_place_is_not_said_back() {
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
fn responses_and_filter_state_hold_no_secret() {
    let scene = Scene::new();
    for model in ["ordered", "backwards", "two", "private"] {
        let exchange = scene
            .post(&format!("/model/{model}/converse"))
            .body(["{}"])
            .send()
            .unwrap();
        let answer = route(exchange, |_, _| UpstreamResponse::new(500, &[], "{}")).unwrap();
        let shown = format!("{:?}", answer.message);
        let state = answer
            .filter_state
            .values()
            .map(|value| String::from_utf8_lossy(value).into_owned());
        for said in state.chain([shown]) {
            assert!(!SECRETS.iter().any(|secret| said.contains(secret)), "{said}");
        }
    }
}

#[test]
fn a_request_towards_the_router_has_lost_its_key() {
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
