//! Traps, link errors and planned faults.

mod wat;

use filter_tests::{
    FaultPlan, HostFault, Reach, StartError, Status, Vm, compile, faults, host_functions, sweep,
};
use wat::Arg::{self, Bytes, N, Out, T, Wild};
use wat::{WatModule, said, statuses, trap};

const REQUEST: [(&str, &str); 3] = [(":path", "/"), ("x-a", "real"), ("x-b", "other")];

#[test]
fn a_trap_names_its_callback_and_the_vm_is_dead_afterwards() {
    let vm = WatModule::new()
        .on_with(
            "proxy_on_request_headers",
            &[("proxy_log", &[N(4), T(b"last words")])],
            "(unreachable)",
        )
        .start();
    let first = trap(vm.request(REQUEST).send());
    assert_eq!(first.callback, "proxy_on_request_headers");
    assert!(
        first.message.contains("unreachable") && first.message.contains("backtrace"),
        "{}",
        first.message
    );
    assert_eq!(first.log[0].text, "last words");
    assert!(vm.is_dead());
    assert_eq!(
        trap(vm.request(REQUEST).send()).callback,
        "proxy_on_request_headers"
    );
    assert_eq!(said(&vm), ["last words"]);
}

fn start(text: &str) -> Result<Vm, StartError> {
    Vm::start_with(&compile(text), &[], &[("gateway", "")], FaultPlan::default())
}

#[test]
fn an_import_that_the_host_lacks_is_a_link_error() {
    for import in [
        r#"(import "env" "proxy_get_configuration" (func (param i32 i32) (result i32)))"#,
        r#"(import "wasi_snapshot_preview1" "sock_accept" (func (param i32 i32 i32) (result i32)))"#,
        r#"(import "env" "proxy_log" (func (param i32) (result i32)))"#,
    ] {
        let text = format!(
            r#"(module {import} (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1")) (func (export "malloc")))"#
        );
        assert!(matches!(start(&text), Err(StartError::Link(_))), "{import}");
    }
}

#[test]
fn a_module_without_the_exports_of_the_abi_is_a_link_error() {
    let exports = [
        r#"(func (export "proxy_abi_version_0_2_1"))"#,
        r#"(memory (export "memory") 1)"#,
        r#"(func (export "malloc") (param i32) (result i32) (i32.const 0))"#,
    ];
    assert!(start(&format!("(module {})", exports.concat())).is_ok());
    for missing in exports {
        let text = format!("(module {})", exports.concat().replace(missing, ""));
        assert!(matches!(start(&text), Err(StartError::Link(_))), "{missing}");
    }
}

#[test]
fn only_the_log_can_be_called_while_the_vm_starts() {
    let initialize = |function: &str, arguments: &[Arg]| {
        start(
            &WatModule::new()
                .on("_initialize", &[(function, arguments)], 0)
                .text(),
        )
    };
    assert!(initialize("proxy_log", &[N(0), T(b"early")]).is_ok());
    match initialize("proxy_get_current_time_nanoseconds", &[Out]) {
        Err(StartError::Trap(trap)) => assert!(trap.message.contains("restricted"), "{}", trap.message),
        other => panic!("expected a trap, but found {:?}", other.err()),
    }
}

#[test]
fn the_allocator_can_call_only_the_log_and_null_from_it_is_an_error_status() {
    let read: &[(&str, &[Arg])] = &[("proxy_get_header_map_value", &[N(0), T(b"x-a"), Out, Out])];
    let curious = WatModule::new()
        .with(
            r#"(func (export "malloc") (param i32) (result i32)
            (call $proxy_get_current_time_nanoseconds (i32.const 0)))"#,
        )
        .on("proxy_on_request_headers", read, 0);
    assert!(
        trap(curious.start().request(REQUEST).send())
            .message
            .contains("restricted")
    );

    let empty = WatModule::new()
        .with(r#"(func (export "malloc") (param i32) (result i32) (i32.const 0))"#)
        .on("proxy_on_request_headers", read, 0);
    let vm = empty.start();
    vm.request(REQUEST).send().unwrap();
    assert_eq!(statuses(&vm, read[0].0), [Status::InvalidMemoryAccess as u32]);
}

#[test]
fn calls_that_no_filter_should_make_are_traps() {
    let reply = |status| {
        (
            "proxy_send_local_response",
            vec![N(status), T(b""), T(b""), T(b""), N(0)],
        )
    };
    let metric = || ("proxy_define_metric", vec![N(0), T(b"m"), Out]);
    let header = |name, value| ("proxy_replace_header_map_value", vec![N(0), T(name), T(value)]);
    let cases = [
        ("found \":path\": \"/\\n\"", vec![header(b":path", b"/\n")]),
        ("found \"a b\"", vec![header(b"a b", b"v")]),
        ("found \"\"", vec![header(b"", b"v")]),
        ("m is defined a second time", vec![metric(), metric()]),
        ("found 100", vec![reply(100)]),
        ("after the response has begun", vec![reply(400), reply(400)]),
        ("proc_exit(3)", vec![("proc_exit", vec![N(3)])]),
    ];
    for (message, calls) in cases {
        let calls: Vec<(&str, &[Arg])> = calls
            .iter()
            .map(|(function, arguments)| (*function, arguments.as_slice()))
            .collect();
        let vm = WatModule::new().on("proxy_on_request_headers", &calls, 0).start();
        let trap = trap(vm.request(REQUEST).send());
        assert!(trap.message.contains(message), "{message}: {}", trap.message);
    }
}

