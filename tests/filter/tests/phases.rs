//! What the module can read, write and hold in each callback.

mod wat;

use filter_tests::{HeaderMap, HttpMessage, RequestOutcome, Status};
use wat::Arg::{self, Bytes, N, Out, T};
use wat::{WatModule, said, statuses};

const REQUEST: [(&str, &str); 1] = [(":path", "/")];
/// Pause until the end of the body.
const UNTIL_THE_END: &str = "(i32.eqz (local.get 2))";
const PAUSE: u32 = 1;

const SET_REQUEST_HEADER: (&str, &[Arg]) =
    ("proxy_replace_header_map_value", &[N(0), T(b"x-set"), T(b"yes")]);
const SAY_REQUEST_BODY: (&str, &[Arg]) = ("proxy_get_buffer_bytes", &[N(0), N(0), N(100), Bytes]);
const SAY_PATH: (&str, &[Arg]) = ("proxy_get_header_map_value", &[N(0), T(b":path"), Bytes]);

fn forwarded(outcome: RequestOutcome) -> HttpMessage {
    match outcome {
        RequestOutcome::Forwarded(message) => message,
        other => panic!("expected a forwarded request, but found {other:?}"),
    }
}

#[test]
fn request_headers_are_closed_once_they_have_gone_on() {
    let vm = WatModule::new()
        .on("proxy_on_request_body", &[SET_REQUEST_HEADER, SAY_PATH], 0)
        .start();
    let exchange = vm.request(REQUEST).body(["a"]).send().unwrap();
    assert_eq!(statuses(&vm, SET_REQUEST_HEADER.0), [Status::BadArgument as u32]);
    assert_eq!(statuses(&vm, SAY_PATH.0), [Status::BadArgument as u32]);
    assert_eq!(
        forwarded(exchange.outcome()).headers,
        Some(HeaderMap::new(REQUEST))
    );
}

#[test]
fn paused_request_headers_can_be_written_until_the_body_lets_them_go() {
    let vm = WatModule::new()
        .on("proxy_on_request_headers", &[], PAUSE)
        .on_with("proxy_on_request_body", &[SET_REQUEST_HEADER], UNTIL_THE_END)
        .start();
    let exchange = vm.request(REQUEST).body(["a", "b"]).send().unwrap();
    let message = forwarded(exchange.outcome());
    assert_eq!(
        message.headers.as_ref().and_then(|headers| headers.text("x-set")),
        Some("yes")
    );
    assert_eq!((message.body(), message.ended), (b"ab".to_vec(), true));
    assert_eq!(statuses(&vm, SET_REQUEST_HEADER.0), [0, 0]);
}

#[test]
fn a_paused_body_grows_and_a_continued_one_does_not() {
    let held = WatModule::new()
        .on("proxy_on_request_body", &[SAY_REQUEST_BODY], PAUSE)
        .start();
    let exchange = held.request(REQUEST).body(["ab", "cd", ""]).send().unwrap();
    assert_eq!(said(&held), ["ab", "abcd", "abcd"]);
    assert_eq!(forwarded(exchange.outcome()).chunks, Vec::<Vec<u8>>::new());

    let free = WatModule::new()
        .on("proxy_on_request_body", &[SAY_REQUEST_BODY], 0)
        .start();
    let exchange = free.request(REQUEST).body(["ab", "cd"]).send().unwrap();
    assert_eq!(said(&free), ["ab", "cd"]);
    assert_eq!(forwarded(exchange.outcome()).chunks, [b"ab", b"cd"]);
}

#[test]
fn a_body_reads_as_empty_after_it_has_gone_on() {
    let vm = WatModule::new()
        .on("proxy_on_response_headers", &[SAY_REQUEST_BODY], 0)
        .start();
    let mut exchange = vm.request(REQUEST).body(["ab"]).send().unwrap();
    exchange
        .response_headers(HeaderMap::new([(":status", "200")]), true)
        .unwrap();
    assert_eq!(said(&vm), [""]);
    assert_eq!(statuses(&vm, SAY_REQUEST_BODY.0), [0]);
}

