//! Two roles in one VM: attempts, responses, and the end of contexts.

mod wat;

use filter_tests::{HeaderMap, RequestOutcome, StartError, UpstreamResponse, Vm, compile};
use wat::Arg::{self, Bytes, N, Out, T};
use wat::{WatModule, said, statuses, trap};

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

fn response(status: u32, headers: &[(&str, &str)]) -> UpstreamResponse {
    UpstreamResponse::new(status, headers, "body")
}

/// Contexts 1 and 2 are the plugins, 3 is the gateway's stream, 4 and later are the signers'.
const MARK_IN_FIRST_SIGNER: &str = "(if (i32.eq (local.get 0) (i32.const 4))
    (then (drop (call $proxy_replace_header_map_value (i32.const 0)
        (i32.const 64) (i32.const 6) (i32.const 64) (i32.const 6)))))
    (i32.const 0)";

#[test]
fn each_attempt_sees_what_earlier_ones_have_written() {
    let vm = WatModule::new()
        .with(r#"(data (i32.const 64) "x-mark")"#)
        .on_with("proxy_on_request_headers", &[], MARK_IN_FIRST_SIGNER)
        .start();
    let exchange = vm
        .request(REQUEST)
        .body(["ab", "c"])
        .trailers([("t", "1")])
        .send()
        .unwrap();
    let retry = |_: u64, _: &_| response(429, &[("x-again", "1")]);
    let completed = exchange.route("x-again", &["r1", "r2", "r3"], retry).unwrap();
    assert_eq!(completed.attempts.len(), 3);
    for sent in &completed.attempts {
        assert_eq!(sent.headers.as_ref().unwrap().text("x-mark"), Some("x-mark"));
        assert_eq!((sent.body(), sent.ended), (b"abc".to_vec(), true));
        assert_eq!(sent.trailers, Some(HeaderMap::new([("t", "1")])));
    }
}

#[test]
fn the_signer_reads_the_number_of_its_attempt_and_the_cluster_of_its_endpoint() {
    let vm = WatModule::new()
        .on("proxy_on_request_headers", &[ROLE, ATTEMPT, CLUSTER], 0)
        .start();
    let exchange = vm.request(REQUEST).send().unwrap();
    exchange
        .route("x-again", &["r1", "r2"], |number, _| match number {
            1 => response(429, &[("x-again", "1")]),
            _ => response(200, &[]),
        })
        .unwrap();
    let second = "\u{2}\0\0\0\0\0\0\0";
    let first = "\u{1}\0\0\0\0\0\0\0";
    // The gateway's two reads fail and log empty lines.
    assert_eq!(said(&vm)[0], "gateway");
    assert_eq!(said(&vm)[3..], ["signer", first, "r1", "signer", second, "r2"]);
    assert_eq!(statuses(&vm, "proxy_get_property")[1..3], [1, 1]);
}

#[test]
fn the_last_attempt_is_the_response_even_if_it_asks_for_a_retry() {
    let vm = WatModule::new().start();
    let exchange = vm.request(REQUEST).send().unwrap();
    let completed = exchange
        .route("x-again", &["r1", "r2"], |number, _| UpstreamResponse {
            trailers: Some(HeaderMap::new([("t", "1")])),
            ..response(500 + number as u32, &[("x-again", "1")])
        })
        .unwrap();
    assert_eq!((completed.status(), completed.attempts.len()), (502, 2));
    assert_eq!(
        (completed.message.body(), completed.message.ended),
        (b"body".to_vec(), true)
    );
    assert_eq!(completed.message.trailers, Some(HeaderMap::new([("t", "1")])));
}

#[test]
fn a_refused_attempt_is_retried_and_the_last_one_becomes_a_503() {
    let vm = endings();
    let exchange = vm.request(REQUEST).send().unwrap();
    let upstream = |number, _: &_| {
        if number == 1 {
            UpstreamResponse::refused()
        } else {
            response(200, &[])
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
fn a_truncated_response_never_ends() {
    let vm = WatModule::new().start();
    let exchange = vm.request(REQUEST).send().unwrap();
    let completed = exchange
        .route("x-again", &["r1"], |_, _| UpstreamResponse {
            cut: true,
            ..response(200, &[])
        })
        .unwrap();
    assert_eq!(
        (completed.message.body(), completed.message.ended),
        (b"body".to_vec(), false)
    );
}

const LOCAL_REPLY_IN_FIRST_SIGNER: &str = "(if (result i32) (i32.eq (local.get 0) (i32.const 4))
    (then (call $proxy_send_local_response (i32.const 500) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 0) (i32.const 0) (i32.const -1)))
    (else (i32.const 0)))";

#[test]
fn a_local_reply_of_the_signer_is_the_response_and_is_not_retried() {
    let vm = WatModule::new()
        .on_with("proxy_on_request_headers", &[], LOCAL_REPLY_IN_FIRST_SIGNER)
        .start();
    let exchange = vm.request(REQUEST).body(["a"]).send().unwrap();
    let completed = exchange
        .route("x-again", &["r1", "r2"], |_, _| panic!("nothing goes upstream"))
        .unwrap();
    assert_eq!((completed.status(), completed.attempts.len()), (500, 0));
    assert_eq!(vm.host().streams(), 0);
}

#[test]
fn filter_state_passes_between_the_roles_and_on_to_the_access_log() {
    let set = ("proxy_set_property", [T(b"name"), T(b"value")]);
    let get = ("proxy_get_property", [T(b"name"), Out, Out]);
    let vm = WatModule::new()
        .on("proxy_on_request_headers", &[(get.0, &get.1), (set.0, &set.1)], 0)
        .start();
    let exchange = vm.request(REQUEST).send().unwrap();
    let completed = exchange
        .route("x-again", &["r1"], |_, _| response(200, &[]))
        .unwrap();
    assert_eq!(statuses(&vm, "proxy_get_property"), [1, 0]);
    assert_eq!(
        completed.filter_state.get("name").map(Vec::as_slice),
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
    let module = ENDINGS
        .into_iter()
        .fold(WatModule::new(), |module, (callback, text)| {
            module.on(callback, &[("proxy_log", &say(text))], 1)
        });
    module.start()
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
        .route("x-again", &["r1"], |_, _| response(200, &[]))
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
        .route("x-again", &["r1", "r2"], |_, _| {
            response(429, &[("x-again", "1")])
        })
        .unwrap();
    let gateway = [(3, "log"), (3, "done"), (3, "delete")];
    let signers = [(4, "done"), (4, "delete"), (5, "done"), (5, "delete")];
    assert_eq!(sequence(&vm), expected(&[&gateway[..], &signers].concat()));
    assert_eq!(vm.host().streams(), 0);
}

#[test]
fn a_client_that_disconnects_leaves_no_context_behind() {
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
    let vm = WatModule::new().start();
    let mut first = vm.request(REQUEST).unfinished().send().unwrap();
    let second = vm.request(REQUEST).send().unwrap();
    assert_eq!(
        second
            .route("x-again", &["r1"], |_, _| response(200, &[]))
            .unwrap()
            .status(),
        200
    );
    first.request_chunk(b"late", true).unwrap();
    assert_eq!(first.attempt(1, "r1").unwrap().body(), b"late");
    first.finish().unwrap();
}

#[test]
fn the_configuration_is_readable_only_while_it_is_applied() {
    let say = ("proxy_get_buffer_bytes", [N(7), N(0), N(99), Bytes]);
    let configuration = [(say.0, &say.1[..])];
    let vm = WatModule::new()
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
fn a_refused_configuration_is_an_error_with_the_log() {
    let module = compile(
        WatModule::new()
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
fn a_context_that_is_not_done_is_a_trap() {
    let vm = WatModule::new().on("proxy_on_done", &[], 0).start();
    assert!(
        trap(vm.request(REQUEST).send().unwrap().finish())
            .message
            .contains("not done")
    );
    assert!(trap(vm.shut_down()).message.contains("not done"));
}

#[test]
fn a_held_request_waits() {
    let vm = WatModule::new().on("proxy_on_request_headers", &[], 1).start();
    assert_eq!(
        vm.request(REQUEST).send().unwrap().outcome(),
        RequestOutcome::Waiting
    );
}
