//! The cost of a request: host calls, callbacks and memory.

use filter_tests::{HostCall, UpstreamResponse};

use crate::scene::{Scene, refusal, route};

const PATH: &str = "/model/one/converse";
const MEBIBYTE: usize = 1024 * 1024;

fn serve(scene: &Scene, body: &[u8], chunk_bytes: usize) {
    let exchange = scene.post(PATH).body(body.chunks(chunk_bytes)).send().unwrap();
    let response = route(exchange, |_, _| {
        UpstreamResponse::new(200, &[("content-type", "application/json")], "{}")
    });
    assert_eq!(response.unwrap().status(), 200);
}

/// The host calls and exported callbacks that `act` causes on a warm VM.
fn cost(scene: &Scene, act: impl Fn()) -> (usize, usize) {
    act();
    let now = || {
        let host = scene.host();
        (host.journal.len(), host.callbacks.values().sum::<usize>())
    };
    let (calls, callbacks) = now();
    act();
    let (calls_after, callbacks_after) = now();
    (calls_after - calls, callbacks_after - callbacks)
}

#[test]
fn a_request_of_a_kilobyte_stays_within_its_budget_of_host_calls() {
    let scene = Scene::new();
    let body = vec![b'x'; 1024];
    // Current numbers. An increase slows every request down; after a decrease, update them.
    assert_eq!(cost(&scene, || serve(&scene, &body, 1024)), (27, 15));
    let refused = || {
        let exchange = scene
            .request(crate::scene::bare("POST", PATH))
            .body(body.chunks(512))
            .send()
            .unwrap();
        assert_eq!(refusal(&exchange).status, 401);
        exchange.finish().unwrap();
    };
    // The body arrives in two pieces. The timer for refused uploads is running already.
    assert_eq!(cost(&scene, refused), (18, 9));
}

#[test]
fn a_body_is_read_once_however_it_arrives() {
    let scene = Scene::new();
    let body = vec![b'x'; 4 * MEBIBYTE];
    let count = || {
        let host = scene.host();
        let of_request =
            |call: &&HostCall| call.function == "proxy_get_buffer_bytes" && call.arguments[0] == "0";
        host.journal.iter().filter(of_request).count()
    };
    let reads = |chunk_bytes| {
        let before = count();
        serve(&scene, &body, chunk_bytes);
        count() - before
    };
    assert_eq!(reads(4 * MEBIBYTE), 16);
    assert_eq!(reads(64 * 1024), 64);
}

#[test]
fn thousands_of_requests_do_not_grow_the_memory() {
    let scene = Scene::new();
    let body = vec![b'x'; 10_000];
    let round = |index: usize| match index % 4 {
        0 => serve(&scene, &body, 1000),
        1 => serve(&scene, &body, 10_000),
        2 => drop(
            scene
                .post("/model/unknown/converse")
                .send()
                .unwrap()
                .finish()
                .unwrap(),
        ),
        _ => {
            let exchange = scene
                .post("/model/ordered/converse")
                .body([&body])
                .send()
                .unwrap();
            route(exchange, |_, _| UpstreamResponse::new(429, &[], "no")).unwrap();
        }
    };
    (0..100).for_each(round);
    let before = scene.memory_bytes();
    (0..2000).for_each(round);
    assert_eq!(scene.memory_bytes(), before);
    assert_eq!(scene.host().streams(), 0);
}

#[test]
fn large_bodies_do_not_grow_the_memory_by_their_size() {
    let scene = Scene::new();
    serve(&scene, b"{}", 1);
    let before = scene.memory_bytes();
    let body = vec![b'x'; 20 * MEBIBYTE];
    for chunk_bytes in [body.len(), 64 * 1024, 16 * 1024 + 1] {
        serve(&scene, &body, chunk_bytes);
    }
    let grown = scene.memory_bytes() - before;
    assert!(grown <= MEBIBYTE, "{grown} bytes");
}

#[test]
fn long_responses_do_not_grow_the_memory() {
    let scene = Scene::new();
    serve(&scene, b"{}", 1);
    let before = scene.memory_bytes();
    let exchange = scene
        .post("/model/one/converse-stream")
        .body(["{}"])
        .send()
        .unwrap();
    let stream = UpstreamResponse {
        chunks: vec![vec![b'x'; 64 * 1024]; 320],
        ..UpstreamResponse::new(200, &[], "")
    };
    let response = route(exchange, |_, _| stream.clone()).unwrap();
    assert_eq!(response.message.body().len(), 20 * MEBIBYTE);
    let grown = scene.memory_bytes() - before;
    assert!(grown <= MEBIBYTE, "{grown} bytes");
}
