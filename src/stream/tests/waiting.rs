//! Requests that are dispatched before their body has arrived, and requests that wait for the
//! credential broker.

use super::driver::serialized;
use crate::records::row::Outcome;
use crate::routing::upstream_request::METHOD;
use crate::stream::*;

/// Each model with its deployments' credentials.
const MODELS: [(&str, &[&str]); 5] = [
    ("keys", &[KEYS]),
    ("bearer", &[BEARER]),
    ("both", &[BEARER, KEYS]),
    ("brokered-keys", &[r#"{"brokered": {"id": "1"}}"#]),
    (
        "brokered-bearer",
        &[r#"{"brokered": {"id": "1", "bearer": true}}"#],
    ),
];
const KEYS: &str = r#"{"sigv4": {"access_key_id": "ID", "secret_access_key": "SECRET"}}"#;
const BEARER: &str = r#"{"bearer": {"api_key": "API"}}"#;
/// The length of every request's body, which is also the limit.
const BYTES: &str = "8";
const HELD: [&str; 3] = ["keys", "both", "brokered-keys"];

fn config() -> Rc<ActiveConfig> {
    let deployment = |credentials: &&str| {
        format!(
            r#"{{"id": "d", "model": "a:0", "region": "west", "cluster": "west", "authority": "west.test",
                "weight": 1, "credentials": {credentials}}}"#
        )
    };
    let models = MODELS.map(|(name, credentials)| {
        let deployments: Vec<_> = credentials.iter().map(deployment).collect();
        format!(
            r#"{{"name": "{name}", "deployments": [{}]}}"#,
            deployments.join(",")
        )
    });
    let guarded = deployment(&BEARER);
    let settings = format!(
        r#"{{"master_key": "MASTER", "attempts": 1, "body_limit_bytes": {BYTES}, "broker": {{"cluster": "broker"}},
            "models": [{}, {{"name": "guarded", "deployments": [{guarded}],
              "guardrail": {{"identifier": "g", "version": "1"}}}}]}}"#,
        models.join(",")
    );
    Rc::new(ActiveConfig::new(settings.as_bytes(), |_| Some("sk-secret".into())).unwrap())
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_nanoseconds(1_795_357_174_000_000_000 + seconds * 1_000_000_000)
}

/// A stream after the headers of a request for `model`, and the step that they led to.
fn opened(config: &Rc<ActiveConfig>, model: &str, content_length: Option<&str>) -> (Stream, Step) {
    let mut stream = Stream::new(Some(Rc::clone(config)), Random::new(1));
    let path = format!("/model/{model}/converse");
    let mut headers = vec![
        (":method", METHOD),
        (":path", &path),
        ("authorization", "Bearer sk-secret"),
    ];
    headers.extend(content_length.map(|bytes| ("content-length", bytes)));
    let step = stream.request_headers(Some(serialized(&headers)), false, at(0));
    (stream, step)
}

/// The broker has a Bedrock API key for `brokered-bearer`.
fn give_bearer(config: &ActiveConfig) {
    let slot = config.brokered.as_ref().unwrap().slots.last().unwrap();
    let body = br#"{"Token": "bedrock-api-key-1", "Expiration": "2030-01-01T00:00:00Z"}"#;
    let _news = slot.finish_call(200, body, at(0));
}

/// A body that must not be read.
struct Unread(usize);

impl Buffer for Unread {
    fn size(&self) -> usize {
        self.0
    }

    fn read(&self, _: usize, _: usize, _: &mut dyn FnMut(&[u8])) -> usize {
        panic!("the body was read")
    }
}

fn status(step: &Step) -> Option<u16> {
    match &step.then {
        Then::Reply(reply) => Some(reply.status),
        _ => None,
    }
}

fn is_dispatched(step: &Step) -> bool {
    step.then == Then::Continue && matches!(&step.edits[..], [Edit::Plan(_), Edit::RequestHeaders(_)])
}

#[test]
fn a_body_for_api_keys_only_is_streamed_unread() {
    let (mut stream, step) = opened(&config(), "bearer", Some(BYTES));
    assert!(is_dispatched(&step), "{step:?}");
    let [Edit::Plan(plan), _] = &step.edits[..] else {
        panic!("{step:?}")
    };
    let request = plan.request(1, b"west", at(0)).unwrap();
    let headers = request.headers();
    assert!(headers.contains(&(b"content-length", BYTES.as_bytes())));
    assert!(headers.contains(&(b"authorization", b"Bearer sk-secret")));
    for (size, end_stream) in [(5, false), (3, true)] {
        let step = stream.request_body(&Unread(size), end_stream, at(0));
        assert!(step.edits.is_empty() && step.then == Then::Continue, "{step:?}");
    }
}