#[test]
fn a_range_of_the_body_is_read_and_clamped_to_its_end() {
    let range = |start, length| -> (&str, Vec<Arg>) {
        ("proxy_get_buffer_bytes", vec![N(0), N(start), N(length), Bytes])
    };
    for (start, length, text) in [(1, 2, "bc"), (2, 100, "cd"), (4, 1, ""), (5, 1, ""), (0, 0, "")] {
        let (function, arguments) = range(start, length);
        let vm = WatModule::new()
            .on("proxy_on_request_body", &[(function, &arguments)], 0)
            .start();
        vm.request(REQUEST).body(["abcd"]).send().unwrap();
        assert_eq!(said(&vm), [text], "{start}+{length}");
    }
}

#[test]
fn a_body_can_be_changed_at_its_front_and_its_end_only() {
    let cases = [
        (0, 0, Some("newabcd")),
        (4, 0, Some("abcdnew")),
        (9, 9, Some("abcdnew")),
        (0, 4, Some("new")),
        (0, 9, Some("new")),
        (0, 3, Some("newd")),
        (u32::MAX, 0, Some("abcdnew")),
        (1, 2, None),
        (3, 0, None),
    ];
    for (start, length, body) in cases {
        let arguments = [N(0), N(start), N(length), T(b"new")];
        let vm = WatModule::new()
            .on(
                "proxy_on_request_body",
                &[("proxy_set_buffer_bytes", &arguments)],
                0,
            )
            .start();
        let exchange = vm.request(REQUEST).body(["abcd"]).send().unwrap();
        let status = if body.is_some() {
            Status::Ok
        } else {
            Status::BadArgument
        };
        assert_eq!(
            statuses(&vm, "proxy_set_buffer_bytes"),
            [status as u32],
            "{start}+{length}"
        );
        let expected = body.unwrap_or("abcd").as_bytes();
        assert_eq!(forwarded(exchange.outcome()).body(), expected, "{start}+{length}");
    }
}

#[test]
fn trailers_end_a_held_request_without_an_end_of_its_body() {
    let vm = WatModule::new()
        .on("proxy_on_request_headers", &[], PAUSE)
        .on_with("proxy_on_request_body", &[], UNTIL_THE_END)
        .on(
            "proxy_on_request_trailers",
            &[SAY_REQUEST_BODY, SET_REQUEST_HEADER],
            0,
        )
        .start();
    let exchange = vm
        .request(REQUEST)
        .body(["ab", "cd"])
        .trailers([("x-end", "1")])
        .send()
        .unwrap();
    let message = forwarded(exchange.outcome());
    assert_eq!(said(&vm), ["abcd"]);
    assert_eq!(
        message.headers.as_ref().and_then(|headers| headers.text("x-set")),
        Some("yes")
    );
    assert_eq!((message.body(), message.ended), (b"abcd".to_vec(), true));
    assert_eq!(message.trailers, Some(HeaderMap::new([("x-end", "1")])));
}

#[test]
fn held_response_headers_can_be_written_when_the_body_ends() {
    let vm = WatModule::new()
        .on("proxy_on_response_headers", &[], PAUSE)
        .on_with(
            "proxy_on_response_body",
            &[("proxy_replace_header_map_value", &[N(2), T(b"x-cost"), T(b"1")])],
            UNTIL_THE_END,
        )
        .start();
    let mut exchange = vm.request(REQUEST).send().unwrap();
    exchange
        .response_headers(HeaderMap::new([(":status", "200")]), false)
        .unwrap();
    assert_eq!(exchange.response(), &HttpMessage::default());
    assert_eq!(exchange.response_chunk(b"ab", false).unwrap(), b"");
    assert_eq!(exchange.response_chunk(b"cd", true).unwrap(), b"abcd");
    let headers = exchange.response().headers.clone().unwrap();
    assert_eq!(headers.text("x-cost"), Some("1"));
    assert_eq!(statuses(&vm, "proxy_replace_header_map_value"), [0, 0]);
    assert!(exchange.response().ended);
}

#[test]
fn the_log_callback_can_read_all_maps_and_write_none() {
    let status = ("proxy_get_header_map_value", [N(2), T(b":status"), Bytes]);
    let vm = WatModule::new()
        .on(
            "proxy_on_log",
            &[
                SAY_PATH,
                (status.0, &status.1),
                ("proxy_get_header_map_value", &[N(3), T(b"x"), Out, Out]),
                SET_REQUEST_HEADER,
            ],
            0,
        )
        .on("proxy_on_done", &[SAY_PATH], 1)
        .start();
    let mut exchange = vm.request(REQUEST).send().unwrap();
    exchange
        .response_headers(HeaderMap::new([(":status", "200")]), true)
        .unwrap();
    exchange.finish().unwrap();
    assert_eq!(said(&vm)[..2], ["/", "200"]);
    let [.., none, after] = statuses(&vm, SAY_PATH.0)[..] else {
        panic!("expected four reads")
    };
    assert_eq!(
        (none, after),
        (Status::NotFound as u32, Status::BadArgument as u32)
    );
    assert_eq!(statuses(&vm, SET_REQUEST_HEADER.0), [Status::BadArgument as u32]);
}

