//! Small modules in the text format that make host calls and expose the results.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fmt::Write;

use filter_tests::{FaultPlan, Trap, Vm, compile, host_functions, unserved_functions, wasi_functions};

/// An argument of a host call.
#[derive(Clone, Copy)]
pub(crate) enum Arg {
    /// A number.
    N(u32),
    /// A 64-bit number.
    L(i64),
    /// Bytes in memory: a pointer and a size.
    T(&'static [u8]),
    /// Out-parameters for a pointer and a size. The bytes are logged after the call.
    Bytes,
    /// An out-parameter for a number, which [`shown`] returns.
    Number,
    /// An out-parameter that is ignored.
    Out,
    /// A pointer and a size outside the memory.
    Wild,
}

/// A module under construction.
#[derive(Default)]
pub(crate) struct WatModule {
    text: Vec<u8>,
    callbacks: String,
    others: String,
}

/// Start of the texts. The out-parameters are below.
const TEXTS_START: usize = 4096;
/// Start of the heap.
const HEAP_START: usize = 2 * 65536;

impl WatModule {
    pub(crate) fn new() -> WatModule {
        WatModule::default()
    }

    /// Adds a callback that makes the calls and returns `result`, if it has a result.
    pub(crate) fn on(self, callback: &str, calls: &[(&str, &[Arg])], result: u32) -> WatModule {
        self.on_with(callback, calls, &format!("(i32.const {})", result as i32))
    }

    /// The same with an expression for the result.
    pub(crate) fn on_with(mut self, callback: &str, calls: &[(&str, &[Arg])], result: &str) -> WatModule {
        let body: String = calls
            .iter()
            .map(|(function, arguments)| self.call(function, arguments))
            .collect();
        let (parameters, has_result) = signature(callback);
        let (kind, value) = if has_result {
            ("(result i32)", result)
        } else {
            ("", "")
        };
        let parameters = "i32 ".repeat(parameters);
        writeln!(
            self.callbacks,
            "(func (export \"{callback}\") (param {parameters}) {kind} {body} {value})"
        )
        .unwrap();
        self
    }

    /// Adds anything else to the module, such as a function or data.
    pub(crate) fn with(mut self, text: &str) -> WatModule {
        self.others.push_str(text);
        self
    }

    fn call(&mut self, function: &str, arguments: &[Arg]) -> String {
        let mut text = format!("(call ${function}");
        let mut after = String::new();
        for (slot, argument) in arguments.iter().enumerate() {
            let slot = slot * 16;
            match argument {
                Arg::N(number) => write!(text, " (i32.const {})", *number as i32),
                Arg::L(number) => write!(text, " (i64.const {number})"),
                Arg::T(bytes) => {
                    let start = TEXTS_START + self.text.len();
                    self.text.extend_from_slice(bytes);
                    write!(text, " (i32.const {start}) (i32.const {})", bytes.len())
                }
                Arg::Bytes => {
                    write!(after, " (call $say (i32.const {slot}))").unwrap();
                    write!(text, " (i32.const {slot}) (i32.const {})", slot + 4)
                }
                Arg::Number => {
                    write!(after, " (call $show (i32.const {slot}))").unwrap();
                    write!(text, " (i32.const {slot})")
                }
                Arg::Out => write!(text, " (i32.const {slot})"),
                Arg::Wild => write!(text, " (i32.const 0x7fff0000) (i32.const 16)"),
            }
            .unwrap();
        }
        text.push(')');
        if function != "proc_exit" {
            text = format!("(drop {text})");
        }
        text + &after
    }

    /// The module's text.
    pub(crate) fn text(&self) -> String {
        let mut imports = String::new();
        let proxy = host_functions()
            .chain(unserved_functions())
            .map(|function| ("env", function));
        let wasi = wasi_functions().map(|function| ("wasi_snapshot_preview1", function));
        for (module, (name, signature)) in proxy.chain(wasi) {
            let (parameters, results) = signature.split_once('>').unwrap();
            let types = |letters: &str| {
                letters
                    .chars()
                    .map(|c| if c == 'I' { "i64 " } else { "i32 " })
                    .collect::<String>()
            };
            let (parameters, results) = (types(parameters), types(results));
            writeln!(
                imports,
                "(import \"{module}\" \"{name}\" (func ${name} (param {parameters}) (result {results})))"
            )
            .unwrap();
        }
        let data: String = self.text.iter().map(|byte| format!("\\{byte:02x}")).collect();
        format!(
            r#"(module {imports}
            (memory (export "memory") 8)
            (data (i32.const {TEXTS_START}) "{data}")
            (global $heap (mut i32) (i32.const {HEAP_START}))
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
                (global.get $heap)
                (global.set $heap (i32.add (global.get $heap) (local.get $size))))
            (func $say (param $at i32)
                (drop (call $proxy_log (i32.const 2)
                    (i32.load (local.get $at)) (i32.load offset=4 (local.get $at)))))
            (func $show (param $at i32)
                (drop (call $proxy_set_tick_period_milliseconds (i32.load (local.get $at)))))
            {others} {callbacks})"#,
            others = self.others,
            callbacks = self.callbacks,
        )
    }

    /// Starts the module with both roles.
    pub(crate) fn start(&self) -> Vm {
        self.start_with(FaultPlan::default())
    }

    pub(crate) fn start_with(&self, plan: FaultPlan) -> Vm {
        let plugins = [("gateway", "gateway's own"), ("signer", "signer's own")];
        Vm::start_with(&compile(self.text()), &[("A", "1"), ("B", "two")], &plugins, plan)
            .expect("a module that starts")
    }
}

fn signature(callback: &str) -> (usize, bool) {
    match callback {
        "_initialize" => (0, false),
        "proxy_on_context_create" => (2, false),
        "proxy_on_vm_start" | "proxy_on_configure" => (2, true),
        "proxy_on_request_headers" | "proxy_on_response_headers" => (3, true),
        "proxy_on_request_body" | "proxy_on_response_body" => (3, true),
        "proxy_on_request_trailers" | "proxy_on_response_trailers" => (2, true),
        "proxy_on_done" => (1, true),
        "proxy_on_log" | "proxy_on_delete" | "proxy_on_tick" => (1, false),
        other => panic!("{other} is not a callback of the ABI"),
    }
}

/// The statuses that `function` has returned, in order.
pub(crate) fn statuses(vm: &Vm, function: &str) -> Vec<u32> {
    vm.host()
        .journal
        .iter()
        .filter(|call| call.function == function)
        .map(|call| call.status)
        .collect()
}

/// The logged lines, in order.
pub(crate) fn said(vm: &Vm) -> Vec<String> {
    vm.host().log.iter().map(|line| line.text.clone()).collect()
}

/// The numbers of [`Arg::Number`], in order.
pub(crate) fn shown(vm: &Vm) -> Vec<u32> {
    let host = vm.host();
    let shows = host
        .journal
        .iter()
        .filter(|call| call.function == "proxy_set_tick_period_milliseconds");
    shows.map(|call| call.arguments[0].parse().unwrap()).collect()
}

/// The trap that ended a call.
pub(crate) fn trap<T>(outcome: Result<T, Trap>) -> Trap {
    match outcome {
        Err(trap) => trap,
        Ok(_) => panic!("expected a trap"),
    }
}
