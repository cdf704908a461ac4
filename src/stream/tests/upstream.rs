//! What an upstream must not do: steer the router, speak for the gateway, or switch protocols.

use crate::contract::names::HEADER_RETRY;
use crate::headers::{HeaderEdit, LITELLM_PREFIX};
use crate::routing::outlook::Outlook;
use crate::stream::attempt::SignedAttempt;
use crate::stream::tests::driver::{Driver, serialized};
use crate::stream::*;

const RESERVED: [(&str, &str); 4] = [
    ("x-eb-retry", "1"),
    ("x-eb-rejected", "1"),
    ("x-litellm-call-id", "forged"),
    ("x-litellm-response-cost", "0"),
];

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_nanoseconds(1_795_357_174_000_000_000 + seconds * 1_000_000_000)
}

fn dispatched(path: &str) -> Driver {
    let settings = r#"{"master_key": "MASTER", "attempts": 2, "body_limit_bytes": 100, "models": [
        {"name": "m", "deployments": [{"id": "d", "model": "a:0", "region": "west", "cluster": "west",
         "authority": "west.test", "weight": 1, "credentials": {"bearer": {"api_key": "API"}}}]}]}"#;
    let config = ActiveConfig::new(settings.as_bytes(), |_| Some("sk-secret".into())).unwrap();
    let request = [
        (":method", "POST"),
        (":path", path),
        ("authorization", "Bearer sk-secret"),
    ];
    Driver::open(&Rc::new(config), &request, true, at(0))
}

fn signed(driver: &Driver, number: u64) -> SignedAttempt {
    let plan = Rc::clone(driver.plan.as_ref().unwrap());
    SignedAttempt::sign(plan, number == 1, b"west", || Ok(number), at(0))
        .unwrap()
        .0
}