#[test]
fn a_body_that_may_be_signed_is_held() {
    let config = config();
    for model in HELD {
        let (_, step) = opened(&config, model, Some(BYTES));
        assert_eq!(step.then, Then::Wait, "{model}");
        assert!(step.edits.is_empty());
    }
}

#[test]
fn a_body_that_is_edited_or_of_unknown_length_is_held() {
    let config = config();
    for (model, declared) in [("guarded", Some(BYTES)), ("bearer", None)] {
        let (_, step) = opened(&config, model, declared);
        assert_eq!(step.then, Then::Wait, "{model}");
    }
}

#[test]
fn a_streamed_body_over_the_limit_is_refused_by_its_headers() {
    let (mut stream, step) = opened(&config(), "bearer", Some("9"));
    assert_eq!(step.then, Then::Wait, "the upload is drained");
    let step = stream.request_body(&Unread(9), true, at(0));
    assert_eq!(status(&step), Some(413));
}

#[test]
fn the_trailers_of_a_streamed_request_are_dropped() {
    let (mut stream, _) = opened(&config(), "bearer", Some(BYTES));
    let step = stream.request_trailers(at(0));
    assert!(matches!(&step.edits[..], [Edit::ClearRequestTrailers]));
    assert_eq!(step.then, Then::Continue);
}

#[test]
fn a_client_that_leaves_during_a_streamed_upload_pays_nothing() {
    let outcome = |has_ended: bool| {
        let (mut stream, step) = opened(&config(), "bearer", Some(BYTES));
        let [Edit::Plan(plan), _] = &step.edits[..] else {
            panic!("{step:?}")
        };
        plan.request(1, b"west", at(0)).unwrap();
        let _ = stream.request_body(&Unread(3), has_ended, at(0));
        let row = stream.close(at(1), || None).unwrap();
        match row.outcome {
            Outcome::Incomplete => None,
            Outcome::Served(served) => Some(served.observation.is_some()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(outcome(false), None);
    assert_eq!(outcome(true), Some(true), "Bedrock bills a complete request");
}

#[test]
fn a_streamed_request_waits_for_its_first_api_key() {
    let config = config();
    let (mut stream, step) = opened(&config, "brokered-bearer", Some(BYTES));
    assert_eq!(step.then, Then::Wait);
    assert!(stream.needs_ticks());
    for (size, end_stream) in [(5, false), (8, true)] {
        let step = stream.request_body(&Unread(size), end_stream, at(1));
        assert!(step.edits.is_empty() && step.then == Then::Wait, "{step:?}");
    }
    assert_eq!(stream.tick(at(1)).then, Then::Wait);
    give_bearer(&config);
    assert!(is_dispatched(&stream.tick(at(2))));
    assert!(!stream.needs_ticks());
}

#[test]
fn a_streamed_upload_goes_on_after_the_wait() {
    let config = config();
    let (mut stream, _) = opened(&config, "brokered-bearer", Some(BYTES));
    give_bearer(&config);
    assert!(is_dispatched(&stream.tick(at(1))));
    let step = stream.request_body(&Unread(8), true, at(1));
    assert!(step.edits.is_empty() && step.then == Then::Continue);
}

#[test]
fn a_request_without_credentials_is_refused_after_five_seconds() {
    let config = config();
    for model in ["brokered-keys", "brokered-bearer"] {
        let (mut stream, _) = opened(&config, model, Some(BYTES));
        let step = stream.request_body(&&b"12345678"[..], true, at(0));
        assert_eq!(step.then, Then::Wait);
        assert_eq!(stream.tick(at(4)).then, Then::Wait, "{model}");
        assert_eq!(status(&stream.tick(at(5))), Some(503), "{model}");
    }
}

#[test]
fn an_upload_that_waited_in_vain_is_drained_before_the_reply() {
    let config = config();
    let (mut stream, _) = opened(&config, "brokered-bearer", Some(BYTES));
    let _ = stream.request_body(&Unread(5), false, at(0));
    let step = stream.tick(at(5));
    assert!(
        matches!(
            &step.edits[..],
            [Edit::StartTimer, Edit::DiscardRequestBody(5), Edit::Warn(_)]
        ),
        "{step:?}"
    );
    assert_eq!(step.then, Then::Wait);
    assert_eq!(status(&stream.request_body(&Unread(3), true, at(6))), Some(503));
}
