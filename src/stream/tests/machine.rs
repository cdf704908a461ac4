//! The steps of a stream for each order of callbacks, and after failed host calls.

use std::cell::Cell;

use super::driver::serialized;
use crate::guardrail::EditableBody;
use crate::records::row::Outcome;
use crate::routing::upstream_request::METHOD;
use crate::stream::*;

const KEY: (&str, &str) = ("authorization", "Bearer sk-secret");
const MEBIBYTE: usize = 1024 * 1024;

fn config() -> Rc<ActiveConfig> {
    let deployment = r#"{"id": "d", "model": "a:0", "region": "west", "cluster": "west", "authority": "west.test",
        "weight": 1, "credentials": {"bearer": {"api_key": "API"}}}"#;
    let settings = format!(
        r#"{{"master_key": "MASTER", "attempts": 1, "body_limit_bytes": 100, "models": [
            {{"name": "m", "deployments": [{deployment}]}},
            {{"name": "guarded", "deployments": [{deployment}],
              "guardrail": {{"identifier": "g", "version": "1"}}}}]}}"#
    );
    Rc::new(ActiveConfig::new(settings.as_bytes(), |_| Some("sk-secret".into())).unwrap())
}

fn stream() -> Stream {
    Stream::new(Some(config()), Random::new(1))
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_nanoseconds(1_795_357_174_000_000_000 + seconds * 1_000_000_000)
}

fn post<'a>(path: &'a str, key: (&'a str, &'a str)) -> Option<Vec<u8>> {
    Some(serialized(&[(":method", METHOD), (":path", path), key]))
}

/// A stream whose request was dispatched.
fn dispatched(path: &str) -> Stream {
    let mut stream = stream();
    let step = stream.request_headers(post(path, KEY), true, at(0));
    assert_eq!(step.then, Then::Continue);
    stream
}

fn status(step: &Step) -> Option<u16> {
    match &step.then {
        Then::Reply(reply) => Some(reply.status),
        _ => None,
    }
}

/// A buffer that the host fails to read.
struct Unavailable(usize);

impl Buffer for Unavailable {
    fn size(&self) -> usize {
        self.0
    }

    fn read(&self, _: usize, _: usize, _: &mut dyn FnMut(&[u8])) -> usize {
        0
    }
}

#[test]
fn a_request_waits_for_its_whole_body_and_is_then_dispatched() {
    let mut stream = stream();
    let step = stream.request_headers(post("/model/m/converse", KEY), false, at(0));
    assert!(step.edits.is_empty() && step.then == Then::Wait);
    let step = stream.request_body(&&b"{\"a\":"[..], false, at(0));
    assert!(step.edits.is_empty() && step.then == Then::Wait);
    let step = stream.request_body(&&b"{\"a\":1}"[..], true, at(0));
    assert!(matches!(
        &step.edits[..],
        [Edit::Plan(_), Edit::RequestHeaders(_)]
    ));
    assert_eq!(step.then, Then::Continue);
}

#[test]
fn trailers_end_a_request_and_are_dropped() {
    let mut stream = stream();
    let _ = stream.request_headers(post("/model/m/converse", KEY), false, at(0));
    let step = stream.request_trailers(at(0));
    assert!(matches!(
        &step.edits[..],
        [Edit::ClearRequestTrailers, Edit::Plan(_), Edit::RequestHeaders(_)]
    ));
    assert_eq!(step.then, Then::Continue);
}

#[test]
fn the_router_gets_only_the_headers_that_it_matches_routes_by() {
    let mut stream = stream();
    let step = stream.request_headers(post("/model/m/converse", KEY), true, at(0));
    let Some(Edit::RequestHeaders(headers)) = step.edits.last() else {
        panic!("{step:?}");
    };
    let headers = headers.serialized();
    let names = pairs::parse(&headers).unwrap().into_iter().map(|(name, _)| name);
    let names: Vec<_> = names.map(String::from_utf8_lossy).collect();
    assert_eq!(names, [":method", ":path", "x-eb-route", "x-eb-pace"]);
}

