//! Two roles in one VM: attempts, answers, and how contexts end.

mod probe;

use filter_tests::{CalloutResponse, HeaderMap, RequestOutcome, StartError, UpstreamResponse, Vm, compile};
use probe::Arg::{self, Bytes, N, Out, T};
use probe::{Probe, said, statuses};

const REQUEST: [(&str, &str); 1] = [(":path", "/")];
const ATTEMPT: (&str, &[Arg]) = (
    "proxy_get_property",
    &[T(b"upstream\0request_attempt_count"), Bytes],
);
const CLUSTER: (&str, &[Arg]) = (
    "proxy_get_property",
    &[
        T(b"xds\0upstream_host_metadata\0filter_metadata\0envoy-bedrock\0cluster"),
        Bytes,
    ],
);
const ROLE: (&str, &[Arg]) = ("proxy_get_property", &[T(b"plugin_root_id"), Bytes]);
const MARK: (&str, &[Arg]) = ("proxy_add_header_map_value", &[N(0), T(b"x-mark"), T(b"1")]);

fn answer(status: u32, headers: &[(&str, &str)]) -> UpstreamResponse {
    UpstreamResponse::new(status, headers, "body")
}

#[test]
fn each_attempt_sees_what_the_ones_before_it_wrote() {
    let vm = Probe::new().on("proxy_on_request_headers", &[MARK], 0).start();
    let exchange = vm
        .request(REQUEST)
        .body(["ab", "c"])
        .trailers([("t", "1")])
        .send()
        .unwrap();
    let retry = |_: u64, _: &_| answer(429, &[("x-again", "1")]);
    let answer = exchange.route("x-again", &["r1", "r2", "r3"], retry).unwrap();
    let marks: Vec<_> = answer
        .attempts
        .iter()
        .map(|sent| sent.headers.as_ref().unwrap().values("x-mark").count())
        .collect();
    assert_eq!(marks, [2, 3, 4]);
    for sent in &answer.attempts {
        assert_eq!((sent.body(), sent.ended), (b"abc".to_vec(), true));
        assert_eq!(sent.trailers, Some(HeaderMap::new([("t", "1")])));
    }
}

#[test]
fn the_signer_reads_the_number_of_its_attempt_and_the_cluster_of_its_endpoint() {
    let vm = Probe::new()
        .on("proxy_on_request_headers", &[ROLE, ATTEMPT, CLUSTER], 0)
        .start();
    let exchange = vm.request(REQUEST).send().unwrap();
    exchange
        .route("x-again", &["r1", "r2"], |number, _| match number {
            1 => answer(429, &[("x-again", "1")]),
            _ => answer(200, &[]),
        })
        .unwrap();
    let second = "\u{2}\0\0\0\0\0\0\0";
    let first = "\u{1}\0\0\0\0\0\0\0";
    // The gateway's two reads find nothing, and log what the slots held: nothing.
    assert_eq!(said(&vm)[0], "gateway");
    assert_eq!(said(&vm)[3..], ["signer", first, "r1", "signer", second, "r2"]);
    assert_eq!(statuses(&vm, "proxy_get_property")[1..3], [1, 1]);
}

#[test]
fn the_last_attempt_is_the_answer_even_if_it_asks_for_another() {
    let vm = Probe::new().start();
    let exchange = vm.request(REQUEST).send().unwrap();
    let answer = exchange
        .route("x-again", &["r1", "r2"], |number, _| UpstreamResponse {
            trailers: Some(HeaderMap::new([("t", "1")])),
            ..answer(500 + number as u32, &[("x-again", "1")])
        })
        .unwrap();
    assert_eq!((answer.status(), answer.attempts.len()), (502, 2));
    assert_eq!(
        (answer.message.body(), answer.message.ended),
        (b"body".to_vec(), true)
    );
    assert_eq!(answer.message.trailers, Some(HeaderMap::new([("t", "1")])));
}