#[test]
fn the_log_callback_of_an_abandoned_request_can_write_nothing_and_read_no_request_trailers() {
    let trailer = ("proxy_get_header_map_value", [N(1), T(b"x-end"), Out, Out]);
    let vm = WatModule::new()
        .on("proxy_on_request_headers", &[], PAUSE)
        .on("proxy_on_request_trailers", &[(trailer.0, &trailer.1)], PAUSE)
        .on("proxy_on_log", &[SET_REQUEST_HEADER, (trailer.0, &trailer.1)], 0)
        .start();
    let exchange = vm.request(REQUEST).trailers([("x-end", "1")]).send().unwrap();
    exchange.finish().unwrap();
    assert_eq!(statuses(&vm, SET_REQUEST_HEADER.0), [Status::BadArgument as u32]);
    assert_eq!(statuses(&vm, trailer.0), [0, Status::NotFound as u32]);
}

const REPLY: (&str, &[Arg]) = (
    "proxy_send_local_response",
    &[
        N(401),
        T(b"no such key"),
        T(b"{}"),
        T(b"\x01\0\0\0\x01\0\0\0\x01\0\0\0n\0v\0"),
        N(0),
    ],
);

#[test]
fn a_local_reply_passes_the_response_callbacks_and_ends_the_request() {
    let vm = WatModule::new()
        .on("proxy_on_request_headers", &[REPLY], 0)
        .on("proxy_on_request_body", &[("proxy_log", &[N(0), T(b"body")])], 0)
        .on(
            "proxy_on_response_headers",
            &[("proxy_replace_header_map_value", &[N(2), T(b"x-set"), T(b"yes")])],
            0,
        )
        .on(
            "proxy_on_response_body",
            &[("proxy_get_buffer_bytes", &[N(1), N(0), N(9), Bytes])],
            0,
        )
        .start();
    let exchange = vm
        .request(REQUEST)
        .body(["a"])
        .trailers([("t", "1")])
        .send()
        .unwrap();
    let headers = [
        (":status", "401"),
        ("n", "v"),
        ("content-length", "2"),
        ("content-type", "text/plain"),
        ("x-set", "yes"),
    ];
    let expected = RequestOutcome::LocalReply {
        status: 401,
        headers: HeaderMap::new(headers),
        body: b"{}".to_vec(),
        details: "no_such_key".to_owned(),
    };
    assert_eq!(exchange.outcome(), expected);
    assert_eq!(said(&vm), ["{}"]);
    exchange.finish().unwrap();
    assert_eq!(vm.host().streams(), 0);
}

#[test]
fn a_local_reply_of_envoys_own_passes_the_response_callbacks_too() {
    let vm = WatModule::new()
        .on(
            "proxy_on_response_headers",
            &[("proxy_log", &[N(0), T(b"seen")])],
            0,
        )
        .start();
    let mut exchange = vm.request(REQUEST).unfinished().send().unwrap();
    exchange
        .envoy_replies(413, "", "request_payload_too_large")
        .unwrap();
    assert!(matches!(
        exchange.outcome(),
        RequestOutcome::LocalReply { status: 413, .. }
    ));
    assert_eq!(said(&vm), ["seen"]);
}

#[test]
fn a_timer_can_reply_to_a_held_request() {
    let vm = WatModule::new()
        .on("proxy_on_request_headers", &[], PAUSE)
        .on(
            "proxy_on_tick",
            &[("proxy_set_effective_context", &[N(3)]), REPLY],
            0,
        )
        .start();
    let mut exchange = vm.request(REQUEST).send().unwrap();
    assert_eq!(exchange.outcome(), RequestOutcome::Waiting);
    vm.tick("gateway").unwrap();
    exchange.poll().unwrap();
    assert!(matches!(
        exchange.outcome(),
        RequestOutcome::LocalReply { status: 401, .. }
    ));
}