#[test]
fn a_guardrail_is_added_to_the_buffered_body_before_dispatch() {
    let mut stream = stream();
    let _ = stream.request_headers(post("/model/guarded/converse", KEY), false, at(0));
    let body = b"{\"messages\":[]}";
    let step = stream.request_body(&&body[..], true, at(0));
    let [
        Edit::RequestBody { edit, size },
        Edit::Plan(_),
        Edit::RequestHeaders(_),
    ] = &step.edits[..]
    else {
        panic!("{step:?}");
    };
    let mut buffered = Buffered(body.to_vec());
    edit.apply_to(*size, &mut buffered).unwrap();
    let expected = br#"{"guardrailConfig":{"guardrailIdentifier":"g","guardrailVersion":"1"},"messages":[]}"#;
    assert_eq!(
        buffered.0.escape_ascii().to_string(),
        expected.escape_ascii().to_string()
    );
}

struct Buffered(Vec<u8>);

impl EditableBody for Buffered {
    type Error = ();

    fn front(&self, size: usize) -> Result<Vec<u8>, ()> {
        self.0.get(..size).map(<[u8]>::to_vec).ok_or(())
    }

    fn replace_front(&mut self, size: usize, bytes: &[u8]) -> Result<(), ()> {
        drop(self.0.splice(..size, bytes.iter().copied()));
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), ()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

#[test]
fn without_a_configuration_or_readable_headers_a_request_is_refused_and_not_recorded() {
    let unconfigured = Stream::new(None, Random::new(1));
    for (mut stream, headers) in [
        (unconfigured, post("/model/m/converse", KEY)),
        (stream(), None),
        (stream(), Some(b"not a header map".to_vec())),
    ] {
        let step = stream.request_headers(headers, true, at(0));
        assert_eq!(status(&step), Some(503));
        assert!(stream.close(at(1), || None).is_none());
    }
}

#[test]
fn a_refused_upload_is_drained_before_the_reply() {
    let wrong = ("authorization", "Bearer sk-other");
    let mut stream = stream();
    let step = stream.request_headers(post("/model/m/converse", wrong), false, at(0));
    assert!(matches!(&step.edits[..], [Edit::StartTimer]));
    assert_eq!(step.then, Then::Wait);
    assert!(stream.needs_ticks());
    let step = stream.request_body(&&[0; 50][..], false, at(1));
    assert!(matches!(&step.edits[..], [Edit::DiscardRequestBody(50)]));
    assert_eq!(step.then, Then::Wait);
    let step = stream.request_body(&&[0; 7][..], true, at(2));
    assert!(matches!(&step.edits[..], [Edit::DiscardRequestBody(7)]));
    assert_eq!(status(&step), Some(401));
    assert!(!stream.needs_ticks());
}

#[test]
fn a_stalled_upload_gets_its_reply_from_the_timer() {
    let mut stream = stream();
    let _ = stream.request_headers(post("/model/m/nothing", KEY), false, at(0));
    let step = stream.tick(at(9));
    assert!(step.edits.is_empty() && step.then == Then::Wait);
    assert_eq!(status(&stream.tick(at(10))), Some(404));
    assert_eq!(stream.tick(at(11)).then, Then::Wait, "a reply is sent once");
}

#[test]
fn a_body_over_the_limit_is_discarded_from_its_first_byte() {
    let mut stream = stream();
    let _ = stream.request_headers(post("/model/m/converse", KEY), false, at(0));
    let step = stream.request_body(&&[b' '; 101][..], false, at(0));
    assert!(matches!(
        &step.edits[..],
        [Edit::StartTimer, Edit::DiscardRequestBody(101)]
    ));
    let step = stream.request_trailers(at(0));
    assert_eq!(status(&step), Some(413));
}

#[test]
fn a_lookup_replies_with_the_row_that_the_shell_finds() {
    for (row, body) in [(None, "[]"), (Some("\"a\":1,"), "[{\"a\":1}]")] {
        let mut stream = stream();
        let headers = serialized(&[(":method", "GET"), (":path", "/spend/logs?request_id=r"), KEY]);
        let step = stream.request_headers(Some(headers), true, at(0));
        assert_eq!(step.then, Then::Lookup("r".into()));
        let Then::Reply(reply) = stream.lookup_finished(row, at(0)).then else {
            panic!("no reply");
        };
        assert_eq!(String::from_utf8(reply.body).unwrap(), body);
        let outcome = stream.close(at(0), || None).unwrap().outcome;
        assert!(matches!(outcome, Outcome::Internal { status: 200 }));
    }
}

#[test]
fn a_request_does_not_go_upstream_after_a_failed_host_call() {
    // An edit of a dispatch.
    let mut stream = dispatched("/model/m/converse");
    assert_eq!(status(&stream.edit_failed(Then::Continue, at(0))), Some(503));
    // The timer or an edit of a drain.
    let mut stream = self::stream();
    let _ = stream.request_headers(post("/model/nothing/converse", KEY), false, at(0));
    assert_eq!(status(&stream.edit_failed(Then::Wait, at(0))), Some(400));
    // A step that ends with a reply anyway.
    let mut stream = self::stream();
    let _ = stream.request_headers(post("/model/nothing/converse", KEY), false, at(0));
    let then = stream.request_body(&&[0; 1][..], true, at(0)).then;
    assert_eq!(status(&stream.edit_failed(then, at(0))), Some(400));
    // A body that cannot be read.
    let mut stream = self::stream();
    let _ = stream.request_headers(post("/model/m/converse", KEY), false, at(0));
    assert_eq!(
        status(&stream.request_body(&Unavailable(5), true, at(0))),
        Some(503)
    );
}

#[test]
fn a_response_is_passed_on_after_a_failed_host_call() {
    let mut stream = dispatched("/model/m/converse-stream");
    let step = stream.response_headers(serialized(&[(":status", "200")]), false, || at(1));
    assert_eq!(stream.edit_failed(step.then, at(1)).then, Then::Continue);
    let step = stream.response_body(&Unavailable(5), true, || at(1));
    assert_eq!(step.then, Then::Continue);
    let row = stream
        .close(at(2), || panic!("the client received the response"))
        .unwrap();
    assert_eq!(row.served().unwrap().error_class, Some("Cut"));
}

#[test]
fn response_headers_are_held_up_to_a_mebibyte_of_body() {
    for (size, is_held) in [(MEBIBYTE - 1, true), (MEBIBYTE, true), (MEBIBYTE + 1, false)] {
        let mut stream = dispatched("/model/m/converse");
        let step = stream.response_headers(serialized(&[(":status", "200")]), false, || at(1));
        assert!(step.edits.is_empty() && step.then == Then::Wait);
        let step = stream.response_body(&&vec![b' '; size][..], false, || at(1));
        let released = matches!(&step.edits[..], [Edit::ResponseHeaders(_)]);
        assert_eq!((step.then == Then::Wait, released), (is_held, !is_held), "{size}");
    }
}

#[test]
fn a_held_body_is_read_once() {
    struct Counting<'a>(&'a [u8], &'a Cell<usize>);
    impl Buffer for Counting<'_> {
        fn size(&self) -> usize {
            self.0.len()
        }

        fn read(&self, start: usize, max_size: usize, receive: &mut dyn FnMut(&[u8])) -> usize {
            let count = self.0.read(start, max_size, receive);
            self.1.set(self.1.get() + count);
            count
        }
    }
    let mut stream = dispatched("/model/m/converse");
    let _ = stream.response_headers(serialized(&[(":status", "200")]), false, || at(1));
    let (body, read) = (vec![b' '; 600_000], Cell::new(0));
    for (end, end_stream) in [(100, false), (300_000, false), (600_000, true)] {
        let _ = stream.response_body(&Counting(&body[..end], &read), end_stream, || at(1));
        assert_eq!(read.get(), end);
    }
}

#[test]
fn a_response_without_a_status_is_not_rewritten() {
    let mut stream = dispatched("/model/m/converse-stream");
    let step = stream.response_headers(Vec::new(), false, || at(1));
    assert!(step.edits.is_empty() && step.then == Then::Continue);
}

#[test]
fn upstream_headers_with_the_gateways_prefix_are_removed() {
    let mut stream = dispatched("/model/m/converse-stream");
    let response = [
        (":status", "200"),
        ("x-litellm-model-id", "forged"),
        ("x-other", "1"),
    ];
    let step = stream.response_headers(serialized(&response), false, || at(1));
    let [Edit::ResponseHeaders(headers)] = &step.edits[..] else {
        panic!("{step:?}");
    };
    let headers = headers.serialized();
    let headers = pairs::parse(&headers).unwrap();
    assert!(headers.contains(&(b"x-other", b"1")));
    assert!(!headers.iter().any(|(_, value)| *value == b"forged"));
}
