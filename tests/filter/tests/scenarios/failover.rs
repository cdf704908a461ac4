//! Attempts: where each goes, which responses are retried, and what is never sent.

use envoy_bedrock::contract::names::HEADER_RETRY;
use filter_tests::{FaultPlan, HeaderMap, HostFault, HttpMessage, RequestOutcome, Status, UpstreamResponse};

use crate::fixtures::{ATTEMPTS, EAST, START_SECONDS, TOKEN, WEST, model, settings, settings_of};
use crate::oracle::assert_signed;
use crate::scene::{Scene, clusters, refusal, route, without_individual};

const PATH: &str = "/model/ordered/converse";

fn throttled(body: &str) -> UpstreamResponse {
    UpstreamResponse::new(429, &[("x-amzn-errortype", "ThrottlingException")], body)
}

#[test]
fn attempts_go_to_the_clusters_of_their_deployments_and_start_over_after_the_last() {
    let scene = Scene::new();
    for (model, expected) in [
        ("ordered", vec!["us-west-2", "us-east-1", "eu-central-1"]),
        ("backwards", vec!["eu-central-1", "us-east-1", "us-west-2"]),
        ("one", vec!["us-west-2"; ATTEMPTS]),
    ] {
        let exchange = scene
            .post(&format!("/model/{model}/converse"))
            .body(["{}"])
            .send()
            .unwrap();
        assert_eq!(clusters(&exchange), expected);
        exchange.finish().unwrap();
    }
    for _ in 0..50 {
        let exchange = scene.post("/model/two/converse").body(["{}"]).send().unwrap();
        let tried = clusters(&exchange);
        assert!(tried[0] != tried[1] && tried[0] == tried[2], "{tried:?}");
        exchange.finish().unwrap();
    }
}

#[test]
fn another_account_in_the_same_region_is_another_deployment() {
    let account = crate::fixtures::TestDeployment {
        cluster: WEST.cluster,
        region: WEST.region,
        authority: WEST.authority,
        ..EAST
    };
    let scene = Scene::with(&settings_of(vec![model("m", &[(WEST, 1, 0), (account, 1, 1)])]));
    let exchange = scene.post("/model/m/converse").body(["{}"]).send().unwrap();
    let response = route(exchange, |number, sent| {
        let expected = if number == 2 { &account } else { &WEST };
        assert_signed(sent, expected, "converse", b"{}", START_SECONDS);
        throttled("")
    });
    assert_eq!(response.unwrap().attempts.len(), ATTEMPTS);
}

/// Whether a status is retried, unless the error type says otherwise.
fn is_retried(status: u16) -> bool {
    matches!(status, 100..=199 | 300..=399 | 401..=405 | 407 | 408 | 410 | 421 | 424 | 429 | 500..=599)
}

#[test]
fn every_status_except_success_and_client_errors_is_retried_until_the_last_attempt() {
    let scene = Scene::new();
    let deployments = [WEST, EAST, TOKEN];
    for status in 100..=599 {
        let mut exchange = scene.post(PATH).body(["{}"]).send().unwrap();
        for number in 1..=ATTEMPTS {
            exchange
                .attempt(number as u64, deployments[number - 1].cluster)
                .unwrap();
            let headers = HeaderMap::new([(":status", status.to_string())]);
            let judged = exchange.judge(headers, false).unwrap();
            let wanted = is_retried(status) && number < ATTEMPTS;
            assert_eq!(
                judged.text(HEADER_RETRY),
                wanted.then_some("1"),
                "{status} at {number}"
            );
            exchange.give_up().unwrap();
        }
        exchange.finish().unwrap();
    }
}

#[test]
fn the_error_type_decides_if_the_status_is_ambiguous() {
    let scene = Scene::new();
    for (status, error_type, wanted) in [
        (400, "ThrottlingException", true),
        (
            400,
            "ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/",
            true,
        ),
        (400, "ServiceQuotaExceededException", true),
        (400, "ExpiredTokenException", true),
        (400, "ValidationException", false),
        (
            400,
            "ValidationException:http://internal.amazon.com/coral/com.amazon.bedrock/",
            false,
        ),
        (400, "", false),
        (400, "\u{ff}\0", false),
        (413, "ValidationException", false),
        (200, "ThrottlingException", false),
    ] {
        let mut exchange = scene.post(PATH).body(["{}"]).send().unwrap();
        exchange.attempt(1, WEST.cluster).unwrap();
        let headers = HeaderMap::new([
            (":status", status.to_string()),
            ("x-amzn-errortype", error_type.to_owned()),
        ]);
        let judged = exchange.judge(headers.clone(), false).unwrap();
        assert_eq!(
            judged.text(HEADER_RETRY).is_some(),
            wanted,
            "{status} {error_type}"
        );
        exchange.finish().unwrap();
    }
}

fn forbidden(body: &str) -> UpstreamResponse {
    UpstreamResponse::new(403, &[("x-amzn-errortype", "UnrecognizedClientException")], body)
}

