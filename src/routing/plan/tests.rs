use super::*;
use crate::admission::path;
use crate::headers::Headers;
use crate::random::Random;
use crate::routing::outcome::AttemptResponse;
use crate::stream::request::Request;

const NOW: UnixTime = UnixTime::from_nanoseconds(1_795_357_174_000_000_000);
/// No `x-amzn-errortype`.
const NONE: Option<&[u8]> = None;
const EXPIRED: Option<&[u8]> = Some(b"ExpiredTokenException");

/// A plan whose deployments are tried in this order: (cluster, model id, variable of the API key).
fn plan(attempts: u32, deployments: &[(&str, &str, &str)]) -> Plan {
    let deployments = (0..).zip(deployments).map(|(order, (cluster, model, key))| {
        format!(
            r#"{{"id": "d{order}", "model": "{model}", "region": "{cluster}", "cluster": "{cluster}",
                "authority": "{cluster}.test", "weight": 1, "order": {order}, "credentials": {{"bearer": {{"api_key": "{key}"}}}}}}"#
        )
    });
    let deployments = deployments.collect::<Vec<_>>().join(",");
    let json = format!(
        r#"{{"master_key": "K", "attempts": {attempts}, "body_limit_bytes": 1, "models": [{{"name": "m", "deployments": [{deployments}]}}]}}"#
    );
    let config = ActiveConfig::new(json.as_bytes(), |name| Some(format!("value-of-{name}"))).unwrap();
    let path = path::parse(b"/model/m/converse").unwrap();
    let key = config.keys.master();
    let request = Request::begin(Rc::new(config), path, key, Headers(&[])).unwrap();
    request
        .complete()
        .unwrap()
        .0
        .dispatch("call-1".to_owned(), &mut Random::new(1), NOW)
        .unwrap()
        .plan
}

/// Makes attempts until one is not retried. `respond` gets the deployment's id and returns the
/// status and error type of its response. Returns the ids in order, and how many attempts were
/// left.
fn run(plan: &Plan, respond: impl Fn(&str) -> (u16, Option<&'static [u8]>)) -> (Vec<String>, usize) {
    let mut tried = Vec::new();
    for number in 1.. {
        let cluster = plan.cluster(number).unwrap();
        plan.request(number, cluster.as_bytes(), NOW).unwrap();
        let id = plan.last_deployment().unwrap().id.clone();
        let (status, error_type) = respond(&id);
        tried.push(id);
        let response = AttemptResponse {
            error_type,
            ..AttemptResponse::of(status)
        };
        plan.record_response(number, response, &|| NOW);
        if !plan.should_retry(number, &|| NOW) {
            break;
        }
    }
    let left = plan.config.attempts - tried.len();
    (tried, left)
}

const WEST: (&str, &str, &str) = ("west", "a:0", "A");
const EAST: (&str, &str, &str) = ("east", "a:0", "A");
const WEST_OTHER_ACCOUNT: (&str, &str, &str) = ("west", "a:0", "B");
const WEST_OTHER_MODEL: (&str, &str, &str) = ("west", "b:0", "A");

#[test]
fn transient_failures_are_retried_while_attempts_are_left() {
    for status in [408, 424, 429, 500, 503, 599] {
        let plan = plan(3, &[WEST]);
        assert_eq!(run(&plan, |_| (status, NONE)).0, ["d0", "d0", "d0"], "{status}");
    }
    let throttled = Some(&b"ThrottlingException:http://internal.amazon.com/coral/"[..]);
    assert_eq!(run(&plan(3, &[WEST]), |_| (400, throttled)).0.len(), 3);
}

#[test]
fn errors_of_the_caller_are_final() {
    for status in [200, 400, 409, 413, 415, 422] {
        assert_eq!(
            run(&plan(3, &[WEST, EAST]), |_| (status, NONE)).0,
            ["d0"],
            "{status}"
        );
    }
}

#[test]
fn an_unusable_deployment_is_followed_by_another_one() {
    for other in [EAST, WEST_OTHER_ACCOUNT, WEST_OTHER_MODEL] {
        for status in [401, 403, 404] {
            let plan = plan(3, &[WEST, other]);
            let (tried, _) = run(&plan, |id| if id == "d0" { (status, NONE) } else { (200, NONE) });
            assert_eq!(tried, ["d0", "d1"], "{other:?} {status}");
        }
    }
}

#[test]
fn each_unusable_deployment_is_tried_once() {
    for deployments in [
        &[WEST][..],
        &[WEST, EAST],
        &[WEST, WEST_OTHER_ACCOUNT],
        &[WEST, WEST, WEST, EAST],
    ] {
        let plan = plan(11, deployments);
        let (tried, left) = run(&plan, |_| (403, EXPIRED));
        let different: std::collections::BTreeSet<_> = deployments.iter().collect();
        assert_eq!(tried.len(), different.len(), "{deployments:?}");
        assert_eq!(left, 11 - tried.len());
    }
}

#[test]
fn a_deployment_can_be_found_unusable_after_a_transient_failure() {
    // West is throttled, east unusable: west is worth its second attempt.
    let plan = plan(4, &[WEST, EAST]);
    let (tried, _) = run(&plan, |id| if id == "d0" { (429, NONE) } else { (403, EXPIRED) });
    assert_eq!(tried, ["d0", "d1", "d0", "d0"]);
}

#[test]
fn a_throttled_deployment_is_tried_again_and_not_an_unusable_one() {
    let plan = plan(3, &[WEST, EAST]);
    let (tried, left) = run(&plan, |id| if id == "d0" { (403, EXPIRED) } else { (429, NONE) });
    assert_eq!(tried, ["d0", "d1", "d1"]);
    assert_eq!(left, 0);
}

#[test]
fn an_unusable_deployment_is_not_tried_again() {
    let respond = |id: &str| if id == "d0" { (403, EXPIRED) } else { (429, NONE) };
    let two = plan(4, &[WEST, WEST_OTHER_ACCOUNT]);
    assert_eq!(run(&two, respond).0, ["d0", "d1", "d1", "d1"]);
    // The row and the metrics are about the deployment that was tried, with its credentials.
    let tried: Vec<_> = two
        .attempts_made()
        .map(|(_, deployment, status, _)| (deployment.id.as_str(), status))
        .collect();
    assert_eq!(tried, [("d0", 403), ("d1", 429), ("d1", 429), ("d1", 429)]);
    let request = two.request(3, b"west", NOW).unwrap();
    assert!(
        request
            .headers()
            .contains(&(b"authorization", b"Bearer value-of-B"))
    );
    let three = plan(4, &[WEST, EAST, WEST_OTHER_ACCOUNT]);
    assert_eq!(run(&three, respond).0, ["d0", "d1", "d2", "d1"]);
}

#[test]
fn an_unusable_deployment_does_not_hide_a_usable_one_after_it() {
    let plan = plan(5, &[WEST, EAST, ("north", "a:0", "A")]);
    let (tried, _) = run(&plan, |id| if id == "d0" { (403, EXPIRED) } else { (503, NONE) });
    assert_eq!(tried, ["d0", "d1", "d2", "d1", "d2"]);
}

#[test]
fn an_attempt_without_a_response_is_not_retried_by_the_plan() {
    let plan = plan(3, &[WEST, EAST]);
    plan.request(1, b"west", NOW).unwrap();
    for number in [0, 1, 3, 12, u64::MAX] {
        assert!(!plan.should_retry(number, &|| NOW), "{number}");
    }
}
