//! Refused requests that are still being uploaded: the gateway drains the rest, then replies.

use std::cell::Cell;

use envoy_bedrock::contract::names::ROOT_GATEWAY;
use envoy_bedrock::stream::drain::TICK_MILLISECONDS;
use filter_tests::{FaultPlan, HeaderMap, HostFault, HttpExchange, Reach, RequestOutcome, Status, sweep};
use serde_json::{Value, json};

use crate::fixtures::settings;
use crate::scene::{Scene, bare, refusal};

const PATH: &str = "/model/one/converse";
const MEBIBYTE: usize = 1024 * 1024;

/// A request without a key, before its body.
fn keyless(scene: &Scene) -> HttpExchange {
    let exchange = scene.request(bare("POST", PATH)).unfinished().send().unwrap();
    assert_eq!(exchange.outcome(), RequestOutcome::Waiting);
    exchange
}

/// A request with the key for an unknown model, before its body.
fn unknown_model(scene: &Scene) -> HttpExchange {
    let request = scene.post("/model/no-such-model/converse");
    let exchange = request.unfinished().send().unwrap();
    assert_eq!(exchange.outcome(), RequestOutcome::Waiting);
    exchange
}

type OpenUpload = fn(&Scene) -> HttpExchange;

/// Sends `mebibytes` of a body, without its end.
fn upload(exchange: &mut HttpExchange, mebibytes: usize) {
    let chunk = vec![b'x'; MEBIBYTE];
    for _ in 0..mebibytes {
        exchange.request_chunk(&chunk, false).unwrap();
        assert_eq!(exchange.request_buffer_bytes(), 0);
    }
}

fn wait_seconds(scene: &Scene, seconds: u64) {
    scene.set_seconds(scene.now_seconds() + seconds);
}

/// The period of the gateway's timer in milliseconds; 0 if it is off.
fn timer(scene: &Scene) -> u32 {
    scene.host().ticks.values().copied().max().unwrap_or(0)
}

fn row(exchange: HttpExchange) -> Value {
    let state = exchange.finish().unwrap();
    let row = String::from_utf8(state["envoy_bedrock.row"].clone()).unwrap();
    serde_json::from_str(&format!("{{{}}}", row.trim_end_matches(','))).unwrap()
}

#[test]
fn a_refusal_waits_for_the_end_of_the_upload_and_stores_none_of_it() {
    let scene = Scene::new();
    let before = scene.memory_bytes();
    for (mut exchange, status) in [(keyless(&scene), 401), (unknown_model(&scene), 400)] {
        upload(&mut exchange, 40);
        assert_eq!(exchange.outcome(), RequestOutcome::Waiting);
        exchange.request_chunk(b"end", true).unwrap();
        assert_eq!(refusal(&exchange).status, status);
        exchange.finish().unwrap();
    }
    assert_eq!(scene.memory_bytes(), before);
    scene.assert_healthy();
}

#[test]
fn an_upload_can_end_with_an_empty_piece_or_trailers() {
    let scene = Scene::new();
    for started in [0, 1] {
        let mut exchange = keyless(&scene);
        upload(&mut exchange, started);
        exchange.request_chunk(b"", true).unwrap();
        assert_eq!(refusal(&exchange).status, 401);
        exchange.finish().unwrap();

        let mut exchange = keyless(&scene);
        upload(&mut exchange, started);
        exchange
            .request_trailers(HeaderMap::new([("x-checksum", "1")]))
            .unwrap();
        assert_eq!(refusal(&exchange).status, 401);
        exchange.finish().unwrap();
    }
}

#[test]
fn a_body_that_exceeds_the_limit_is_dropped_at_once() {
    let scene = Scene::new();
    let mut exchange = scene.post(PATH).unfinished().send().unwrap();
    let chunk = vec![b'x'; MEBIBYTE];
    for _ in 0..32 {
        exchange.request_chunk(&chunk, false).unwrap();
    }
    assert_eq!(exchange.request_buffer_bytes(), 32 * MEBIBYTE);
    exchange.request_chunk(b"x", false).unwrap();
    assert_eq!(
        (exchange.outcome(), exchange.request_buffer_bytes()),
        (RequestOutcome::Waiting, 0)
    );
    upload(&mut exchange, 8);
    exchange.request_chunk(b"", true).unwrap();
    assert_eq!(refusal(&exchange).status, 413);
    exchange.finish().unwrap();
}

#[test]
fn probes_and_lookups_reply_after_the_body() {
    let scene = Scene::new();
    let mut probe = scene
        .request(bare("GET", "/health/readiness"))
        .unfinished()
        .send()
        .unwrap();
    let mut query = bare("GET", "/spend/logs?request_id=x");
    query.push(("x-api-key", crate::fixtures::MASTER_KEY));
    let mut query = scene.request(query).unfinished().send().unwrap();
    for exchange in [&mut probe, &mut query] {
        upload(exchange, 1);
        assert_eq!(exchange.outcome(), RequestOutcome::Waiting);
        exchange.request_chunk(b"", true).unwrap();
        assert!(matches!(
            exchange.outcome(),
            RequestOutcome::LocalReply { status: 200, .. }
        ));
    }
    assert_eq!(row(probe)["http_status"], 200);
    query.finish().unwrap();
}