#[test]
fn a_deployment_with_a_bad_key_is_followed_by_the_other_one_in_its_region() {
    let account = crate::fixtures::TestDeployment {
        cluster: WEST.cluster,
        region: WEST.region,
        authority: WEST.authority,
        ..EAST
    };
    let scene = Scene::with(&settings_of(vec![model("m", &[(WEST, 1, 0), (account, 1, 1)])]));
    let send = || scene.post("/model/m/converse").body(["{}"]).send().unwrap();
    // The other one is healthy.
    let response = route(send(), |number, sent| {
        let expected = if number == 1 { &WEST } else { &account };
        assert_signed(sent, expected, "converse", b"{}", START_SECONDS);
        if number == 1 {
            forbidden("")
        } else {
            UpstreamResponse::new(200, &[], "ok")
        }
    });
    let response = response.unwrap();
    assert_eq!((response.status(), response.attempts.len()), (200, 2));
    // The other one is throttled. The third attempt goes to it again, not to the bad key.
    let response = route(send(), |number, sent| match number {
        1 => forbidden(""),
        2 => throttled(""),
        _ => {
            assert_signed(sent, &account, "converse", b"{}", START_SECONDS);
            UpstreamResponse::new(200, &[], "ok")
        }
    });
    let response = response.unwrap();
    assert_eq!((response.status(), response.attempts.len()), (200, 3));
    // Both keys are bad: each is tried once, and the client gets the last response.
    let response = route(send(), |number, _| forbidden(&format!("bad key {number}"))).unwrap();
    assert_eq!((response.status(), response.attempts.len()), (403, 2));
    assert_eq!(response.message.body(), b"bad key 2");
}

#[test]
fn a_single_deployment_with_a_bad_key_is_tried_once() {
    let scene = Scene::with(&settings_of(vec![model("m", &[(WEST, 1, 0), (WEST, 1, 0)])]));
    let exchange = scene.post("/model/m/converse").body(["{}"]).send().unwrap();
    let response = route(exchange, |_, _| forbidden("")).unwrap();
    assert_eq!((response.status(), response.attempts.len()), (403, 1));
}

#[test]
fn an_invalid_status_is_passed_on() {
    let scene = Scene::new();
    for status in ["", "abc", "-500", "99999999999", "5\u{ff}0", " 500"] {
        let mut exchange = scene.post(PATH).body(["{}"]).send().unwrap();
        exchange.attempt(1, WEST.cluster).unwrap();
        let judged = exchange
            .judge(HeaderMap::new([(":status", status)]), true)
            .unwrap();
        assert_eq!(judged, HeaderMap::new([(":status", status)]));
        exchange.finish().unwrap();
    }
    scene.assert_healthy();
}

#[test]
fn the_client_gets_the_last_response_if_all_attempts_fail() {
    let scene = Scene::new();
    let exchange = scene.post(PATH).body(["{}"]).send().unwrap();
    let response = route(exchange, |number, _| throttled(&format!("throttled {number}"))).unwrap();
    assert_eq!((response.status(), response.attempts.len()), (429, ATTEMPTS));
    assert_eq!(response.message.body(), b"throttled 3");
    let headers = response.message.headers.unwrap();
    assert_eq!(headers.text("x-amzn-errortype"), Some("ThrottlingException"));
    assert_eq!(headers.text(HEADER_RETRY), None);
}

#[test]
fn a_retry_after_a_refused_connection_is_signed_afresh() {
    let scene = Scene::new();
    let exchange = scene.post(PATH).body(["{", "}"]).send().unwrap();
    let deployments = [WEST, EAST, TOKEN];
    let response = route(exchange, |number, sent| {
        assert_signed(
            sent,
            &deployments[number as usize - 1],
            "converse",
            b"{}",
            scene.now_seconds(),
        );
        scene.set_seconds(scene.now_seconds() + 60);
        if number < 3 {
            UpstreamResponse::refused()
        } else {
            UpstreamResponse::new(200, &[], "ok")
        }
    });
    let response = response.unwrap();
    assert_eq!(
        (response.status(), response.message.body()),
        (200, b"ok".to_vec())
    );
}

#[test]
fn a_successful_response_passes_byte_for_byte_and_chunk_by_chunk() {
    let scene = Scene::new();
    let exchange = scene
        .post("/model/one/converse-stream")
        .body(["{}"])
        .send()
        .unwrap();
    let chunks: Vec<Vec<u8>> = vec![vec![0, 1, 255], vec![b'x'; 70_000], b"\r\n".to_vec()];
    let sent = UpstreamResponse {
        chunks: chunks.clone(),
        trailers: Some(HeaderMap::new([("x-end", "1")])),
        ..UpstreamResponse::new(
            200,
            &[
                ("x-amzn-requestid", "r-1"),
                ("content-type", "application/vnd.amazon.eventstream"),
            ],
            "",
        )
    };
    let response = route(exchange, |_, _| sent.clone()).unwrap();
    let headers = without_individual(response.message.headers.as_ref().unwrap());
    let passed = HttpMessage {
        headers: Some(headers),
        ..response.message
    };
    let expected = HttpMessage {
        headers: Some(sent.headers),
        chunks,
        trailers: sent.trailers,
        ended: true,
    };
    assert_eq!(passed, expected);
}

