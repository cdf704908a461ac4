//! Every host function, with the result of valid and invalid calls.

mod wat;

use std::collections::BTreeSet;

use filter_tests::{
    HeaderMap, HostMetricKind, LogLine, Status, encode_pairs, filter, host_functions, unserved_functions,
    wasi_functions,
};
use wat::Arg::{Bytes, L, N, Number, Out, T, Wild};
use wat::{Arg, WatModule, said, shown, statuses, trap};

use Status::*;

/// A host call in `proxy_on_request_headers` of the gateway, after the calls of `before`.
struct HostCallCase {
    function: &'static str,
    arguments: &'static [Arg],
    before: &'static [(&'static str, &'static [Arg])],
    status: Status,
    /// What the call returns.
    shows: Shows,
}

enum Shows {
    Nothing,
    Text(&'static str),
    Number(u32),
}

use Shows::Nothing;

const fn case(function: &'static str, arguments: &'static [Arg], status: Status) -> HostCallCase {
    HostCallCase {
        function,
        arguments,
        before: &[],
        status,
        shows: Nothing,
    }
}

const fn text(function: &'static str, arguments: &'static [Arg], text: &'static str) -> HostCallCase {
    HostCallCase {
        function,
        arguments,
        before: &[],
        status: Ok,
        shows: Shows::Text(text),
    }
}

const fn number(function: &'static str, arguments: &'static [Arg], number: u32) -> HostCallCase {
    HostCallCase {
        function,
        arguments,
        before: &[],
        status: Ok,
        shows: Shows::Number(number),
    }
}

const fn after(before: &'static [(&'static str, &'static [Arg])], case: HostCallCase) -> HostCallCase {
    HostCallCase { before, ..case }
}

const COUNTER: (&str, &[Arg]) = ("proxy_define_metric", &[N(0), T(b"c"), Out]);
const GAUGE: (&str, &[Arg]) = ("proxy_define_metric", &[N(1), T(b"g"), Out]);
const HISTOGRAM: (&str, &[Arg]) = ("proxy_define_metric", &[N(2), T(b"h"), Out]);
const COUNTER_ID: u32 = 4;
const GAUGE_ID: u32 = 5;
const HISTOGRAM_ID: u32 = 6;
/// `:method: GET`, `:path: /`, `:authority: a`.
const CALL_HEADERS: &[u8] =
    b"\x03\0\0\0\x07\0\0\0\x03\0\0\0\x05\0\0\0\x01\0\0\0\x0a\0\0\0\x01\0\0\0:method\0GET\0:path\0/\0:authority\0a\0";
const SHARED: (&str, &[Arg]) = ("proxy_set_shared_data", &[T(b"k"), T(b"v"), N(0)]);

const CASES: &[HostCallCase] = &[
    case("proxy_log", &[N(5), T(b"text")], Ok),
    case("proxy_log", &[N(6), T(b"text")], BadArgument),
    case("proxy_log", &[N(0), Wild], InvalidMemoryAccess),
    number("proxy_get_current_time_nanoseconds", &[Number], 7),
    case("proxy_set_tick_period_milliseconds", &[N(0)], Ok),
    number("proxy_define_metric", &[N(0), T(b"c"), Number], COUNTER_ID),
    case("proxy_define_metric", &[N(3), T(b"c"), Out], BadArgument),
    after(
        &[COUNTER],
        case("proxy_increment_metric", &[N(COUNTER_ID), L(1)], Ok),
    ),
    after(
        &[COUNTER],
        case("proxy_increment_metric", &[N(COUNTER_ID), L(0)], BadArgument),
    ),
    after(
        &[GAUGE],
        case("proxy_increment_metric", &[N(GAUGE_ID), L(-1)], Ok),
    ),
    after(
        &[HISTOGRAM],
        case("proxy_increment_metric", &[N(HISTOGRAM_ID), L(1)], BadArgument),
    ),
    case("proxy_increment_metric", &[N(COUNTER_ID), L(1)], NotFound),
    after(
        &[HISTOGRAM],
        case("proxy_record_metric", &[N(HISTOGRAM_ID), L(9)], Ok),
    ),
    case("proxy_record_metric", &[N(HISTOGRAM_ID), L(9)], NotFound),
    text("proxy_get_property", &[T(b"source\0address"), Bytes], "10.0.0.1"),
    case(
        "proxy_get_property",
        &[T(b"source"), Out, Out],
        SerializationFailure,
    ),
    case("proxy_get_property", &[T(b"source\0addr"), Out, Out], NotFound),
    case("proxy_get_property", &[T(b"sour"), Out, Out], NotFound),
    case("proxy_get_property", &[Wild, Out, Out], InvalidMemoryAccess),
    case("proxy_set_property", &[T(b"name"), T(b"value")], Ok),
    after(
        &[("proxy_set_property", &[T(b"name"), T(b"value")])],
        text("proxy_get_property", &[T(b"name"), Bytes], "value"),
    ),
    case("proxy_set_effective_context", &[N(1)], Ok),
    case("proxy_set_effective_context", &[N(99)], BadArgument),
    after(
        &[("proxy_set_effective_context", &[N(1)])],
        case("proxy_set_property", &[T(b"n"), T(b"v")], NotFound),
    ),
    after(
        &[("proxy_set_effective_context", &[N(1)])],
        text("proxy_get_property", &[T(b"plugin_root_id"), Bytes], "gateway"),
    ),
    text(
        "proxy_get_header_map_value",
        &[N(0), T(b"X-Twice"), Bytes],
        "first",
    ),
    case(
        "proxy_get_header_map_value",
        &[N(0), T(b"x-none"), Out, Out],
        NotFound,
    ),
    case(
        "proxy_get_header_map_value",
        &[N(2), T(b":status"), Out, Out],
        BadArgument,
    ),
    case(
        "proxy_get_header_map_value",
        &[N(8), T(b"x"), Out, Out],
        BadArgument,
    ),
    case(
        "proxy_get_header_map_value",
        &[N(0), Wild, Out, Out],
        InvalidMemoryAccess,
    ),
    text("proxy_get_header_map_pairs", &[N(0), Bytes], HEADER_BLOCK),
    text("proxy_get_header_map_pairs", &[N(2), Bytes], ""),
    case("proxy_get_header_map_pairs", &[N(8), Out, Out], BadArgument),
    after(
        &[(
            "proxy_set_header_map_pairs",
            &[N(0), T(b"\x01\0\0\0\x01\0\0\0\x01\0\0\0n\0v\0")],
        )],
        text("proxy_get_header_map_value", &[N(0), T(b"n"), Bytes], "v"),
    ),
    after(
        &[("proxy_set_header_map_pairs", &[N(0), T(b"broken")])],
        text("proxy_get_header_map_pairs", &[N(0), Bytes], ""),
    ),
    case("proxy_set_header_map_pairs", &[N(2), T(b"\0\0\0\0")], BadArgument),
    after(
        &[(
            "proxy_replace_header_map_value",
            &[N(0), T(b"X-Twice"), T(b"only")],
        )],
        text(
            "proxy_get_header_map_pairs",
            &[N(0), Bytes],
            REPLACED_HEADER_BLOCK,
        ),
    ),
    case(
        "proxy_replace_header_map_value",
        &[N(2), T(b"n"), T(b"v")],
        BadArgument,
    ),
    after(
        &[SHARED],
        text("proxy_get_shared_data", &[T(b"k"), Bytes, Out], "v"),
    ),
    after(
        &[SHARED],
        number("proxy_get_shared_data", &[T(b"k"), Out, Out, Number], 1),
    ),
    case("proxy_get_shared_data", &[T(b"k"), Out, Out, Out], NotFound),
    after(
        &[SHARED],
        case("proxy_set_shared_data", &[T(b"k"), T(b"w"), N(1)], Ok),
    ),
    after(
        &[SHARED],
        case("proxy_set_shared_data", &[T(b"k"), T(b"w"), N(2)], CasMismatch),
    ),
    case("proxy_set_shared_data", &[T(b"new"), T(b"w"), N(2)], Ok),
    case("proxy_continue_stream", &[N(0)], Ok),
    case("proxy_continue_stream", &[N(1)], BadArgument),
    after(
        &[("proxy_set_effective_context", &[N(1)])],
        case("proxy_continue_stream", &[N(0)], BadArgument),
    ),
    after(
        &[("proxy_set_effective_context", &[N(1)])],
        number(
            "proxy_http_call",
            &[T(b"broker"), T(CALL_HEADERS), T(b""), T(b""), N(5000), Number],
            1,
        ),
    ),
    after(
        &[("proxy_set_effective_context", &[N(1)])],
        case(
            "proxy_http_call",
            &[T(b"broker"), T(b""), T(b""), T(b""), N(5000), Out],
            BadArgument,
        ),
    ),
    case(
        "proxy_get_buffer_bytes",
        &[N(4), N(0), N(100), Out, Out],
        NotFound,
    ),
    text("proxy_get_header_map_pairs", &[N(6), Bytes], ""),
    text("proxy_get_buffer_bytes", &[N(0), N(0), N(100), Bytes], ""),
    case(
        "proxy_get_buffer_bytes",
        &[N(7), N(0), N(100), Out, Out],
        NotFound,
    ),
    case(
        "proxy_get_buffer_bytes",
        &[N(9), N(0), N(100), Out, Out],
        BadArgument,
    ),
    case(
        "proxy_get_buffer_bytes",
        &[N(0), N(1), N(u32::MAX), Out, Out],
        BadArgument,
    ),
    case(
        "proxy_set_buffer_bytes",
        &[N(0), N(0), N(0), T(b"x")],
        BadArgument,
    ),
    case(
        "proxy_set_buffer_bytes",
        &[N(9), N(0), N(0), T(b"x")],
        BadArgument,
    ),
    case(
        "proxy_send_local_response",
        &[N(401), T(b"why so"), T(b"no"), T(b""), N(u32::MAX)],
        Ok,
    ),
    case(
        "proxy_send_local_response",
        &[N(401), Wild, T(b"no"), T(b""), N(0)],
        InvalidMemoryAccess,
    ),
];

const REPLACED_HEADER_BLOCK: &str =
    "\x02\0\0\0\x05\0\0\0\x01\0\0\0\x07\0\0\0\x04\0\0\0:path\0/\0x-twice\0only\0";
const HEADER_BLOCK: &str = "\x03\0\0\0\x05\0\0\0\x01\0\0\0\x07\0\0\0\x05\0\0\0\x07\0\0\0\x06\0\0\0:path\0/\0x-twice\0first\0x-twice\0second\0";

#[test]
fn each_host_function_behaves_like_envoys() {
    for (index, case) in CASES.iter().enumerate() {
        let name = format!("case {index}: {}", case.function);
        let calls: Vec<_> = case
            .before
            .iter()
            .copied()
            .chain([(case.function, case.arguments)])
            .collect();
        let vm = WatModule::new().on("proxy_on_request_headers", &calls, 0).start();
        vm.host_mut().now_nanoseconds = 7;
        let headers = [(":path", "/"), ("X-Twice", "first"), ("x-twice", "second")];
        vm.request(headers)
            .property(&["source", "address"], "10.0.0.1")
            .send()
            .expect(&name);

        assert_eq!(
            statuses(&vm, case.function).last(),
            Some(&(case.status as u32)),
            "{name}"
        );
        match case.shows {
            Shows::Nothing => {}
            Shows::Text(text) => assert_eq!(said(&vm).last().map(String::as_str), Some(text), "{name}"),
            Shows::Number(number) => assert_eq!(shown(&vm).last(), Some(&number), "{name}"),
        }
    }
}

#[test]
fn each_host_function_has_a_case() {
    let tested: BTreeSet<_> = CASES.iter().map(|case| case.function).collect();
    for (function, _) in host_functions() {
        assert!(tested.contains(function), "{function}");
    }
}

#[test]
fn the_header_block_of_the_cases_matches_their_request() {
    let headers = HeaderMap::new([(":path", "/"), ("x-twice", "first"), ("x-twice", "second")]);
    assert_eq!(encode_pairs(headers.pairs()), HEADER_BLOCK.as_bytes());
}

#[test]
fn metrics_keep_their_values_and_samples() {
    let calls: &[(&str, &[Arg])] = &[
        COUNTER,
        HISTOGRAM,
        GAUGE,
        ("proxy_record_metric", &[N(13), L(41)]),
        ("proxy_increment_metric", &[N(13), L(1)]),
        ("proxy_increment_metric", &[N(COUNTER_ID), L(2)]),
        ("proxy_record_metric", &[N(COUNTER_ID), L(3)]),
        ("proxy_record_metric", &[N(10), L(8)]),
        ("proxy_record_metric", &[N(10), L(9)]),
    ];
    let vm = WatModule::new().on("proxy_on_request_headers", calls, 0).start();
    vm.request([(":path", "/")]).send().unwrap();
    let host = vm.host();
    assert_eq!(
        host.metric("c").map(|metric| (metric.kind, metric.value)),
        Some((HostMetricKind::Counter, 5))
    );
    assert_eq!(
        host.metric("h").map(|metric| metric.samples.clone()),
        Some(vec![8, 9])
    );
    assert_eq!(host.metric("g").map(|metric| metric.value), Some(42));
    assert_eq!(host.metric("none"), None);
}

#[test]
fn log_lines_keep_their_level_and_the_journal_its_arguments() {
    let calls: &[(&str, &[Arg])] = &[("proxy_log", &[N(3), T(b"careful")])];
    let vm = WatModule::new().on("proxy_on_request_headers", calls, 0).start();
    vm.request([(":path", "/")]).send().unwrap();
    assert_eq!(
        vm.host().log,
        [LogLine {
            level: 3,
            text: "careful".to_owned()
        }]
    );
    assert_eq!(
        vm.host().journal.last().map(|call| call.arguments.clone()),
        Some(vec!["3".into(), "careful".into()])
    );
    assert_eq!(vm.host().count("proxy_log"), 1);
}

#[test]
fn a_function_that_is_not_served_links_and_traps_when_called() {
    for (function, signature) in unserved_functions() {
        let (parameters, _) = signature.split_once('>').unwrap();
        let vm = WatModule::new()
            .on(
                "proxy_on_request_headers",
                &[(function, &vec![N(0); parameters.len()])],
                0,
            )
            .start();
        let trap = trap(vm.request([(":path", "/")]).send());
        assert!(trap.message.contains(function), "{}", trap.message);
    }
}

#[test]
fn the_host_serves_what_the_filter_imports_and_nothing_else() {
    let imports: BTreeSet<_> = filter()
        .imports()
        .map(|import| (import.module(), import.name()))
        .collect();
    let served: BTreeSet<_> = host_functions()
        .map(|(name, _)| ("env", name))
        .chain(wasi_functions().map(|(name, _)| ("wasi_snapshot_preview1", name)))
        .collect();
    let unserved = unserved_functions().map(|(name, _)| ("env", name)).collect();
    let lacking: Vec<_> = imports
        .difference(&served)
        .filter(|import| !BTreeSet::contains(&unserved, import))
        .collect();
    assert!(
        lacking.is_empty(),
        "the filter imports what the host lacks: {lacking:?}"
    );
    let idle: Vec<_> = served.difference(&imports).collect();
    assert!(
        idle.is_empty(),
        "the host serves what the filter does not import: {idle:?}"
    );
}