#[test]
fn an_upload_beyond_the_drain_limit_is_refused_at_once_and_sooner_without_a_key() {
    let scene = Scene::new();
    for (mut exchange, mebibytes, status) in [(keyless(&scene), 48, 401), (unknown_model(&scene), 128, 400)] {
        upload(&mut exchange, mebibytes);
        assert_eq!(exchange.outcome(), RequestOutcome::Waiting);
        exchange.request_chunk(b"x", false).unwrap();
        assert_eq!(refusal(&exchange).status, status);
        exchange.finish().unwrap();
    }
}

#[test]
fn a_declared_length_beyond_the_drain_limit_is_refused_before_the_body() {
    let scene = Scene::new();
    for (declared, is_refused) in [(48 * MEBIBYTE, false), (48 * MEBIBYTE + 1, true)] {
        let declared = declared.to_string();
        let mut headers = bare("POST", PATH);
        headers.push(("content-length", &declared));
        let exchange = scene.request(headers).unfinished().send().unwrap();
        assert_eq!(
            exchange.outcome() != RequestOutcome::Waiting,
            is_refused,
            "{declared}"
        );
        exchange.finish().unwrap();
    }
}

#[test]
fn a_slow_upload_is_refused_when_its_time_is_up() {
    let scene = Scene::new();
    for (open, seconds) in [(keyless as OpenUpload, 60), (unknown_model, 290)] {
        let mut exchange = open(&scene);
        for _ in 1..seconds {
            wait_seconds(&scene, 1);
            exchange.request_chunk(b"x", false).unwrap();
            assert_eq!(exchange.outcome(), RequestOutcome::Waiting);
        }
        wait_seconds(&scene, 1);
        exchange.request_chunk(b"x", false).unwrap();
        assert_ne!(exchange.outcome(), RequestOutcome::Waiting, "{seconds}");
        exchange.finish().unwrap();
    }
}

#[test]
fn a_stalled_upload_is_refused_by_the_timer() {
    let scene = Scene::new();
    for (open, status, seconds) in [(keyless as OpenUpload, 401, 5), (unknown_model, 400, 10)] {
        let mut exchange = open(&scene);
        upload(&mut exchange, 1);
        assert_eq!(timer(&scene), TICK_MILLISECONDS);
        for _ in 1..seconds {
            wait_seconds(&scene, 1);
            scene.tick(ROOT_GATEWAY).unwrap();
            exchange.poll().unwrap();
            assert_eq!(exchange.outcome(), RequestOutcome::Waiting);
        }
        wait_seconds(&scene, 1);
        scene.tick(ROOT_GATEWAY).unwrap();
        exchange.poll().unwrap();
        assert_eq!(refusal(&exchange).status, status);
        let row = row(exchange);
        assert_eq!(row["http_status"], status);
        assert_eq!(row["request_duration_ms"], seconds * 1000);
        scene.assert_healthy();
    }
}

#[test]
fn the_timer_runs_only_during_a_drain_or_while_requests_hold_something() {
    let scene = Scene::new();
    assert_eq!(timer(&scene), 0);
    let tick = || {
        wait_seconds(&scene, 1);
        scene.tick(ROOT_GATEWAY).unwrap();
    };
    scene.assert_healthy();
    assert_eq!(timer(&scene), TICK_MILLISECONDS);
    tick();
    assert_eq!(timer(&scene), 0);
    let periods = || scene.host().count("proxy_set_tick_period_milliseconds");
    let before = periods();
    let (first, mut second) = (keyless(&scene), keyless(&scene));
    assert_eq!(periods(), before + 1);
    tick();
    first.finish().unwrap();
    tick();
    assert_eq!(timer(&scene), TICK_MILLISECONDS);
    second.request_chunk(b"", true).unwrap();
    tick();
    assert_eq!(timer(&scene), 0);
    second.finish().unwrap();
    let third = keyless(&scene);
    assert_eq!(timer(&scene), TICK_MILLISECONDS);
    third.finish().unwrap();
}

#[test]
fn the_timer_does_not_affect_other_requests() {
    let scene = Scene::new();
    let _stalled = keyless(&scene);
    let mut arriving = scene.post(PATH).unfinished().send().unwrap();
    arriving.request_chunk(b"{", false).unwrap();
    let done = scene.post(PATH).body(["{}"]).send().unwrap();
    wait_seconds(&scene, 100);
    scene.tick(ROOT_GATEWAY).unwrap();
    arriving.poll().unwrap();
    assert_eq!(arriving.outcome(), RequestOutcome::Waiting);
    arriving.request_chunk(b"}", true).unwrap();
    assert!(matches!(arriving.outcome(), RequestOutcome::Forwarded(_)));
    assert!(matches!(done.outcome(), RequestOutcome::Forwarded(_)));
}

