//! Every host call of a request fails in every way, and clients disconnect at every point.

use std::collections::BTreeSet;

use envoy_bedrock::contract::names::{HEADER_RETRY, HEADER_ROUTE, LOG_REQUEST_ID};
use filter_tests::{
    FaultPlan, HeaderMap, HttpExchange, Reach, RequestOutcome, StartError, Trap, UpstreamResponse, sweep,
};

use crate::fixtures::{EAST, TOKEN, TestDeployment, WEST, settings};
use crate::oracle::assert_signed;
use crate::scene::{Scene, bare, refusal};

const PATH: &str = "/model/ordered/converse";
const CALL_ID: &str = "01234567-89ab-4cde-8f01-23456789abcd";
const BODY: &str = "{\"a\":1}";
const ATTEMPTS: [TestDeployment; 3] = [WEST, EAST, TOKEN];

/// Starts a VM under the plan. `None` if the filter refuses its configuration: Envoy does not start
/// it then.
fn started(plan: FaultPlan) -> Option<Scene> {
    match Scene::start(&settings(), plan) {
        Ok(scene) => Some(scene),
        Err(StartError::Refused { log, .. }) => {
            assert!(
                log.iter().any(|line| line.text.starts_with("configuration: ")),
                "{log:?}"
            );
            None
        }
        Err(other) => panic!("{other:?}"),
    }
}

/// Sends a request whose first two attempts fail. Asserts that whatever goes upstream is signed,
/// and returns the number of attempts.
fn whole(scene: &Scene) -> Result<usize, Trap> {
    let call_id = [("x-litellm-call-id", CALL_ID)];
    let request = scene.post_with(PATH, &call_id);
    let mut exchange = request.body(["{\"a\"", ":1}"]).send()?;
    let mut attempts = 0;
    for (number, deployment) in (1..).zip(&ATTEMPTS) {
        let RequestOutcome::Forwarded(message) = exchange.outcome() else {
            break;
        };
        // Envoy responds 404 to a request without this header.
        if message
            .headers
            .as_ref()
            .and_then(|headers| headers.first(HEADER_ROUTE))
            .is_none()
        {
            break;
        }
        let sent = exchange.attempt(number, deployment.cluster)?;
        if sent.headers.is_none() {
            assert!(sent.chunks.is_empty() && !sent.ended, "{sent:?}");
            break;
        }
        assert_signed(
            &sent,
            deployment,
            "converse",
            BODY.as_bytes(),
            scene.now_seconds(),
        );
        attempts += 1;
        let status = if number == 3 { 200 } else { 429 };
        let judged = exchange.judge(HeaderMap::new([(":status", status.to_string())]), false)?;
        if judged.first(HEADER_RETRY).is_none() {
            exchange.response_headers(judged, false)?;
            assert_eq!(exchange.response_chunk(b"response", true)?, b"response");
            break;
        }
        exchange.give_up()?;
    }
    if matches!(exchange.outcome(), RequestOutcome::LocalReply { .. }) {
        assert!(
            [401, 404, 503].contains(&refusal(&exchange).status),
            "{:?}",
            exchange.outcome()
        );
    }
    exchange.finish()?;
    Ok(attempts)
}

/// Asserts that whichever call fails, the VM survives and serves the next request normally.
fn assert_swept(reach: Reach, runs_min: usize) {
    let runs = sweep(reach, |plan| {
        let Some(scene) = started(plan.clone()) else {
            return;
        };
        let attempts = whole(&scene).unwrap();
        assert_eq!(scene.host().streams(), 0);
        if plan.fired().is_empty() {
            // The sweep is over.
            assert_eq!(attempts, ATTEMPTS.len());
            return;
        }
        assert_eq!(whole(&scene).unwrap(), ATTEMPTS.len());
        scene.assert_healthy();
    });
    assert!(runs >= runs_min, "{runs}");
}

#[test]
fn whatever_envoy_returns_nothing_unsigned_goes_upstream_and_the_next_request_is_served() {
    assert_swept(Reach::Envoy, 60);
}

#[test]
fn whatever_a_hostile_host_returns_nothing_unsigned_goes_upstream_and_the_next_request_is_served() {
    assert_swept(Reach::Hostile, 150);
}

