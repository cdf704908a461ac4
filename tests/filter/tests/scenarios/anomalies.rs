//! Every host call of a whole exchange fails in every way, and clients go away at every point.

use envoy_bedrock::contract::names::{HEADER_CLUSTER, HEADER_RETRY};
use filter_tests::{
    FaultPlan, HeaderMap, HttpExchange, Reach, RequestOutcome, StartError, Trap, UpstreamResponse, sweep,
};

use crate::fixtures::{EAST, TOKEN, TestDeployment, WEST, settings};
use crate::oracle::assert_signed;
use crate::scene::{Scene, bare, refusal};

const PATH: &str = "/model/ordered/converse";
const BODY: &str = "{\"a\":1}";
const ATTEMPTS: [TestDeployment; 3] = [WEST, EAST, TOKEN];

/// Starts a VM under the plan. Envoy does not start a filter that refuses its configuration, so that is an end too.
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

/// A request with two attempts that fail and one that answers. Whatever leaves is signed. Says how many left.
fn whole(scene: &Scene) -> Result<usize, Trap> {
    let mut exchange = scene.post(PATH).body(["{\"a\"", ":1}"]).send()?;
    let mut left = 0;
    for (number, deployment) in (1..).zip(&ATTEMPTS) {
        let RequestOutcome::Forwarded(message) = exchange.outcome() else {
            break;
        };
        // What Envoy routes by: a request without it is answered with 404.
        if message
            .headers
            .as_ref()
            .and_then(|headers| headers.first(HEADER_CLUSTER))
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
        left += 1;
        let status = if number == 3 { 200 } else { 429 };
        let judged = exchange.judge(HeaderMap::new([(":status", status.to_string())]), false)?;
        if judged.first(HEADER_RETRY).is_none() {
            exchange.response_headers(judged, false)?;
            assert_eq!(exchange.response_chunk(b"answer", true)?, b"answer");
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
    Ok(left)
}

/// Whichever call failed, the VM lives, and the next request is served as if nothing had been.
fn assert_swept(reach: Reach, runs_min: usize) {
    let runs = sweep(reach, |plan| {
        let Some(scene) = started(plan.clone()) else {
            return;
        };
        let left = whole(&scene).unwrap();
        assert_eq!(scene.host().streams(), 0);
        if plan.fired().is_empty() {
            // The sweep is through: another request would only meet the next fault itself.
            assert_eq!(left, ATTEMPTS.len());
            return;
        }
        assert_eq!(whole(&scene).unwrap(), ATTEMPTS.len());
        scene.assert_healthy();
    });
    assert!(runs >= runs_min, "{runs}");
}

#[test]
fn whatever_envoy_answers_nothing_unsigned_leaves_and_the_next_request_is_served() {
    assert_swept(Reach::Envoy, 60);
}

#[test]
fn whatever_a_hostile_host_answers_nothing_unsigned_leaves_and_the_next_request_is_served() {
    assert_swept(Reach::Hostile, 150);
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

/// Drives a request up to a point and leaves it there. `None` behind the last point.
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
fn a_client_that_goes_away_at_any_point_leaves_nothing_behind() {
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
fn clients_that_go_away_do_not_cost_memory() {
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
fn an_upstream_that_breaks_off_is_never_a_clean_end() {
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
    let answer = crate::scene::route(exchange, |_, _| cut.clone()).unwrap();
    assert_eq!(
        (answer.message.body(), answer.message.ended),
        (b"half of it".to_vec(), false)
    );
    scene.assert_healthy();
}

#[test]
fn a_vm_that_is_shut_down_in_the_middle_of_requests_ends_in_order() {
    let scene = Scene::new();
    let open: Vec<_> = (0..15).map(|point| until(&scene, point).unwrap()).collect();
    open.into_iter()
        .for_each(|exchange| drop(exchange.finish().unwrap()));
    scene.shut_down().unwrap();
    assert!(!scene.is_dead());
}