/// Asserts that the attempt after `good` valid ones sends nothing and becomes a 503, for any
/// attempt number from Envoy.
fn assert_not_sent(scene: &Scene, good: usize, number: u64, cluster: &str) {
    let mut exchange = scene.post(PATH).body(["{}"]).send().unwrap();
    for (number, deployment) in (1..).zip(&[WEST, EAST, TOKEN][..good]) {
        let sent = exchange.attempt(number, deployment.cluster).unwrap();
        assert_signed(&sent, deployment, "converse", b"{}", START_SECONDS);
        exchange.give_up().unwrap();
    }
    let sent = exchange.attempt(number, cluster).unwrap();
    assert_eq!(sent, HttpMessage::default(), "{number} {cluster}");
    assert_eq!(refusal(&exchange).status, 503, "{number} {cluster}");
    exchange.finish().unwrap();
    scene.assert_healthy();
}

#[test]
fn an_attempt_at_an_unplanned_endpoint_is_not_sent() {
    let scene = Scene::new();
    let mut faults = 0;
    for good in 0..3 {
        for cluster in [
            "us-west-2",
            "us-east-1",
            "eu-central-1",
            "",
            "us-west-2 ",
            "US-WEST-2",
            "us-west-2+us-east-1",
        ] {
            if [WEST, EAST, TOKEN][good].cluster != cluster {
                assert_not_sent(&scene, good, good as u64 + 1, cluster);
                faults += 1;
            }
        }
    }
    assert_eq!(faults, 18);
}

#[test]
fn an_unplanned_attempt_is_not_sent() {
    let scene = Scene::new();
    for number in [0, 4, u64::from(u32::MAX) + 2, u64::MAX] {
        for cluster in ["us-west-2", "us-east-1", "eu-central-1"] {
            assert_not_sent(&scene, 1, number, cluster);
        }
    }
}

#[test]
fn an_attempt_after_one_that_never_reached_the_signer_is_signed_for_its_own_endpoint() {
    let scene = Scene::new();
    let mut exchange = scene.post(PATH).body(["{}"]).send().unwrap();
    for (number, deployment) in [(2, EAST), (3, TOKEN)] {
        let sent = exchange.attempt(number, deployment.cluster).unwrap();
        assert_signed(&sent, &deployment, "converse", b"{}", START_SECONDS);
        exchange.give_up().unwrap();
    }
    exchange.finish().unwrap();
}

/// Calls of `proxy_get_property` before the first signer's: both plugins read their root id.
const READS_AT_START: u64 = 2;
/// The first attempt reads its plan and its endpoint. Retries also read their number.
const READS_OF_FIRST: u64 = 2;

#[test]
fn an_attempt_without_plan_endpoint_or_number_is_not_sent() {
    // The plan is missing if the VM was reloaded after the gateway role or the client is gone.
    let bytes = |bytes: &[u8]| HostFault::Bytes(bytes.to_vec());
    let unreadable = [
        HostFault::Status(Status::NotFound),
        HostFault::Status(Status::SerializationFailure),
        HostFault::Status(Status::InternalFailure),
        bytes(b""),
        bytes(b"\xff"),
    ];
    let plans = [b"1".as_slice(), b"999", b"-1", b"0x0", b"18446744073709551616"].map(bytes);
    let endpoints = [b"eu-central-1".as_slice(), b"us-east-1\0", b"us-west-2\0"].map(bytes);
    let numbers = [
        &[2][..],
        &[2, 0, 0, 0],
        &[2; 9],
        &[0; 8],
        &[1, 0, 0, 0, 0, 0, 0, 0],
    ]
    .map(bytes);
    let forged = [&plans[..], &endpoints, &numbers];
    for (good, cluster, skipped, reads) in [
        (0, "us-west-2", 0, READS_OF_FIRST),
        (1, "us-east-1", READS_OF_FIRST, 3),
    ] {
        for (read, forged) in (1..=reads).zip(&forged) {
            for fault in unreadable.iter().chain(*forged) {
                let nth = READS_AT_START + skipped + read;
                let plan = FaultPlan::default().fail("proxy_get_property", nth, fault.clone());
                let scene = Scene::start(&settings(), plan.clone()).unwrap();
                assert_not_sent(&scene, good, good as u64 + 1, cluster);
                assert_eq!(plan.fired().len(), 1);
                let log = scene.host().log_text();
                assert!(log.contains("attempt"), "{log}");
            }
        }
    }
}

#[test]
fn a_local_reply_of_the_signer_is_final() {
    let scene = Scene::new();
    let mut exchange = scene.post(PATH).body(["a", "b"]).send().unwrap();
    exchange.attempt(1, "elsewhere").unwrap();
    assert!(matches!(
        exchange.outcome(),
        RequestOutcome::LocalReply { status: 503, .. }
    ));
    let response = exchange.response().headers.clone().unwrap();
    assert_eq!(response.text(HEADER_RETRY), None);
    exchange.finish().unwrap();
    assert_eq!(scene.host().streams(), 0);
}