#[test]
fn what_is_logged_about_a_request_ends_with_its_call_id() {
    let end = format!("{LOG_REQUEST_ID}{CALL_ID}");
    let mut named = BTreeSet::new();
    sweep(Reach::Envoy, |plan| {
        let Some(scene) = started(plan.clone()) else {
            return;
        };
        let before = scene.host().log.len();
        whole(&scene).unwrap();
        for line in scene.host().log.iter().skip(before) {
            if let Some(text) = line.text.strip_suffix(&end) {
                named.insert(text.to_owned());
            } else {
                // The signer role does not know its request if it cannot read the property.
                let fired = format!("{:?}", plan.fired());
                assert!(fired.contains("proxy_get_property"), "{fired}: {}", line.text);
            }
        }
    });
    assert!(
        named.contains("an attempt could not be signed: Host"),
        "{named:?}"
    );
}

#[test]
fn no_failure_of_the_host_lets_a_request_pass_without_a_key() {
    for reach in [Reach::Envoy, Reach::Hostile] {
        for key in [None, Some("Bearer sk-wrong"), Some("nonsense")] {
            sweep(reach, |plan| {
                let Some(scene) = started(plan) else {
                    return;
                };
                let mut headers = bare("POST", PATH);
                headers.extend(key.map(|key| ("authorization", key)));
                let exchange = scene.request(headers).body([BODY]).send().unwrap();
                assert!(
                    matches!(
                        exchange.outcome(),
                        RequestOutcome::LocalReply {
                            status: 401 | 404 | 503,
                            ..
                        } | RequestOutcome::Waiting
                    ),
                    "{:?}",
                    exchange.outcome()
                );
                exchange.finish().unwrap();
            });
        }
    }
}

/// Takes a request up to a point and leaves it there. `None` after the last point.
fn until(scene: &Scene, point: usize) -> Option<HttpExchange> {
    let mut left = point;
    let mut reached = || {
        let reached = left == 0;
        left = left.saturating_sub(1);
        reached
    };
    let mut exchange = scene.post(PATH).unfinished().send().unwrap();
    if reached() {
        return Some(exchange);
    }
    for (chunk, end) in [("{\"a\"", false), (":1}", false), ("", true)] {
        exchange.request_chunk(chunk.as_bytes(), end).unwrap();
        if reached() {
            return Some(exchange);
        }
    }
    for (number, deployment) in (1..).zip(&ATTEMPTS) {
        exchange.attempt(number, deployment.cluster).unwrap();
        if reached() {
            return Some(exchange);
        }
        let status = if number == 3 { "200" } else { "503" };
        let judged = exchange
            .judge(HeaderMap::new([(":status", status)]), false)
            .unwrap();
        if reached() {
            return Some(exchange);
        }
        if number < 3 {
            exchange.give_up().unwrap();
        } else {
            exchange.response_headers(judged, false).unwrap();
        }
        if reached() {
            return Some(exchange);
        }
    }
    for end in [false, true] {
        exchange.response_chunk(b"x", end).unwrap();
        if reached() {
            return Some(exchange);
        }
    }
    exchange.finish().unwrap();
    None
}

#[test]
fn a_client_that_disconnects_at_any_point_leaves_nothing_behind() {
    let scene = Scene::new();
    let mut points = 0;
    while let Some(exchange) = until(&scene, points) {
        exchange.finish().unwrap();
        assert_eq!(scene.host().streams(), 0, "point {points}");
        let late = until(&scene, points).unwrap().end_signers_last();
        late.finish().unwrap();
        assert_eq!(scene.host().streams(), 0, "point {points}");
        points += 1;
    }
    assert_eq!(points, 15);
    scene.assert_healthy();
}

#[test]
fn clients_that_disconnect_do_not_leak_memory() {
    let scene = Scene::new();
    let round = || {
        for point in 0..15 {
            until(&scene, point).unwrap().finish().unwrap();
        }
    };
    (0..20).for_each(|_| round());
    let before = scene.memory_bytes();
    (0..100).for_each(|_| round());
    assert_eq!(scene.memory_bytes(), before);
}

#[test]
fn a_response_that_the_upstream_cuts_never_ends_cleanly() {
    let scene = Scene::new();
    let exchange = scene
        .post("/model/one/converse-stream")
        .body([BODY])
        .send()
        .unwrap();
    let cut = UpstreamResponse {
        cut: true,
        ..UpstreamResponse::new(200, &[], "half of it")
    };
    let response = crate::scene::route(exchange, |_, _| cut.clone()).unwrap();
    assert_eq!(
        (response.message.body(), response.message.ended),
        (b"half of it".to_vec(), false)
    );
    scene.assert_healthy();
}

#[test]
fn a_vm_can_be_shut_down_during_requests() {
    let scene = Scene::new();
    let open: Vec<_> = (0..15).map(|point| until(&scene, point).unwrap()).collect();
    open.into_iter()
        .for_each(|exchange| drop(exchange.finish().unwrap()));
    scene.shut_down().unwrap();
    assert!(!scene.is_dead());
}
