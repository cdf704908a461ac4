//! The upstream request: its headers, and the signature of each attempt.

use std::collections::BTreeSet;

use envoy_bedrock::contract::names::{HEADER_PACE, HEADER_ROUTE, PACE_SLOW, ROUTE_UNARY};
use filter_tests::{HeaderMap, UpstreamResponse};

use crate::fixtures::{
    ATTEMPTS, EAST, PRIVATE, PROFILE, START_SECONDS, TOKEN, TestDeployment, WEST, WILDCARD, WILDCARD_ALIAS,
};
use crate::oracle::assert_signed;
use crate::scene::{Scene, clusters, forwarded, route};
use crate::table;

fn names(headers: &HeaderMap) -> BTreeSet<String> {
    let names = headers.pairs().iter();
    names
        .map(|(name, _)| String::from_utf8(name.clone()).unwrap())
        .collect()
}

#[test]
fn upstream_headers_are_exactly_the_allow_list() {
    let scene = Scene::new();
    let rows = table::forwarded_headers();
    let all: Vec<_> = rows
        .iter()
        .map(|row| (row.name.as_str(), row.value.as_str()))
        .collect();
    let exchange = scene
        .post_with("/model/temporary/converse", &all)
        .body(["{}"])
        .send()
        .unwrap();
    let inside = forwarded(&exchange).headers.unwrap();
    assert_eq!(clusters(&exchange), ["us-east-1"; ATTEMPTS]);
    assert_eq!(
        inside.values(HEADER_PACE).collect::<Vec<_>>(),
        [PACE_SLOW.as_bytes()]
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
        HEADER_PACE,
        HEADER_ROUTE,
    ];
    assert_eq!(names(&inside), expected.map(str::to_owned).into());
    let response = route(exchange, |_, _| UpstreamResponse::new(200, &[], "{}")).unwrap();

    let headers = response.attempts[0].headers.clone().unwrap();
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
    let passed_on = rows.iter().filter(|row| row.is_forwarded);
    let passed_on_names = passed_on.clone().map(|row| row.name.as_str());
    assert_eq!(
        names(&headers),
        own.into_iter()
            .chain(passed_on_names)
            .map(str::to_owned)
            .collect()
    );
    for row in passed_on {
        assert_eq!(headers.text(&row.name), Some(row.value.as_str()), "{}", row.name);
    }
    assert_signed(&response.attempts[0], &EAST, "converse", b"{}", START_SECONDS);
}

#[test]
fn values_that_are_not_utf_8_and_repeated_headers_are_forwarded_unchanged() {
    let scene = Scene::new();
    let key = format!("Bearer {}", crate::fixtures::MASTER_KEY);
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
    let response = route(exchange, |_, _| UpstreamResponse::new(200, &[], "{}")).unwrap();
    assert_signed(&response.attempts[0], &WEST, "converse", b"{}", START_SECONDS);
    let headers = response.attempts[0].headers.clone().unwrap();
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
            let response = route(exchange, |_, _| UpstreamResponse::new(200, &[], "{}")).unwrap();
            assert_signed(
                &response.attempts[0],
                &deployment,
                operation,
                body.as_bytes(),
                START_SECONDS,
            );
        }
    }
}

#[test]
fn each_signature_has_the_current_time_across_midnight_and_years() {
    let scene = Scene::new();
    // 2023-12-31 23:59:58 UTC.
    let mut now = 1_704_067_198;
    scene.set_seconds(now);
    let exchange = scene.post("/model/ordered/converse").body(["{}"]).send().unwrap();
    let mut dates = Vec::new();
    let response = route(exchange, |number, sent| {
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
    assert_eq!(response.unwrap().attempts.len(), 3);
    let expected = [Some("20231231T235958Z"), Some("20240101T000000Z"), None];
    assert_eq!(dates, expected.map(|date| date.map(str::to_owned)));

    // The clock may also be set back: the cached key of another day is not used.
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
fn an_attempt_keeps_nothing_of_the_previous_one() {
    let scene = Scene::new();
    // The first attempt has no signature, the second a session token, the third none.
    let exchange = scene
        .post("/model/backwards/invoke")
        .body(["body"])
        .send()
        .unwrap();
    let response = route(exchange, |number, sent| {
        assert_signed(
            sent,
            &[TOKEN, EAST, WEST][number as usize - 1],
            "invoke",
            b"body",
            START_SECONDS,
        );
        UpstreamResponse::new(503, &[], "")
    });
    let response = response.unwrap();
    assert_eq!((response.status(), response.attempts.len()), (503, 3));
}
