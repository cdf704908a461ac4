//! Limits of the whole gateway: what is refused, what is returned, and what a failing host does.

use envoy_bedrock::contract::names::ROOT_GATEWAY;
use filter_tests::{FaultPlan, HostFault, HttpExchange, Reach, RequestOutcome, StartError, Status, sweep};
use serde_json::{Value, json};

use crate::fixtures::settings;
use crate::scene::{Scene, refusal, refusals, route};

const PATH: &str = "/model/one/converse";
const LIMIT: usize = 2;
const MEBIBYTE: usize = 1024 * 1024;

fn limited() -> Value {
    let mut settings = settings();
    settings["parallel_requests"] = json!(LIMIT);
    settings["buffered_bodies_bytes"] = json!(32 * MEBIBYTE);
    settings
}

/// A request that has gone upstream and has no response yet.
fn waiting(scene: &Scene) -> HttpExchange {
    scene.post(PATH).body(["{}"]).send().unwrap()
}

fn is_forwarded(exchange: &HttpExchange) -> bool {
    matches!(exchange.outcome(), RequestOutcome::Forwarded(_))
}

/// Exactly the limit is admitted, and nothing is held afterwards.
fn assert_exact(scene: &Scene) {
    let mut open: Vec<_> = (0..LIMIT).map(|_| waiting(scene)).collect();
    assert!(open.iter().all(is_forwarded));
    let refused = waiting(scene);
    let reply = refusal(&refused);
    assert_eq!(
        (reply.status, reply.headers.text("retry-after")),
        (429, Some("1"))
    );
    refused.finish().unwrap();
    open.pop().unwrap().finish().unwrap();
    open.push(waiting(scene));
    assert!(open.iter().all(is_forwarded));
    open.into_iter()
        .for_each(|exchange| drop(exchange.finish().unwrap()));
}

#[test]
fn exactly_the_limit_is_admitted_and_every_end_frees_a_place() {
    let scene = Scene::with(&limited());
    for _ in 0..3 {
        assert_exact(&scene);
        scene.assert_healthy();
    }
    assert_eq!(refusals(&scene, "parallel_requests"), 3);
}

#[test]
fn a_place_is_free_as_soon_as_the_response_has_ended() {
    let scene = Scene::with(&limited());
    let mut open: Vec<_> = (0..LIMIT).map(|_| waiting(&scene)).collect();
    let mut ended = open.pop().unwrap();
    ended.attempt(1, "us-west-2").unwrap();
    let headers = ended
        .judge(filter_tests::HeaderMap::new([(":status", "200")]), false)
        .unwrap();
    ended.response_headers(headers, false).unwrap();
    ended.response_chunk(b"{}", true).unwrap();
    let next = waiting(&scene);
    assert!(is_forwarded(&next));
    open.extend([ended, next]);
    open.into_iter()
        .for_each(|exchange| drop(exchange.finish().unwrap()));
}

#[test]
fn a_refused_request_holds_nothing() {
    let scene = Scene::with(&limited());
    for _ in 0..5 {
        let large = vec![b' '; 33 * MEBIBYTE];
        let exchange = scene.post(PATH).body(large.chunks(MEBIBYTE)).send().unwrap();
        assert_eq!(refusal(&exchange).status, 413);
        exchange.finish().unwrap();
    }
    assert_exact(&scene);
}

#[test]
fn bodies_are_held_up_to_the_limit() {
    let scene = Scene::with(&limited());
    let held = 20 * MEBIBYTE;
    for (size, fits) in [
        (12 * MEBIBYTE - 1, true),
        (12 * MEBIBYTE, true),
        (12 * MEBIBYTE + 1, false),
    ] {
        for is_declared in [true, false] {
            let send = |size: usize| {
                let (body, length) = (vec![b' '; size], size.to_string());
                let declared = [("content-length", &length[..])];
                let headers = if is_declared { &declared[..] } else { &[] };
                scene
                    .post_with(PATH, headers)
                    .body(body.chunks(MEBIBYTE))
                    .send()
                    .unwrap()
            };
            let first = send(held);
            let second = send(size);
            assert!(is_forwarded(&first));
            assert_eq!(is_forwarded(&second), fits, "{size} {is_declared}");
            if !fits {
                let reply = refusal(&second);
                assert_eq!(
                    (reply.status, reply.headers.text("retry-after")),
                    (503, Some("1"))
                );
            }
            first.finish().unwrap();
            second.finish().unwrap();
            scene.assert_healthy();
        }
    }
    assert_eq!(refusals(&scene, "buffered_bodies"), 2);
}

/// Makes all further calls of `function` fail.
fn failing(function: &str, from: u64, status: Status) -> FaultPlan {
    (from..from + 20_000).fold(FaultPlan::default(), |plan, call| {
        plan.fail(function, call, HostFault::Status(status))
    })
}

#[test]
fn without_shared_data_nothing_is_admitted() {
    for (function, status) in [
        ("proxy_get_shared_data", Status::InternalFailure),
        ("proxy_set_shared_data", Status::CasMismatch),
        ("proxy_set_shared_data", Status::InternalFailure),
    ] {
        let scene = Scene::start(&limited(), failing(function, 4, status)).unwrap();
        for _ in 0..3 {
            let exchange = waiting(&scene);
            assert_eq!(refusal(&exchange).status, 503, "{function}");
            exchange.finish().unwrap();
        }
    }
}

#[test]
fn whatever_call_fails_no_place_is_lost() {
    let runs = sweep(Reach::Envoy, |plan| {
        let scene = match Scene::start(&limited(), plan.clone()) {
            Ok(scene) => scene,
            Err(StartError::Refused { .. }) => return,
            Err(other) => panic!("{other:?}"),
        };
        let exchange = waiting(&scene);
        if is_forwarded(&exchange) {
            let response = route(exchange, |_, _| {
                filter_tests::UpstreamResponse::new(200, &[], "{}")
            });
            response.unwrap();
        } else {
            exchange.finish().unwrap();
        }
        let tick = || {
            scene.host_mut().now_nanoseconds += 1_000_000_000;
            scene.tick(ROOT_GATEWAY).unwrap();
        };
        tick();
        if plan.fired().is_empty() {
            // The sweep is over.
            return;
        }
        tick();
        assert_exact(&scene);
    });
    assert!(runs >= 40, "{runs}");
}
