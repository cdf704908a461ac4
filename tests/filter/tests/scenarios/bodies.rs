//! Request bodies: however one arrives, the upstream request is the same, up to the size limit.

use filter_tests::{HttpExchange, HttpMessage, RequestOutcome, UpstreamResponse};
use serde_json::json;

use crate::fixtures::{START_SECONDS, WEST, settings};
use crate::oracle::assert_signed;
use crate::scene::{Scene, forwarded, refusal, route};

const PATH: &str = "/model/one/converse";
const BODY: &[u8] = br#"{"messages":[{"role":"user","content":[{"text":"Hello, how are you?"}]}]}"#;

/// Routes a request to one upstream, checks the upstream request, and returns it.
fn arrives(exchange: HttpExchange, body: &[u8]) -> HttpMessage {
    let response = route(exchange, |_, _| UpstreamResponse::new(200, &[], "{}")).unwrap();
    assert_signed(&response.attempts[0], &WEST, "converse", body, START_SECONDS);
    response.attempts[0].clone()
}

#[test]
fn chunk_boundaries_change_nothing() {
    let scene = Scene::new();
    let whole = arrives(scene.post(PATH).body([BODY]).send().unwrap(), BODY);
    for at in 0..=BODY.len() {
        let (start, end) = BODY.split_at(at);
        let cut = arrives(scene.post(PATH).body([start, end]).send().unwrap(), BODY);
        assert_eq!(cut.headers, whole.headers, "cut at {at}");
    }
    for size in [1, 2, 3, 7, 16] {
        let cut = arrives(scene.post(PATH).body(BODY.chunks(size)).send().unwrap(), BODY);
        assert_eq!(cut.headers, whole.headers, "in pieces of {size}");
    }
    let with_empty = [&BODY[..10], b"", b"", &BODY[10..], b""];
    let cut = arrives(scene.post(PATH).body(with_empty).send().unwrap(), BODY);
    assert_eq!(cut.headers, whole.headers);
}

#[test]
fn a_body_can_end_with_trailers_or_be_empty() {
    let scene = Scene::new();
    let trailers = [("x-amz-trailer-signature", "forged")];
    for chunks in [
        vec![BODY],
        vec![&BODY[..5], &BODY[5..]],
        vec![BODY, b""],
        vec![b"", BODY],
    ] {
        let exchange = scene.post(PATH).body(chunks).trailers(trailers).send().unwrap();
        arrives(exchange, BODY);
    }
    arrives(scene.post(PATH).trailers(trailers).send().unwrap(), b"");
    arrives(
        scene.post(PATH).body([b""]).trailers(trailers).send().unwrap(),
        b"",
    );
    arrives(scene.post(PATH).send().unwrap(), b"");
    arrives(scene.post(PATH).body([b""]).send().unwrap(), b"");
    arrives(scene.post(PATH).body([b"", b""]).send().unwrap(), b"");
}

#[test]
fn the_upstream_content_length_is_the_real_one() {
    let scene = Scene::new();
    for declared in [
        None,
        Some("74"),
        Some("0"),
        Some("1"),
        Some("100"),
        Some(""),
        Some("-1"),
        Some("+74"),
        Some("0x4a"),
    ] {
        let header = declared.map(|declared| ("content-length", declared));
        let more: Vec<_> = header.into_iter().collect();
        arrives(scene.post_with(PATH, &more).body([BODY]).send().unwrap(), BODY);
    }
    let chunked = [("transfer-encoding", "chunked")];
    arrives(
        scene
            .post_with(PATH, &chunked)
            .body(BODY.chunks(9))
            .send()
            .unwrap(),
        BODY,
    );
}

#[test]
fn bodies_that_are_not_json_pass_unchanged() {
    let scene = Scene::new();
    let every_byte: Vec<u8> = (0..=255).collect();
    for body in [&every_byte[..], b"\0", b"\xff\xfe", b"\r\n\r\n", b"not json"] {
        arrives(scene.post(PATH).body([body]).send().unwrap(), body);
    }
}

