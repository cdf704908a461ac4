//! The upstream request: its headers, and a signature of its own for every attempt.

use std::collections::BTreeSet;

use envoy_bedrock::contract::names::{
    HEADER_CLUSTER, HEADER_REJECTED, HEADER_RETRY, HEADER_ROUTE, ROUTE_UNARY,
};
use filter_tests::{HeaderMap, UpstreamResponse};

use crate::oracle::assert_signed;
use crate::scene::{
    EAST, PRIVATE, PROFILE, START_SECONDS, Scene, TOKEN, TestDeployment, WEST, WILDCARD, WILDCARD_ALIAS,
    forwarded, route,
};

fn names(headers: &HeaderMap) -> BTreeSet<String> {
    let names = headers.pairs().iter();
    names
        .map(|(name, _)| String::from_utf8(name.clone()).unwrap())
        .collect()
}

/// What the client may say to Bedrock.
const PASSED_ON: [(&str, &str); 9] = [
    ("content-type", "application/json"),
    ("accept", "application/vnd.amazon.eventstream"),
    ("user-agent", "Boto3/1.40"),
    ("x-amzn-trace-id", "Root=1-5e"),
    (
        "traceparent",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ),
    ("tracestate", "a=b"),
    ("x-amzn-bedrock-guardrailidentifier", "gr-1"),
    ("x-amzn-bedrock-trace", "ENABLED"),
    ("x-amzn-bedrock-performanceconfig-latency", "optimized"),
];

/// What it may not: credentials, another signature's headers, hop-by-hop ones, and the gateway's own.
const KEPT_BACK: [(&str, &str); 27] = [
    ("x-api-key", "k"),
    ("api-key", "k"),
    ("cookie", "a=b"),
    ("proxy-authorization", "Basic x"),
    ("x-amz-date", "20200101T000000Z"),
    ("x-amz-security-token", "forged"),
    ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
    ("x-amz-target", "t"),
    ("amz-sdk-request", "attempt=1; max=5"),
    ("amz-sdk-invocation-id", "1"),
    ("x-forwarded-for", "10.0.0.1"),
    ("x-forwarded-host", "evil"),
    ("forwarded", "for=10.0.0.1"),
    ("x-envoy-max-retries", "50"),
    ("x-envoy-upstream-alt-stat-name", "s"),
    ("transfer-encoding", "chunked"),
    ("accept-encoding", "gzip"),
    ("connection", "close"),
    ("expect", "100-continue"),
    ("te", "trailers"),
    ("content-md5", "x"),
    ("x-litellm-tags", "a"),
    (HEADER_CLUSTER, "evil"),
    (HEADER_ROUTE, "stream"),
    (HEADER_RETRY, "1"),
    (HEADER_REJECTED, "1"),
    ("x-eb-plan", "0"),
];

#[test]
fn upstream_headers_are_exactly_the_allow_list() {
    let scene = Scene::new();
    let all: Vec<_> = PASSED_ON.into_iter().chain(KEPT_BACK).collect();
    let exchange = scene
        .post_with("/model/temporary/converse", &all)
        .body(["{}"])
        .send()
        .unwrap();
    let inside = forwarded(&exchange).headers.unwrap();
    assert_eq!(
        inside.values(HEADER_CLUSTER).collect::<Vec<_>>(),
        [b"us-east-1+us-east-1+us-east-1"]
    );
    assert_eq!(
        inside.values(HEADER_ROUTE).collect::<Vec<_>>(),
        [ROUTE_UNARY.as_bytes()]
    );
    let expected = [
        ":method",
        ":scheme",
        ":authority",
        ":path",
        "x-forwarded-proto",
        HEADER_CLUSTER,
        HEADER_ROUTE,
    ];
    assert_eq!(names(&inside), expected.map(str::to_owned).into());
    let answer = route(exchange, |_, _| UpstreamResponse::new(200, &[], "{}")).unwrap();

    let headers = answer.attempts[0].headers.clone().unwrap();
    let own = [
        ":method",
        ":scheme",
        ":authority",
        ":path",
        "content-length",
        "authorization",
        "x-amz-date",
        "x-amz-security-token",
    ];
    let passed_on = PASSED_ON.into_iter().map(|(name, _)| name);
    assert_eq!(
        names(&headers),
        own.into_iter().chain(passed_on).map(str::to_owned).collect()
    );
    for (name, value) in PASSED_ON {
        assert_eq!(headers.text(name), Some(value), "{name}");
    }
    assert_signed(&answer.attempts[0], &EAST, "converse", b"{}", START_SECONDS);
}