#[test]
fn a_stalled_upload_is_refused_after_a_reload_too() {
    let scene = Scene::new();
    let mut exchange = keyless(&scene);
    scene.reload(ROOT_GATEWAY, &settings().to_string()).unwrap();
    let other = keyless(&scene);
    wait_seconds(&scene, 5);
    scene.tick(ROOT_GATEWAY).unwrap();
    exchange.poll().unwrap();
    assert_eq!(refusal(&exchange).status, 401);
    exchange.finish().unwrap();
    other.finish().unwrap();
}

#[test]
fn the_row_of_a_client_that_disconnected_has_the_reason_and_no_status() {
    let scene = Scene::new();
    let mut exchange = keyless(&scene);
    upload(&mut exchange, 1);
    wait_seconds(&scene, 2);
    let left = row(exchange);
    assert_eq!(left["status"], "failure");
    assert_eq!(left["http_status"], Value::Null);
    assert_eq!(left["error_class"], "UnrecognizedClientException");
    assert_eq!(left["request_duration_ms"], 2000);
    let refusals = scene
        .host()
        .metrics
        .values()
        .filter(|metric| metric.name.contains("reason=no_key"))
        .map(|metric| metric.value)
        .sum::<u64>();
    assert_eq!(refusals, 1);
    // A probe whose client disconnects has no status either.
    let probe = scene.request(bare("GET", "/health/readiness"));
    let left = row(probe.unfinished().send().unwrap());
    assert_eq!(
        (&left["status"], &left["http_status"]),
        (&json!("failure"), &Value::Null)
    );
}

#[test]
fn an_upload_that_cannot_be_drained_is_refused_at_once() {
    let failed = || HostFault::Status(Status::BadArgument);
    let plan = FaultPlan::default().fail("proxy_set_buffer_bytes", 2, failed());
    let scene = Scene::start(&settings(), plan).unwrap();
    let mut exchange = keyless(&scene);
    upload(&mut exchange, 1);
    exchange.request_chunk(b"x", false).unwrap();
    assert_eq!(refusal(&exchange).status, 401);
    exchange.finish().unwrap();

    let plan = FaultPlan::default().fail("proxy_set_tick_period_milliseconds", 1, failed());
    let scene = Scene::start(&settings(), plan).unwrap();
    let exchange = scene.request(bare("POST", PATH)).unfinished().send().unwrap();
    assert_eq!(refusal(&exchange).status, 401);
    exchange.finish().unwrap();
    // The next upload starts the timer.
    keyless(&scene).finish().unwrap();
    assert_eq!(timer(&scene), TICK_MILLISECONDS);
}

/// Refused uploads, one that ends and one that stalls, under every fault.
#[test]
fn whatever_the_host_returns_a_refused_upload_goes_nowhere_and_the_next_request_is_served() {
    for (reach, runs_min) in [(Reach::Envoy, 20), (Reach::Hostile, 40)] {
        let replies = Cell::new(0);
        let runs = sweep(reach, |plan| {
            let Ok(scene) = Scene::start(&settings(), plan.clone()) else {
                return;
            };
            for is_ended in [true, false] {
                let mut exchange = scene.request(bare("POST", PATH)).unfinished().send().unwrap();
                for _ in 0..2 {
                    exchange.request_chunk(b"{}", false).unwrap();
                }
                wait_seconds(&scene, 5);
                if is_ended {
                    exchange.request_chunk(b"", true).unwrap();
                } else {
                    // A fault may disturb one tick, but not the reply.
                    for _ in 0..2 {
                        scene.tick(ROOT_GATEWAY).unwrap();
                        exchange.poll().unwrap();
                    }
                }
                match exchange.outcome() {
                    RequestOutcome::LocalReply { status, .. } => {
                        assert!([401, 404, 503].contains(&status), "{status}");
                        replies.set(replies.get() + 1);
                    }
                    RequestOutcome::Waiting => {
                        let is_untaken = plan
                            .fired()
                            .iter()
                            .any(|(call, _)| call == "proxy_send_local_response");
                        assert!(is_untaken, "{:?}", plan.fired());
                    }
                    other => panic!("expected a refusal, but found {other:?}"),
                }
                exchange.finish().unwrap();
            }
            // After the last fault of the sweep, the next request would meet it.
            if !plan.fired().is_empty() {
                scene.assert_healthy();
            }
        });
        assert!(runs >= runs_min, "{runs}");
        assert!(replies.get() > runs, "{} of {runs}", replies.get());
    }
}