#[test]
fn a_local_response_outside_a_stream_or_after_the_response_began_is_a_trap() {
    let reply: &[(&str, &[Arg])] = &[(
        "proxy_send_local_response",
        &[N(500), T(b""), T(b""), T(b""), N(0)],
    )];
    let root = WatModule::new().on("proxy_on_tick", reply, 0).start();
    assert!(trap(root.tick("gateway")).message.contains("outside a stream"));
    let late = WatModule::new().on("proxy_on_response_headers", reply, 0).start();
    let mut exchange = late.request(REQUEST).send().unwrap();
    let response = filter_tests::HeaderMap::new([(":status", "200")]);
    assert!(
        trap(exchange.response_headers(response, true))
            .message
            .contains("after the response has begun")
    );
}

#[test]
fn an_action_other_than_continue_and_pause_is_a_trap() {
    let vm = WatModule::new().on("proxy_on_request_headers", &[], 2).start();
    assert!(trap(vm.request(REQUEST).send()).message.contains("found 2"));
}

const READ: (&str, &[Arg]) = ("proxy_get_header_map_value", &[N(0), T(b"x-a"), Bytes]);

#[test]
fn a_planned_fault_replaces_the_status_or_the_bytes() {
    let plan = FaultPlan::default()
        .fail(READ.0, 1, HostFault::Status(Status::NotFound))
        .fail(READ.0, 2, HostFault::Bytes(b"forged".to_vec()))
        .fail("proxy_set_shared_data", 1, HostFault::Bytes(Vec::new()));
    let set: (&str, &[Arg]) = ("proxy_set_shared_data", &[T(b"k"), T(b"v"), N(0)]);
    let vm = WatModule::new()
        .on("proxy_on_request_headers", &[READ, READ, READ, set], 0)
        .start_with(plan.clone());
    vm.request(REQUEST).send().unwrap();
    assert_eq!(said(&vm), ["", "forged", "real"]);
    assert_eq!(statuses(&vm, READ.0), [1, 0, 0]);
    assert_eq!(statuses(&vm, set.0), [Status::InternalFailure as u32]);
    assert_eq!(plan.fired().len(), 3);
}

#[test]
fn a_sweep_fails_every_call_in_every_way_and_ends_with_a_clean_run() {
    let second: (&str, &[Arg]) = ("proxy_get_header_map_value", &[N(0), T(b"x-b"), Bytes]);
    let module = WatModule::new().on(
        "proxy_on_request_headers",
        &[READ, second, ("proxy_log", &[N(0), T(b"end")])],
        0,
    );
    let mut runs = Vec::new();
    let faulty = sweep(Reach::Envoy, |plan| {
        let vm = module.start_with(plan);
        vm.request(REQUEST).send().unwrap().finish().unwrap();
        runs.push(said(&vm)[..2].to_vec());
    });
    assert_eq!(faulty, 2 * faults(READ.0, Reach::Envoy).len());
    assert_eq!(runs.last().unwrap(), &["real", "other"]);
    let differing = runs.iter().filter(|run| **run != ["real", "other"]).count();
    assert_eq!(differing, faulty);
}

#[test]
fn every_function_except_the_log_has_hostile_faults_which_include_envoys() {
    for (function, _) in host_functions() {
        let hostile = faults(function, Reach::Hostile);
        assert_eq!(hostile.is_empty(), function == "proxy_log", "{function}");
        assert!(
            faults(function, Reach::Envoy)
                .iter()
                .all(|fault| hostile.contains(fault)),
            "{function}"
        );
    }
}

#[test]
fn memory_grows_on_demand_up_to_a_gibibyte() {
    let grow = |pages: u32| format!("(drop (memory.grow (i32.const {pages}))) (i32.const 0)");
    let vm = WatModule::new()
        .on_with("proxy_on_request_headers", &[], &grow(2))
        .start();
    let before = vm.memory_bytes();
    vm.request(REQUEST).send().unwrap();
    assert_eq!(vm.memory_bytes(), before + 2 * 65536);

    let greedy = WatModule::new()
        .on_with("proxy_on_request_headers", &[], &grow(16384))
        .start();
    greedy.request(REQUEST).send().unwrap();
    assert_eq!(greedy.memory_bytes(), before);
}

#[test]
fn a_wild_pointer_is_an_error_number_in_wasi() {
    let vm = WatModule::new()
        .on("proxy_on_request_headers", &[("random_get", &[Wild])], 0)
        .start();
    vm.request(REQUEST).send().unwrap();
    assert_eq!(statuses(&vm, "random_get"), [21]);
}
