//! Faults: which host calls fail, and how. Also the seed of the host's random bytes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::abi::Status;

/// What a host call returns instead of its own result. The host function does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostFault {
    /// This status, and nothing written.
    Status(Status),
    /// `Ok` with these bytes. A function that does not return bytes fails with `InternalFailure`.
    Bytes(Vec<u8>),
}

/// Which faults a sweep covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// What a stock Envoy can return for a well-formed call in its phase.
    Envoy,
    /// Also every other error status of the ABI.
    Hostile,
}

/// A plan of faults. Clones share their state: a test keeps one and gives the other to the VM.
#[derive(Clone, Debug, Default)]
pub struct FaultPlan(Rc<RefCell<PlanState>>);

#[derive(Debug, Default)]
struct PlanState {
    calls: u64,
    calls_of: BTreeMap<String, u64>,
    named: BTreeMap<(String, u64), HostFault>,
    sweep: Option<Sweep>,
    fired: Vec<(String, HostFault)>,
    exhausted: bool,
    entropy: Option<u64>,
}

/// The default seed of `random_get`.
const ENTROPY: u64 = 0x9e37_79b9_7f4a_7c15;

#[derive(Clone, Copy, Debug)]
struct Sweep {
    call: u64,
    choice: usize,
    reach: Reach,
}

impl FaultPlan {
    /// Makes the `nth` call (from 1) of `function`, such as `proxy_get_property`, fail with
    /// `fault`.
    pub fn fail(self, function: &str, nth: u64, fault: HostFault) -> FaultPlan {
        assert!(nth > 0, "calls are counted from 1");
        self.0
            .borrow_mut()
            .named
            .insert((function.to_owned(), nth), fault);
        self
    }

    /// Seeds `random_get`. The seed must not be 0.
    pub fn random(self, seed: u64) -> FaultPlan {
        assert!(seed > 0, "the generator returns only zeros for 0");
        self.0.borrow_mut().entropy = Some(seed);
        self
    }

    pub(crate) fn entropy(&self) -> u64 {
        self.0.borrow().entropy.unwrap_or(ENTROPY)
    }

    /// Makes host call `call` (from 1, of all functions that can fail) fail with fault number
    /// `choice` of its function.
    pub(crate) fn nth(call: u64, choice: usize, reach: Reach) -> FaultPlan {
        let sweep = Some(Sweep { call, choice, reach });
        FaultPlan(Rc::new(RefCell::new(PlanState {
            sweep,
            ..PlanState::default()
        })))
    }

    /// The faults that have happened, with their functions, in order.
    pub fn fired(&self) -> Vec<(String, HostFault)> {
        self.0.borrow().fired.clone()
    }

    /// Whether a sweep reached its call, but the function has no such fault.
    pub(crate) fn exhausted(&self) -> bool {
        self.0.borrow().exhausted
    }

    /// Counts a call and returns its fault, if any.
    pub(crate) fn next(&self, function: &str) -> Option<HostFault> {
        let mut state = self.0.borrow_mut();
        let count = state.calls_of.entry(function.to_owned()).or_default();
        *count += 1;
        let key = (function.to_owned(), *count);
        let mut fault = state.named.get(&key).cloned();
        if let Some(sweep) = state.sweep {
            let choices = faults(function, sweep.reach);
            if !choices.is_empty() {
                state.calls += 1;
                if state.calls == sweep.call {
                    state.exhausted = sweep.choice >= choices.len();
                    fault = choices.into_iter().nth(sweep.choice);
                }
            }
        }
        if let Some(fault) = &fault {
            state.fired.push((function.to_owned(), fault.clone()));
        }
        fault
    }
}