#[test]
fn values_that_are_not_utf_8_and_repeated_headers_pass_as_they_are() {
    let scene = Scene::new();
    let key = format!("Bearer {}", crate::scene::MASTER_KEY);
    let headers: Vec<(&[u8], &[u8])> = vec![
        (b":method", b"POST"),
        (b":path", b"/model/one/converse"),
        (b"authorization", key.as_bytes()),
        (b"user-agent", b"caf\xe9 \xff"),
        (b"x-amzn-bedrock-a", b"1"),
        (b"x-amzn-bedrock-a", b"2"),
        (b"accept", b""),
    ];
    let exchange = scene.request(headers).body(["{}"]).send().unwrap();
    let answer = route(exchange, |_, _| UpstreamResponse::new(200, &[], "{}")).unwrap();
    assert_signed(&answer.attempts[0], &WEST, "converse", b"{}", START_SECONDS);
    let headers = answer.attempts[0].headers.clone().unwrap();
    assert_eq!(headers.first("user-agent"), Some(&b"caf\xe9 \xff"[..]));
    assert_eq!(
        headers.values("x-amzn-bedrock-a").collect::<Vec<_>>(),
        [b"1", b"2"]
    );
    assert_eq!(headers.first("accept"), Some(&b""[..]));
}

#[test]
fn every_kind_of_deployment_is_signed_for_its_own_host_path_and_region() {
    let scene = Scene::new();
    let cases: [(&str, TestDeployment); 7] = [
        ("one", WEST),
        ("temporary", EAST),
        ("profile", PROFILE),
        ("private", PRIVATE),
        ("token", TOKEN),
        ("team%2Fa:b", WEST),
        (WILDCARD_ALIAS, WILDCARD),
    ];
    for (alias, deployment) in cases {
        for operation in [
            "converse",
            "converse-stream",
            "invoke",
            "invoke-with-response-stream",
            "count-tokens",
        ] {
            let body = format!("{{\"model\":\"{alias}\"}}");
            let exchange = scene
                .post(&format!("/bedrock/model/{alias}/{operation}"))
                .body([&body])
                .send()
                .unwrap();
            let answer = route(exchange, |_, _| UpstreamResponse::new(200, &[], "{}")).unwrap();
            assert_signed(
                &answer.attempts[0],
                &deployment,
                operation,
                body.as_bytes(),
                START_SECONDS,
            );
        }
    }
}

#[test]
fn a_signature_is_as_fresh_as_the_clock_also_across_midnight_and_years() {
    let scene = Scene::new();
    // 2023-12-31 23:59:58 UTC.
    let mut now = 1_704_067_198;
    scene.set_seconds(now);
    let exchange = scene.post("/model/ordered/converse").body(["{}"]).send().unwrap();
    let mut dates = Vec::new();
    let answer = route(exchange, |number, sent| {
        let deployment = [WEST, EAST, TOKEN][number as usize - 1];
        assert_signed(sent, &deployment, "converse", b"{}", now);
        dates.push(
            sent.headers
                .as_ref()
                .unwrap()
                .text("x-amz-date")
                .map(str::to_owned),
        );
        now += 2;
        scene.set_seconds(now);
        UpstreamResponse::new(500, &[], "{}")
    });
    assert_eq!(answer.unwrap().attempts.len(), 3);
    let expected = [Some("20231231T235958Z"), Some("20240101T000000Z"), None];
    assert_eq!(dates, expected.map(|date| date.map(str::to_owned)));

    // And back again, as when somebody sets the clock: the cached key of another day is not used.
    for seconds in [
        1_709_164_799,
        1_709_164_800,
        1_709_251_199,
        1_709_251_200,
        1_704_067_199,
        0,
        4_102_444_800,
    ] {
        scene.set_seconds(seconds);
        let exchange = scene.post("/model/two/converse").body(["{}"]).send().unwrap();
        route(exchange, |_, sent| {
            let west = sent.headers.as_ref().unwrap().text(":authority") == Some(WEST.authority);
            assert_signed(sent, if west { &WEST } else { &EAST }, "converse", b"{}", seconds);
            UpstreamResponse::new(429, &[], "{}")
        })
        .unwrap();
    }
}

#[test]
fn an_attempt_keeps_nothing_of_the_one_before_it() {
    let scene = Scene::new();
    // The first attempt has no signature, the second a session token, the third none.
    let exchange = scene
        .post("/model/backwards/invoke")
        .body(["body"])
        .send()
        .unwrap();
    let answer = route(exchange, |number, sent| {
        assert_signed(
            sent,
            &[TOKEN, EAST, WEST][number as usize - 1],
            "invoke",
            b"body",
            START_SECONDS,
        );
        UpstreamResponse::new(503, &[], "")
    });
    let answer = answer.unwrap();
    assert_eq!((answer.status(), answer.attempts.len()), (503, 3));
}
