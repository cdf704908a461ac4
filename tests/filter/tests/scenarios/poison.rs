//! Hostile requests, each followed by a healthy one on the same VM.

use filter_tests::{HeaderMap, RequestOutcome, UpstreamResponse};

use crate::fixtures::MASTER_KEY;
use crate::scene::{Scene, route};

/// xorshift64. The requests are the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Random bytes of any value, including NUL.
    fn bytes(&mut self) -> Vec<u8> {
        let length = self.one(&[0, 1, 7, 8, 16, 100, 5000]);
        (0..length).map(|_| self.below(256) as u8).collect()
    }
}

/// Sends a request of any shape. It must be refused, or forwarded if it `may_pass`.
fn send(scene: &Scene, headers: &[(Vec<u8>, Vec<u8>)], body: &[Vec<u8>], may_pass: bool) {
    let pairs = headers
        .iter()
        .map(|(name, value)| (name.as_slice(), value.as_slice()));
    let exchange = scene.request(pairs).body(body).send().unwrap();
    match exchange.outcome() {
        RequestOutcome::LocalReply { status, .. } => {
            assert!(
                matches!(status, 400 | 401 | 404 | 405 | 413),
                "{status} for {:?}",
                HeaderMap::new(headers.to_vec())
            );
            exchange.finish().unwrap();
        }
        RequestOutcome::Forwarded(_) => {
            assert!(may_pass, "{:?}", HeaderMap::new(headers.to_vec()));
            let response = route(exchange, |_, sent| {
                assert!(sent.headers.as_ref().unwrap().first("authorization").is_some());
                UpstreamResponse::new(200, &[], "{}")
            });
            assert_eq!(response.unwrap().status(), 200);
        }
        other => panic!("expected a reply or a forwarded request, but found {other:?}"),
    }
    assert_eq!(scene.host().streams(), 0);
}