fn text(headers: &[u8]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let pairs = pairs::parse(headers).unwrap();
    pairs
        .iter()
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

#[test]
fn the_router_never_sees_reserved_headers_of_an_upstream() {
    for (status, number, is_retried) in [
        ("200", 1, false),
        ("400", 1, false),
        ("503", 1, true),
        ("503", 2, false),
    ] {
        let driver = dispatched("/model/m/converse");
        let attempt = signed(&driver, number);
        let mut headers = vec![(":status", status), ("a", "1"), ("a", "2")];
        let kept = headers.clone();
        headers.extend(RESERVED);
        let judged = text(
            &attempt
                .judge(&serialized(&headers), UnixTime::default)
                .headers
                .unwrap(),
        );
        let mark = is_retried.then_some((HEADER_RETRY, "1"));
        let expected: Vec<_> = kept.into_iter().chain(mark).collect();
        let judged: Vec<_> = judged
            .iter()
            .map(|(name, value)| (&name[..], &value[..]))
            .collect();
        assert_eq!(judged, expected, "{status} at {number}");
    }
}

#[test]
fn clean_headers_are_not_replaced() {
    let driver = dispatched("/model/m/converse");
    let attempt = signed(&driver, 1);
    for headers in [
        &[(":status", "200"), ("x-amzn-requestid", "r")][..],
        &[("a", "1")],
        &[],
    ] {
        assert_eq!(
            attempt.judge(&serialized(headers), UnixTime::default).headers,
            None,
            "{headers:?}"
        );
    }
    assert_eq!(
        attempt.judge(b"not a header map", UnixTime::default).headers,
        None
    );
}

#[test]
fn the_client_never_sees_reserved_headers_of_an_upstream() {
    for (path, status) in [
        ("/model/m/converse", "200"),
        ("/model/m/converse", "429"),
        ("/model/m/converse-stream", "200"),
    ] {
        let mut driver = dispatched(path);
        let mut headers = vec![(":status", status), ("x-amzn-requestid", "r")];
        headers.extend(RESERVED);
        driver.response(&headers, at(1));
        driver.body(b"{}", true, || at(1));
        let added = driver
            .added_headers
            .iter()
            .map(|(name, value)| (&name[..], &value[..]));
        let (ours, others): (Vec<_>, Vec<_>) = added.partition(|(name, _)| name.starts_with(LITELLM_PREFIX));
        assert_eq!(others, [("x-amzn-requestid", "r")], "{path} {status}");
        let ids = ours.iter().filter(|(name, _)| *name == "x-litellm-call-id");
        assert_eq!(ids.count(), 1);
        assert!(!ours.iter().any(|pair| RESERVED.contains(pair)), "{ours:?}");
    }
}

#[test]
fn reserved_trailers_are_removed() {
    for (trailers, kept) in [
        (&[("x-eb-retry", "1"), ("a", "1")][..], Some(&[("a", "1")][..])),
        (&[("x-litellm-call-id", "forged")], Some(&[])),
        (&[("a", "1")], None),
        (&[], None),
    ] {
        let mut stream = dispatched("/model/m/converse-stream").stream;
        let _ = stream.response_headers(serialized(&[(":status", "200")]), false, || at(1));
        let step = stream.response_trailers(serialized(trailers), || at(1));
        assert_eq!(step.then, Then::Continue);
        let edited = step.edits.iter().find_map(|edit| match edit {
            Edit::ResponseTrailers(edit) => Some(edit),
            _ => None,
        });
        let edited = edited.map(HeaderEdit::serialized);
        assert_eq!(edited, kept.map(serialized), "{trailers:?}");
    }
}

#[test]
fn a_response_with_an_impossible_status_becomes_a_502() {
    for (status, is_replaced) in [
        ("100", true),
        ("101", true),
        ("199", true),
        ("200", false),
        ("599", false),
        ("600", true),
        ("999", true),
    ] {
        for path in ["/model/m/converse", "/model/m/converse-stream"] {
            let mut driver = dispatched(path);
            let _ = signed(&driver, 1);
            driver.response(&[(":status", status)], at(1));
            let reply = driver
                .reply
                .as_ref()
                .map(|reply| (reply.status, reply.error_type));
            let expected = is_replaced.then_some((502, Some("ServiceUnavailableException")));
            assert_eq!(reply, expected, "{status}");
            if is_replaced {
                let row = driver.close(at(2));
                let served = row.served().unwrap();
                assert_eq!(served.status, Some(502));
                assert_eq!(served.error_class, Some("ServiceUnavailableException"));
            }
        }
    }
}

#[test]
fn a_reply_of_envoy_after_an_answered_attempt_means_that_the_next_one_could_not_connect() {
    let deployment = |region: &str| {
        format!(
            r#"{{"id": "{region}", "model": "a:0", "region": "{region}", "cluster": "{region}", "authority": "x.test",
                "weight": 1, "credentials": {{"bearer": {{"api_key": "API"}}}}}}"#
        )
    };
    let settings = format!(
        r#"{{"master_key": "MASTER", "attempts": 2, "body_limit_bytes": 100,
            "models": [{{"name": "m", "deployments": [{}, {}]}}], "routing": {{"cooldown": {{"allowed_fails": 0}}}}}}"#,
        deployment("west"),
        deployment("east"),
    );
    let request = [
        (":method", "POST"),
        (":path", "/model/m/converse"),
        ("authorization", "Bearer sk-secret"),
    ];
    for (headers, cooled) in [
        (&[(":status", "503")][..], 2),
        // Envoy made no further attempt: this is the response to the first.
        (&[(":status", "503"), (HEADER_RETRY, "1")], 1),
    ] {
        let mut config = ActiveConfig::new(settings.as_bytes(), |_| Some("sk-secret".into())).unwrap();
        config.set_outlook(Rc::new(Outlook::in_memory()));
        let config = Rc::new(config);
        let mut driver = Driver::open(&config, &request, true, at(0));
        let plan = Rc::clone(driver.plan.as_ref().unwrap());
        let cluster = plan.cluster(1).unwrap().to_owned();
        let (attempt, _) = SignedAttempt::sign(plan, true, cluster.as_bytes(), || Ok(1), at(0)).unwrap();
        let _ = attempt.judge(&serialized(&[(":status", "503")]), || at(0));
        driver.response(headers, at(1));
        driver.body(b"", true, || at(1));
        let view = config.outlook().unwrap().cooldowns.view();
        assert_eq!(view.entries().count(), cooled, "{headers:?}");
    }
}
