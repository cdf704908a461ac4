//! The WASI functions, which behave like Envoy's.

mod wat;

use std::collections::BTreeSet;

use filter_tests::wasi_functions;
use wat::Arg::{self, N, Number, Out};
use wat::{WatModule, said, shown, statuses};

const OK: u32 = 0;
const BAD_DESCRIPTOR: u32 = 8;
const INVALID: u32 = 28;

/// Calls with their error numbers and the numbers that they return.
const CASES: &[(&str, &[Arg], u32, &[u32])] = &[
    ("environ_sizes_get", &[Number, Number], OK, &[2, 10]),
    ("environ_get", &[N(0), N(64)], OK, &[]),
    ("random_get", &[N(0), N(8)], OK, &[]),
    ("random_get", &[N(0), N(65537)], INVALID, &[]),
    ("fd_write", &[N(3), N(0), N(0), Out], BAD_DESCRIPTOR, &[]),
];

fn run(calls: &[(&str, &[Arg])]) -> filter_tests::Vm {
    let vm = WatModule::new().on("proxy_on_request_headers", calls, 0).start();
    vm.request([(":path", "/")]).send().unwrap();
    vm
}

#[test]
fn each_function_behaves_like_envoys() {
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
        // proc_exit traps: see failures.rs.
        assert!(tested.contains(function) || function == "proc_exit", "{function}");
    }
}

#[test]
fn output_to_the_standard_streams_is_logged_without_its_line_end() {
    // One vector at 0 that describes the 6 bytes after it.
    let vector = r#"(data (i32.const 0) "\08\00\00\00\06\00\00\00panic\0a")"#;
    for (descriptor, level) in [(1, 2), (2, 4)] {
        let calls: &[(&str, &[Arg])] = &[("fd_write", &[N(descriptor), N(0), N(1), Number])];
        let vm = WatModule::new()
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
fn the_environment_is_a_list_of_pointers_to_terminated_entries() {
    // After environ_get, the log shows the ten bytes at the first pointer.
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
fn random_bytes_are_the_same_in_every_run_but_differ_among_themselves() {
    let calls: &[(&str, &[Arg])] = &[
        ("random_get", &[N(0), N(16)]),
        ("proxy_log", &[N(0), N(0), N(16)]),
    ];
    let (first, second) = (said(&run(calls)), said(&run(calls)));
    assert_eq!(first, second);
    assert!(first[0].chars().collect::<BTreeSet<_>>().len() > 4, "{first:?}");
}