#[test]
fn a_refused_attempt_is_followed_by_the_next_and_the_last_by_a_503() {
    let vm = endings();
    let exchange = vm.request(REQUEST).send().unwrap();
    let upstream = |number, _: &_| {
        if number == 1 {
            UpstreamResponse::refused()
        } else {
            answer(200, &[])
        }
    };
    let first = exchange.route("x-again", &["r1", "r2"], upstream).unwrap();
    assert_eq!((first.status(), first.attempts.len()), (200, 2));
    assert_eq!(sequence(&vm)[..2], expected(&[(4, "done"), (4, "delete")]));

    let exchange = vm.request(REQUEST).send().unwrap();
    let second = exchange
        .route("x-again", &["r1", "r2"], |_, _| UpstreamResponse::refused())
        .unwrap();
    assert_eq!((second.status(), second.attempts.len()), (503, 2));
    assert_eq!(vm.host().streams(), 0);
}

#[test]
fn a_response_that_is_cut_never_ends() {
    let vm = Probe::new().start();
    let exchange = vm.request(REQUEST).send().unwrap();
    let answer = exchange
        .route("x-again", &["r1"], |_, _| UpstreamResponse {
            cut: true,
            ..answer(200, &[])
        })
        .unwrap();
    assert_eq!(
        (answer.message.body(), answer.message.ended),
        (b"body".to_vec(), false)
    );
}

/// Contexts: 1 and 2 are the roots, 3 the gateway's, 4 and on the signers'.
const LOCAL_REPLY_IN_FIRST_SIGNER: &str = "(if (result i32) (i32.eq (local.get 0) (i32.const 4))
    (then (call $proxy_send_local_response (i32.const 500) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 0) (i32.const 0) (i32.const -1)))
    (else (i32.const 0)))";

#[test]
fn a_local_reply_of_the_signer_is_the_answer_and_is_not_retried() {
    let vm = Probe::new()
        .on_with("proxy_on_request_headers", &[], LOCAL_REPLY_IN_FIRST_SIGNER)
        .start();
    let exchange = vm.request(REQUEST).body(["a"]).send().unwrap();
    let answer = exchange
        .route("x-again", &["r1", "r2"], |_, _| panic!("nothing goes upstream"))
        .unwrap();
    assert_eq!((answer.status(), answer.attempts.len()), (500, 0));
    assert_eq!(vm.host().streams(), 0);
}

#[test]
fn filter_state_passes_between_the_roles_and_on_to_the_access_log() {
    let set = ("proxy_set_property", [T(b"name"), T(b"value")]);
    let get = ("proxy_get_property", [T(b"name"), Out, Out]);
    let vm = Probe::new()
        .on("proxy_on_request_headers", &[(get.0, &get.1), (set.0, &set.1)], 0)
        .start();
    let exchange = vm.request(REQUEST).send().unwrap();
    let answer = exchange
        .route("x-again", &["r1"], |_, _| answer(200, &[]))
        .unwrap();
    assert_eq!(statuses(&vm, "proxy_get_property"), [1, 0]);
    assert_eq!(
        answer.filter_state.get("name").map(Vec::as_slice),
        Some(&b"value"[..])
    );
}

const ENDINGS: [(&str, &str); 3] = [
    ("proxy_on_log", "log"),
    ("proxy_on_done", "done"),
    ("proxy_on_delete", "delete"),
];

fn endings() -> Vm {
    let say = |text: &'static str| [N(0), T(text.as_bytes())];
    let probe = ENDINGS.into_iter().fold(Probe::new(), |probe, (callback, text)| {
        probe.on(callback, &[("proxy_log", &say(text))], 1)
    });
    probe.start()
}

fn sequence(vm: &Vm) -> Vec<(u32, String)> {
    let host = vm.host();
    let logs = host.journal.iter().filter(|call| call.function == "proxy_log");
    logs.map(|call| (call.context, call.arguments[1].clone()))
        .collect()
}

fn expected(steps: &[(u32, &str)]) -> Vec<(u32, String)> {
    steps
        .iter()
        .map(|(context, text)| (*context, (*text).to_owned()))
        .collect()
}