fn pair(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> (Vec<u8>, Vec<u8>) {
    (name.as_ref().to_vec(), value.as_ref().to_vec())
}

fn good(path: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    vec![
        pair(":method", "POST"),
        pair(":scheme", "http"),
        pair(":authority", "localhost:4000"),
        pair(":path", path),
        pair("authorization", format!("Bearer {MASTER_KEY}")),
    ]
}

/// Headers whose values the filter reads but does not forward. Forwarded headers never contain NUL
/// or line ends: Envoy's codecs reject such a request.
const READ: [&str; 10] = [
    ":path",
    ":method",
    "authorization",
    "x-litellm-api-key",
    "x-api-key",
    "api-key",
    "content-length",
    "cookie",
    "x-eb-pace",
    "transfer-encoding",
];

#[test]
fn random_bytes_in_any_header_do_no_harm() {
    let scene = Scene::new();
    let mut chance = Chance(0x1234_5678_9abc_def1);
    let prefixes = [
        "",
        "Bearer ",
        "AWS4-HMAC-SHA256 ",
        "AWS4-HMAC-SHA256 Credential=",
        "AWS4-HMAC-SHA256 Credential=Bearer ",
        "/model/",
        "/bedrock/model/",
        "/model/one/",
        "%",
        "POST",
    ];
    for round in 0..3000 {
        let mut headers = good("/model/one/converse");
        let mut may_pass = true;
        for _ in 0..=chance.below(3) {
            let name = chance.one(&READ);
            let mut value = chance.one(&prefixes).as_bytes().to_vec();
            value.extend(chance.bytes());
            if name == ":path" && chance.below(2) == 0 {
                value.extend(b"/converse");
            }
            may_pass &= !matches!(name, "x-litellm-api-key" | "authorization");
            if chance.below(2) == 0 {
                headers.retain(|(other, _)| other != name.as_bytes());
            }
            // A codec rejects a repeated pseudo-header.
            if name.starts_with(':') {
                headers.retain(|(other, _)| other != name.as_bytes());
            }
            headers.push(pair(name, value));
        }
        let body = (0..chance.below(3)).map(|_| chance.bytes()).collect::<Vec<_>>();
        send(&scene, &headers, &body, may_pass);
        if round % 100 == 0 {
            scene.assert_healthy();
        }
    }
    scene.assert_healthy();
}

#[test]
fn random_header_names_and_values_do_no_harm() {
    let scene = Scene::new();
    let mut chance = Chance(0xfeed_beef_0000_0001);
    for _ in 0..500 {
        let mut headers = good("/model/one/converse");
        for _ in 0..chance.below(40) {
            let (name, value) = (chance.bytes(), chance.bytes());
            headers.push(([b"x-", name.as_slice()].concat(), value));
        }
        send(&scene, &headers, &[b"{}".to_vec()], true);
    }
    scene.assert_healthy();
}

#[test]
fn huge_headers_do_no_harm() {
    let scene = Scene::new();
    for name in READ.into_iter().chain(["x-anything", "x-amz-date", "referer"]) {
        for byte in *b"A%/., =\0\xff" {
            let mut headers = good("/model/one/converse");
            headers.retain(|(other, _)| other != name.as_bytes());
            let mut value = if name == ":path" {
                b"/model/".to_vec()
            } else {
                Vec::new()
            };
            value.extend(vec![byte; 512 * 1024]);
            headers.push(pair(name, value));
            send(&scene, &headers, &[b"{}".to_vec()], name != "authorization");
        }
        scene.assert_healthy();
    }
}

#[test]
fn many_headers_do_no_harm() {
    let scene = Scene::new();
    for name in [
        "authorization",
        "x-api-key",
        "content-length",
        "cookie",
        "x-eb-pace",
        "x-n",
    ] {
        for count in [2, 1000, 20_000] {
            let mut headers = good("/model/one/converse");
            headers.extend(vec![pair(name, "1"); count]);
            send(&scene, &headers, &[], !matches!(name, "authorization"));
        }
    }
    scene.assert_healthy();
}

#[test]
fn requests_without_pseudo_headers_or_any_header_are_refused() {
    let scene = Scene::new();
    send(&scene, &[], &[], false);
    for missing in [":method", ":path", "authorization"] {
        let mut headers = good("/model/one/converse");
        headers.retain(|(name, _)| name != missing.as_bytes());
        send(&scene, &headers, &[b"{}".to_vec()], false);
        scene.assert_healthy();
    }
    for name in ["", ":", ":path:", " ", "\0"] {
        let mut headers = good("/model/one/converse");
        headers.retain(|(name, _)| name != b":path");
        headers.push(pair(name, "/model/one/converse"));
        send(&scene, &headers, &[], false);
    }
    scene.assert_healthy();
}

#[test]
fn absurd_lengths_do_no_harm() {
    let scene = Scene::new();
    for length in [
        "-1",
        "0",
        "00000000000000000000000000000001",
        "18446744073709551615",
        "18446744073709551616",
        "1e9",
        "NaN",
        "\u{661}",
        "0x10",
        " 5",
        "5 ",
        "5,5",
        "",
    ] {
        let mut headers = good("/model/one/converse");
        headers.push(pair("content-length", length));
        send(&scene, &headers, &[b"12345".to_vec()], true);
    }
    scene.assert_healthy();
}

#[test]
fn hostile_responses_of_an_upstream_do_no_harm() {
    let scene = Scene::new();
    let mut chance = Chance(0xabcd_ef01_2345_6789);
    for _ in 0..300 {
        let exchange = scene.post("/model/ordered/converse").body(["{}"]).send().unwrap();
        let response = route(exchange, |_, _| {
            let mut response = UpstreamResponse::new(200, &[], "");
            let status = chance.one(&[
                &b""[..],
                b"\xff\xff",
                b"429",
                b"99999999999999999999",
                b"200",
                b"0",
            ]);
            response.headers.replace(b":status", status);
            for _ in 0..chance.below(5) {
                let mut value = chance.bytes();
                // Envoy's codecs reject these bytes, and the filter writes the headers back.
                value.retain(|byte| !matches!(byte, 0 | b'\r' | b'\n'));
                response.headers.add(b"x-amzn-errortype", &value);
            }
            response.chunks = (0..chance.below(4)).map(|_| chance.bytes()).collect();
            response.cut = chance.below(4) == 0;
            response
        });
        response.unwrap();
    }
    assert_eq!(scene.host().streams(), 0);
    scene.assert_healthy();
}
