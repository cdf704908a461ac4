//! WASI as Envoy offers it.

mod probe;

use std::collections::BTreeSet;

use filter_tests::wasi_functions;
use probe::Arg::{self, L, N, Number, Out, T};
use probe::{Probe, said, shown, statuses};

const OK: u32 = 0;
const BAD_DESCRIPTOR: u32 = 8;
const INVALID: u32 = 28;
const NO_ENTRY: u32 = 44;
const NOT_IMPLEMENTED: u32 = 52;
const NOT_SUPPORTED: u32 = 58;

/// Calls with their error numbers and the numbers that they hand out.
const CASES: &[(&str, &[Arg], u32, &[u32])] = &[
    ("environ_sizes_get", &[Number, Number], OK, &[2, 10]),
    ("environ_get", &[N(0), N(64)], OK, &[]),
    ("args_sizes_get", &[Number, Number], OK, &[0, 0]),
    ("args_get", &[Out, Out], OK, &[]),
    ("clock_time_get", &[N(0), L(0), Number], OK, &[7]),
    ("clock_time_get", &[N(1), L(0), Number], OK, &[7]),
    ("clock_time_get", &[N(2), L(0), Out], NOT_SUPPORTED, &[]),
    ("random_get", &[N(0), N(8)], OK, &[]),
    ("random_get", &[N(0), N(65537)], INVALID, &[]),
    ("poll_oneoff", &[Out, Out, N(0), Number], OK, &[0]),
    ("sched_yield", &[], OK, &[]),
    ("fd_fdstat_get", &[N(1), Out], OK, &[]),
    ("fd_fdstat_get", &[N(3), Out], BAD_DESCRIPTOR, &[]),
    ("fd_fdstat_set_flags", &[N(1), N(0)], NOT_IMPLEMENTED, &[]),
    ("fd_read", &[N(0), Out, N(0), Out], NOT_IMPLEMENTED, &[]),
    ("fd_seek", &[N(0), L(0), N(0), Out], OK, &[]),
    ("fd_close", &[N(1)], OK, &[]),
    ("fd_filestat_get", &[N(1), Out], BAD_DESCRIPTOR, &[]),
    ("fd_prestat_get", &[N(3), Out], BAD_DESCRIPTOR, &[]),
    ("fd_prestat_dir_name", &[N(3), Out, N(0)], NOT_IMPLEMENTED, &[]),
    (
        "path_open",
        &[N(3), N(0), T(b"/etc"), N(0), L(0), L(0), N(0), Out],
        NO_ENTRY,
        &[],
    ),
    (
        "path_filestat_get",
        &[N(3), N(0), T(b"/etc"), Out],
        NOT_SUPPORTED,
        &[],
    ),
    ("fd_write", &[N(3), N(0), N(0), Out], BAD_DESCRIPTOR, &[]),
];

fn run(calls: &[(&str, &[Arg])]) -> filter_tests::Vm {
    let vm = Probe::new().on("proxy_on_request_headers", calls, 0).start();
    vm.host_mut().now_nanoseconds = 7;
    vm.request([(":path", "/")]).send().unwrap();
    vm
}

#[test]
fn each_function_answers_as_envoy_does() {
    for (function, arguments, number, numbers) in CASES {
        let vm = run(&[(function, arguments)]);
        assert_eq!(statuses(&vm, function), [*number], "{function}");
        assert_eq!(shown(&vm), *numbers, "{function}");
    }
}

#[test]
fn each_function_has_a_case() {
    let tested: BTreeSet<_> = CASES.iter().map(|case| case.0).collect();
    for (function, _) in wasi_functions() {
        // proc_exit traps: see the test of refusals.
        assert!(tested.contains(function) || function == "proc_exit", "{function}");
    }
}

#[test]
fn what_is_written_to_the_standard_streams_is_logged_without_its_line_end() {
    // One vector at 0 that means the 6 bytes behind it.
    let vector = r#"(data (i32.const 0) "\08\00\00\00\06\00\00\00panic\0a")"#;
    for (descriptor, level) in [(1, 2), (2, 4)] {
        let calls: &[(&str, &[Arg])] = &[("fd_write", &[N(descriptor), N(0), N(1), Number])];
        let vm = Probe::new()
            .with(vector)
            .on("proxy_on_request_headers", calls, 0)
            .start();
        vm.request([(":path", "/")]).send().unwrap();
        assert_eq!(
            (said(&vm), vm.host().log[0].level),
            (vec!["panic".to_owned()], level)
        );
        assert_eq!(shown(&vm), [6]);
    }
}

#[test]
fn the_environment_is_pointers_to_terminated_entries() {
    // Behind environ_get, the log shows the ten bytes that the first pointer means.
    let calls: &[(&str, &[Arg])] = &[
        ("environ_get", &[N(256), N(512)]),
        ("proxy_log", &[N(0), N(512), N(10)]),
    ];
    assert_eq!(said(&run(calls)), ["A=1\0B=two\0"]);
    let pointers: &[(&str, &[Arg])] = &[
        ("environ_get", &[N(256), N(512)]),
        ("proxy_log", &[N(0), N(256), N(8)]),
    ];
    assert_eq!(said(&run(pointers)), ["\0\u{2}\0\0\u{4}\u{2}\0\0"]);
}

#[test]
fn random_bytes_are_the_same_in_every_run_and_not_all_alike() {
    let calls: &[(&str, &[Arg])] = &[
        ("random_get", &[N(0), N(16)]),
        ("proxy_log", &[N(0), N(0), N(16)]),
    ];
    let (first, second) = (said(&run(calls)), said(&run(calls)));
    assert_eq!(first, second);
    assert!(first[0].chars().collect::<BTreeSet<_>>().len() > 4, "{first:?}");
}