#[test]
fn the_gateway_logs_and_the_signer_only_ends() {
    let vm = endings();
    let exchange = vm.request(REQUEST).send().unwrap();
    exchange
        .route("x-again", &["r1"], |_, _| answer(200, &[]))
        .unwrap();
    assert_eq!(
        sequence(&vm),
        expected(&[(4, "done"), (4, "delete"), (3, "log"), (3, "done"), (3, "delete")])
    );
}

#[test]
fn signers_can_outlive_the_gateway() {
    let vm = endings();
    let exchange = vm.request(REQUEST).send().unwrap().end_signers_last();
    exchange
        .route("x-again", &["r1", "r2"], |_, _| answer(429, &[("x-again", "1")]))
        .unwrap();
    let gateway = [(3, "log"), (3, "done"), (3, "delete")];
    let signers = [(4, "done"), (4, "delete"), (5, "done"), (5, "delete")];
    assert_eq!(sequence(&vm), expected(&[&gateway[..], &signers].concat()));
    assert_eq!(vm.host().streams(), 0);
}

#[test]
fn a_client_that_goes_away_leaves_no_context_behind() {
    let vm = endings();
    vm.request(REQUEST).unfinished().send().unwrap().finish().unwrap();
    vm.request(REQUEST)
        .body(["a"])
        .unfinished()
        .send()
        .unwrap()
        .finish()
        .unwrap();
    let mut exchange = vm.request(REQUEST).send().unwrap();
    exchange.attempt(1, "r1").unwrap();
    assert_eq!(vm.host().streams(), 2);
    exchange.finish().unwrap();
    assert_eq!(vm.host().streams(), 0);
}

#[test]
fn exchanges_interleave_on_one_vm() {
    let vm = Probe::new().on("proxy_on_request_headers", &[MARK], 0).start();
    let mut first = vm.request(REQUEST).unfinished().send().unwrap();
    let second = vm.request(REQUEST).send().unwrap();
    assert_eq!(
        second
            .route("x-again", &["r1"], |_, _| answer(200, &[]))
            .unwrap()
            .status(),
        200
    );
    first.request_chunk(b"late", true).unwrap();
    assert_eq!(first.attempt(1, "r1").unwrap().body(), b"late");
    first.finish().unwrap();
}

#[test]
fn the_configuration_is_there_while_it_is_applied_and_the_environment_always() {
    let say = ("proxy_get_buffer_bytes", [N(7), N(0), N(99), Bytes]);
    let configuration = [(say.0, &say.1[..])];
    let vm = Probe::new()
        .on("proxy_on_vm_start", &configuration, 1)
        .on("proxy_on_configure", &configuration, 1)
        .on("proxy_on_request_headers", &configuration, 0)
        .start();
    vm.request(REQUEST).send().unwrap();
    assert_eq!(statuses(&vm, say.0), [1, 0, 1, 0, 1]);
    assert_eq!(
        (said(&vm)[1].as_str(), said(&vm)[3].as_str()),
        ("gateway's own", "signer's own")
    );
}

#[test]
fn a_refused_configuration_is_a_value_with_the_log() {
    let module = compile(
        Probe::new()
            .on("proxy_on_configure", &[("proxy_log", &[N(4), T(b"why")])], 0)
            .text(),
    );
    match Vm::start_with(&module, &[], &[("gateway", "{}")], Default::default()) {
        Err(StartError::Refused { root_id, log }) => {
            assert_eq!((root_id.as_str(), log[0].text.as_str()), ("gateway", "why"))
        }
        other => panic!("expected a refusal, but found {:?}", other.err()),
    }
}

#[test]
fn a_reload_replaces_the_root_context_and_ends_the_old_one() {
    let vm = endings();
    vm.reload("gateway", "new").unwrap();
    assert_eq!(sequence(&vm), expected(&[(1, "done"), (1, "delete")]));
    vm.request(REQUEST).send().unwrap().finish().unwrap();
    vm.shut_down().unwrap();
    assert_eq!(
        sequence(&vm)[5..],
        expected(&[(2, "done"), (2, "delete"), (3, "done"), (3, "delete")])
    );
}