#[test]
fn nothing_goes_upstream_before_the_body_is_complete() {
    let scene = Scene::new();
    let mut exchange = scene.post(PATH).unfinished().send().unwrap();
    for chunk in BODY.chunks(20) {
        assert_eq!(exchange.outcome(), RequestOutcome::Waiting);
        exchange.request_chunk(chunk, false).unwrap();
    }
    assert_eq!(exchange.outcome(), RequestOutcome::Waiting);
    exchange.request_chunk(b"", true).unwrap();
    assert_eq!(forwarded(&exchange).body(), BODY);
    arrives(exchange, BODY);
}

fn limited(bytes: u64) -> Scene {
    let mut settings = settings();
    settings["body_limit_bytes"] = json!(bytes);
    Scene::with(&settings)
}

#[test]
fn a_body_of_the_limit_passes_and_one_byte_more_is_413() {
    // Around the limit, and around the size of one read.
    for limit in [1, 1000, 256 * 1024, 256 * 1024 + 1] {
        let scene = limited(limit as u64);
        for length in [limit - 1, limit] {
            let body = vec![b'x'; length];
            let declared = length.to_string();
            let headers = [("content-length", declared.as_str())];
            arrives(
                scene.post_with(PATH, &headers).body([&body]).send().unwrap(),
                &body,
            );
            arrives(
                scene.post(PATH).body(body.chunks(limit / 3 + 1)).send().unwrap(),
                &body,
            );
        }
        let body = vec![b'x'; limit + 1];
        for size in [limit + 1, limit / 2 + 1] {
            let exchange = scene.post(PATH).body(body.chunks(size)).send().unwrap();
            let reply = refusal(&exchange);
            assert_eq!(reply.status, 413);
            assert!(
                reply.body["message"]
                    .as_str()
                    .unwrap()
                    .contains(&limit.to_string())
            );
            exchange.finish().unwrap();
        }
    }
}

#[test]
fn a_declared_length_over_the_limit_is_413_and_the_body_is_not_read() {
    let scene = limited(1000);
    for (declared, refused) in [
        ("1000", false),
        ("1001", true),
        ("18446744073709551615", true),
        // These overflow or do not parse: the body is counted as it arrives.
        ("18446744073709551616", false),
        ("99999999999999999999999999", false),
        ("1001, 1001", false),
    ] {
        let reads = scene.host().count("proxy_get_buffer_bytes");
        let exchange = scene
            .post_with(PATH, &[("content-length", declared)])
            .body(["{}"])
            .send()
            .unwrap();
        let reads = scene.host().count("proxy_get_buffer_bytes") - reads;
        if refused {
            assert_eq!(refusal(&exchange).status, 413, "{declared}");
            assert_eq!(reads, 0, "{declared}");
        } else {
            assert!(
                matches!(exchange.outcome(), RequestOutcome::Forwarded(_)),
                "{declared}"
            );
            assert_eq!(reads, 1, "{declared}");
        }
        exchange.finish().unwrap();
    }
}

#[test]
fn a_body_that_exceeds_its_declared_length_is_counted() {
    let scene = limited(1000);
    let body = [b'x'; 600];
    let request = scene.post_with(PATH, &[("content-length", "10")]);
    let mut exchange = request.unfinished().send().unwrap();
    exchange.request_chunk(&body, false).unwrap();
    assert_eq!(exchange.outcome(), RequestOutcome::Waiting);
    exchange.request_chunk(&body, false).unwrap();
    assert_eq!(exchange.outcome(), RequestOutcome::Waiting);
    exchange.request_chunk(&body, true).unwrap();
    assert_eq!(refusal(&exchange).status, 413);
    exchange.finish().unwrap();
}

#[test]
fn the_limit_is_that_of_the_configuration() {
    let scene = Scene::new();
    let limit = 32 * 1024 * 1024;
    let chunk = vec![b'x'; 1024 * 1024];
    let mut exchange = scene.post(PATH).unfinished().send().unwrap();
    for _ in 0..limit / chunk.len() {
        exchange.request_chunk(&chunk, false).unwrap();
    }
    assert_eq!(exchange.outcome(), RequestOutcome::Waiting);
    exchange.request_chunk(b"x", true).unwrap();
    assert_eq!(refusal(&exchange).status, 413);
    exchange.finish().unwrap();
}