/// Every way in which `function` can fail. None for WASI and, within [`Reach::Envoy`], for logging
/// and the clock, which never fail in Envoy.
pub fn faults(function: &str, reach: Reach) -> Vec<HostFault> {
    use Status::*;
    let (statuses, bytes): (&[Status], &[&[u8]]) = match function {
        "proxy_get_header_map_value" => (&[NotFound], &[b"", b"\xff\xfe", b"\0"]),
        "proxy_get_header_map_pairs" => (&[], &[b"", GARBLED_PAIRS]),
        "proxy_get_buffer_bytes" => (&[NotFound], &[b""]),
        "proxy_set_buffer_bytes" => (&[BadArgument], &[]),
        "proxy_get_property" => (
            &[NotFound, SerializationFailure, InternalFailure],
            &[b"", b"\xff", b"garbage!"],
        ),
        "proxy_get_shared_data" => (&[NotFound], &[b"", b"\xff"]),
        "proxy_set_shared_data" => (&[CasMismatch], &[]),
        "proxy_record_metric" => (&[NotFound], &[]),
        "proxy_increment_metric" => (&[NotFound, BadArgument], &[]),
        "proxy_http_call" => (&[BadArgument, InternalFailure], &[]),
        _ => (&[], &[]),
    };
    let own = statuses.iter().map(|status| HostFault::Status(*status));
    let mut faults: Vec<HostFault> = own
        .chain(bytes.iter().map(|bytes| HostFault::Bytes(bytes.to_vec())))
        .collect();
    // The `proxy-wasm` crate panics on any other status of a call.
    let is_fixed = ["proxy_log", "proxy_http_call"].contains(&function);
    let beyond = reach == Reach::Hostile && function.starts_with("proxy_") && !is_fixed;
    for status in [
        NotFound,
        BadArgument,
        InvalidMemoryAccess,
        InternalFailure,
        Unimplemented,
    ] {
        let fault = HostFault::Status(status);
        if beyond && !faults.contains(&fault) {
            faults.push(fault);
        }
    }
    faults
}

/// A pair block of one header whose name and value are not UTF-8.
const GARBLED_PAIRS: &[u8] = b"\x01\0\0\0\x02\0\0\0\x02\0\0\0\xff\xfe\0\xfe\xff\0";

/// Runs `scenario` repeatedly: with host call 1 failing in each possible way, then call 2, 3 …
/// until a run ends before the planned call. `scenario` starts a VM with the plan and asserts what
/// must hold whichever call fails. Returns the number of runs with a fault.
pub fn sweep(reach: Reach, mut scenario: impl FnMut(FaultPlan)) -> usize {
    let mut runs = 0;
    for call in 1.. {
        for choice in 0.. {
            let plan = FaultPlan::nth(call, choice, reach);
            let report = SweepReport(plan.clone());
            scenario(plan);
            let fired = !report.0.fired().is_empty();
            if !fired && !report.0.exhausted() {
                return runs;
            }
            if !fired {
                break;
            }
            runs += 1;
        }
    }
    runs
}

/// Prints the fault of a scenario that panics.
struct SweepReport(FaultPlan);

impl Drop for SweepReport {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let call = self.0.0.borrow().sweep.map_or(0, |sweep| sweep.call);
            eprintln!("the sweep was at host call {call}: {:?}", self.0.fired());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_call_of_a_function_fails_and_no_other() {
        let fault = HostFault::Status(Status::NotFound);
        let plan = FaultPlan::default().fail("proxy_increment_metric", 2, fault.clone());
        assert_eq!(plan.next("proxy_increment_metric"), None);
        assert_eq!(plan.next("proxy_get_property"), None);
        assert_eq!(plan.next("proxy_increment_metric"), Some(fault.clone()));
        assert_eq!(plan.next("proxy_increment_metric"), None);
        assert_eq!(plan.fired(), [("proxy_increment_metric".to_owned(), fault)]);
    }

    #[test]
    fn a_sweep_visits_each_choice_of_each_call_once_and_ends() {
        let mut seen = Vec::new();
        let runs = sweep(Reach::Envoy, |plan| {
            plan.next("proxy_log");
            plan.next("proxy_set_shared_data");
            plan.next("proxy_increment_metric");
            seen.extend(plan.fired());
        });
        let statuses: Vec<_> = seen
            .iter()
            .map(|(function, fault)| (function.as_str(), fault.clone()))
            .collect();
        assert_eq!(
            statuses,
            [
                ("proxy_set_shared_data", HostFault::Status(Status::CasMismatch)),
                ("proxy_increment_metric", HostFault::Status(Status::NotFound)),
                ("proxy_increment_metric", HostFault::Status(Status::BadArgument)),
            ]
        );
        assert_eq!(runs, 3);
    }
}