#[test]
fn a_root_that_is_not_done_yet_ends_when_it_says_so() {
    let vm = Probe::new()
        .on("proxy_on_done", &[], 0)
        .on(
            "proxy_on_tick",
            &[("proxy_set_effective_context", &[N(1)]), ("proxy_done", &[])],
            0,
        )
        .on("proxy_on_delete", &[("proxy_log", &[N(0), T(b"delete")])], 0)
        .start();
    vm.reload("gateway", "new").unwrap();
    assert_eq!(said(&vm), Vec::<String>::new());
    vm.tick("gateway").unwrap();
    assert_eq!(said(&vm), ["delete"]);
}

const CALL_HEADERS: &[u8] =
    b"\x03\0\0\0\x05\0\0\0\x01\0\0\0\x07\0\0\0\x03\0\0\0\x0a\0\0\0\x01\0\0\0:path\0/\0:method\0GET\0:authority\0h\0";
const CALL: (&str, &[Arg]) = (
    "proxy_http_call",
    &[T(b"known"), T(CALL_HEADERS), T(b"ask"), T(b""), N(5), Out],
);

fn caller(callback: &str) -> Vm {
    let header = ("proxy_get_header_map_value", [N(6), T(b":status"), Bytes]);
    let body = ("proxy_get_buffer_bytes", [N(4), N(0), N(9), Bytes]);
    let vm = Probe::new()
        .on(callback, &[CALL], 0)
        .on(
            "proxy_on_http_call_response",
            &[(header.0, &header.1), (body.0, &body.1)],
            0,
        )
        .start();
    vm.host_mut().clusters.insert("known".to_owned());
    vm
}

#[test]
fn a_call_of_a_root_context_is_answered_there() {
    let vm = caller("proxy_on_tick");
    vm.tick("gateway").unwrap();
    let call = vm.host().callouts[0].clone();
    assert_eq!(
        (call.body.as_slice(), call.headers.text(":path"), call.root),
        (&b"ask"[..], Some("/"), 1)
    );
    let headers = HeaderMap::new([(":status", "204")]);
    let response = CalloutResponse {
        headers,
        body: b"told".to_vec(),
        ..CalloutResponse::default()
    };
    vm.answer(call.token, Some(response)).unwrap();
    assert_eq!(said(&vm), ["204", "told"]);
    assert!(vm.host().callouts.is_empty());
}

#[test]
fn a_failed_call_has_no_headers_and_no_body() {
    let vm = caller("proxy_on_tick");
    vm.tick("gateway").unwrap();
    vm.answer(1, None).unwrap();
    assert_eq!(statuses(&vm, "proxy_get_header_map_value"), [2]);
    assert_eq!(statuses(&vm, "proxy_get_buffer_bytes"), [1]);
}

#[test]
fn a_call_of_a_stream_is_cancelled_with_it() {
    let vm = caller("proxy_on_request_headers");
    let exchange = vm.request(REQUEST).send().unwrap();
    assert_eq!(vm.host().callouts.len(), 1);
    exchange.finish().unwrap();
    assert!(vm.host().callouts.is_empty());
}

#[test]
fn the_owner_of_a_queue_hears_of_its_entries() {
    let vm = Probe::new()
        .on(
            "proxy_on_configure",
            &[("proxy_register_shared_queue", &[T(b"q"), Out])],
            1,
        )
        .on(
            "proxy_on_request_headers",
            &[("proxy_enqueue_shared_queue", &[N(1), T(b"entry")])],
            0,
        )
        .on(
            "proxy_on_queue_ready",
            &[("proxy_dequeue_shared_queue", &[N(1), Bytes])],
            0,
        )
        .start();
    vm.request(REQUEST).send().unwrap();
    vm.queue_ready("q").unwrap();
    assert_eq!(said(&vm), ["entry"]);
}

#[test]
fn a_held_request_waits() {
    let vm = Probe::new().on("proxy_on_request_headers", &[], 1).start();
    assert_eq!(
        vm.request(REQUEST).send().unwrap().outcome(),
        RequestOutcome::Waiting
    );
}
