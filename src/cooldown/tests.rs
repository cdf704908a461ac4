//! Sequences of requests on several VMs, races, failing host calls, clock steps, and threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use FailureClass::{Authentication, BadRequest, ContentPolicy, InternalServer, RateLimit, Timeout};
use TargetState::{Cooling, ProbeDue, Ready};

use super::board::{Board, ENTRIES_MAX, FORGOTTEN_MILLISECONDS, PROBE_MILLISECONDS};
use super::cooldowns::COUNTED_TARGETS_MAX;
use super::counts::{SLOTS, WINDOWS_MAX, Windows};
use super::fake_store::FakeStore;
use super::*;
use crate::contract::names::{SHARED_COOLDOWNS, SHARED_FAILURES};
use crate::contract::routing::{CooldownSettings, FailureClass};
use crate::random::Random;
use crate::time::UnixTime;

const KEY: TargetKey = TargetKey(7);
const OTHER: TargetKey = TargetKey(8);
/// The default cooldown time.
const COOLDOWN: u64 = 5000;
/// Sizes in the shared values of counts.
const HEADER_BYTES: usize = 8;
const WINDOW_BYTES: usize = 32;
const PART_BYTES: usize = 24;

fn vm(store: &FakeStore) -> Cooldowns {
    let vm = Cooldowns::new(Box::new(store.clone()));
    vm.open();
    vm
}

fn at(milliseconds: u64) -> UnixTime {
    UnixTime::from_seconds(1_795_357_174).after_milliseconds(milliseconds)
}

fn failure(class: FailureClass) -> TargetFailure {
    let (status, is_unusable) = match class {
        BadRequest | ContentPolicy => (400, false),
        Authentication => (403, true),
        Timeout => (0, false),
        RateLimit => (429, false),
        InternalServer => (500, false),
    };
    TargetFailure {
        class,
        status,
        is_unusable,
        retry_after: None,
        is_counted: false,
    }
}

fn throttled(retry_after: u64) -> TargetFailure {
    TargetFailure {
        retry_after: Some(retry_after),
        is_counted: false,
        ..failure(RateLimit)
    }
}

fn allowing(allowed_fails: u32) -> CooldownSettings {
    CooldownSettings {
        allowed_fails: Some(allowed_fails),
        ..CooldownSettings::default()
    }
}

/// A request fails, in a group of several deployments and with LiteLLM's default settings.
fn fail(vm: &Cooldowns, class: FailureClass, time: u64) -> Option<Cooldown> {
    vm.failed(KEY, failure(class), &CooldownSettings::default(), false, at(time))
}

fn state(vm: &Cooldowns, time: u64) -> TargetState {
    vm.view().state(KEY, at(time))
}

fn cooling(until: u64) -> TargetState {
    Cooling { until: at(until) }
}

#[test]
fn a_throttled_deployment_cools_down_for_all_workers_and_for_its_time() {
    let store = FakeStore::default();
    let vms = [vm(&store), vm(&store)];
    assert!(vms[1].view().is_empty());
    let begun = fail(&vms[0], RateLimit, 0).unwrap();
    let expected = Cooldown {
        key: KEY,
        since: at(0),
        until: at(COOLDOWN),
        status: 429,
    };
    assert_eq!(begun, expected);
    for vm in &vms {
        assert_eq!(vm.view().entries().collect::<Vec<_>>(), [&expected]);
        assert_eq!(state(vm, 0), cooling(COOLDOWN));
        assert_eq!(state(vm, COOLDOWN - 1), cooling(COOLDOWN));
        assert_eq!(state(vm, COOLDOWN), ProbeDue);
        assert_eq!(vm.view().state(OTHER, at(0)), Ready);
    }
}

#[test]
fn the_retry_after_of_a_response_counts_if_it_is_at_most_a_minute() {
    for (retry_after, milliseconds) in [(0, COOLDOWN), (1, 1000), (60, 60_000), (61, COOLDOWN)] {
        let vm = vm(&FakeStore::default());
        let settings = CooldownSettings::default();
        let begun = vm.failed(KEY, throttled(retry_after), &settings, false, at(0));
        assert_eq!(begun.unwrap().until, at(milliseconds), "{retry_after}");
    }
}

#[test]
fn each_class_of_failures_has_its_rule() {
    // Whether the first failure, or only the fifth, begins a cooldown: in a group of several
    // deployments, and in one of its own.
    for (class, is_unusable, in_group, alone) in [
        (RateLimit, false, Some(1), None),
        (Authentication, true, Some(1), Some(1)),
        (BadRequest, true, Some(1), Some(1)),
        (Authentication, false, None, None),
        (Timeout, false, Some(5), None),
        (InternalServer, false, Some(5), None),
        (BadRequest, false, None, None),
        (ContentPolicy, false, None, None),
    ] {
        for (is_alone, expected) in [(false, in_group), (true, alone)] {
            let vm = vm(&FakeStore::default());
            let failure = TargetFailure {
                is_unusable,
                ..failure(class)
            };
            let settings = CooldownSettings::default();
            let first = (1..=100).find(|number| {
                let begun = vm.failed(KEY, failure, &settings, is_alone, at(*number));
                begun.is_some()
            });
            assert_eq!(first, expected, "{class:?} {is_unusable} {is_alone}");
        }
    }
}

#[test]
fn more_than_half_of_at_least_five_requests_of_a_minute_are_too_many_failures() {
    // Successes on each of two VMs, and which failure begins a cooldown.
    for (successes, expected) in [(0, 5), (1, 3), (2, 5), (3, 7), (10, 21)] {
        let store = FakeStore::default();
        let vms = [vm(&store), vm(&store)];
        for vm in &vms {
            for number in 0..successes {
                // If a client's request is refused, the deployment has done its part.
                match number % 2 {
                    0 => vm.succeeded(KEY, false, at(0)),
                    _ => assert_eq!(fail(vm, BadRequest, 0), None),
                }
            }
        }
        let first = (1..=100).find(|number| {
            let class = [Timeout, InternalServer][number % 2];
            fail(&vms[number % 2], class, 53_000).is_some()
        });
        assert_eq!(first, Some(expected), "{successes}");
    }
}

#[test]
fn failures_of_an_earlier_minute_do_not_count() {
    let vm = vm(&FakeStore::default());
    for _ in 0..4 {
        assert_eq!(fail(&vm, InternalServer, 0), None);
    }
    assert_eq!(fail(&vm, InternalServer, 60_000), None);
    for time in [60_001, 61_000, 65_000] {
        assert_eq!(fail(&vm, InternalServer, time), None);
    }
    assert!(fail(&vm, InternalServer, 114_000).is_some());
}

#[test]
fn the_count_begins_again_after_a_cooldown() {
    let vm = vm(&FakeStore::default());
    let cool = |time| (1..=100).find(|_| fail(&vm, InternalServer, time).is_some());
    assert_eq!(cool(0), Some(5));
    assert!(vm.begin_probe(KEY, at(COOLDOWN)));
    vm.succeeded(KEY, true, at(COOLDOWN));
    assert_eq!(cool(COOLDOWN + 1), Some(4), "and the probe has succeeded");
}

#[test]
fn requests_that_succeed_cost_no_host_call() {
    let store = FakeStore::default();
    let vm = vm(&store);
    fail(&vm, InternalServer, 0);
    fail(&vm, RateLimit, 0);
    let (calls, ()) = store.calls_of(|| {
        for time in 0..1000 {
            vm.succeeded(KEY, false, at(time));
        }
    });
    assert_eq!(calls, 0);
    assert_eq!(store.calls_of(|| vm.view()).0, 1);
}

#[test]
fn allowed_failures_are_counted_over_all_workers_also_without_another_deployment() {
    for allowed in [0, 1, 3, 100] {
        for is_alone in [false, true] {
            let store = FakeStore::default();
            let vms = [vm(&store), vm(&store)];
            let first = (1..=1000).find(|number| {
                let class = [RateLimit, Authentication, Timeout, InternalServer][number % 4];
                vms[0].failed(KEY, failure(BadRequest), &allowing(allowed), is_alone, at(0));
                let vm = &vms[number % 2];
                let begun = vm.failed(KEY, failure(class), &allowing(allowed), is_alone, at(4000));
                begun.is_some()
            });
            let expected = usize::try_from(allowed).unwrap() + 1;
            assert_eq!(first, Some(expected), "{allowed} {is_alone}");
        }
    }
}

#[test]
fn allowed_failures_are_those_within_the_cooldown_time() {
    let vm = vm(&FakeStore::default());
    let fail = |time| {
        vm.failed(KEY, failure(InternalServer), &allowing(2), false, at(time))
            .is_some()
    };
    // Never more than two within five seconds, until the last.
    let times = [0, 4000, 5000, 9000, 10_000, 14_500, 18_000];
    assert_eq!(times.map(fail), [false; 7]);
    assert_eq!([19_400, 19_400].map(fail), [true, false]);
}

#[test]
fn the_policy_of_a_class_counts_more_than_allowed_failures() {
    let settings = CooldownSettings {
        allowed_fails_policy: [(RateLimit, 2), (BadRequest, 1), (Timeout, 0)].into(),
        ..allowing(4)
    };
    let vm = vm(&FakeStore::default());
    let fails = |key, class| vm.failed(key, failure(class), &settings, true, at(0)).is_some();
    let count = |key, class| (1..=100).find(|_| fails(TargetKey(key), class));
    for class in [RateLimit, InternalServer, BadRequest] {
        assert!(!fails(KEY, class), "one of each, which are counted apart");
    }
    assert_eq!(count(1, RateLimit), Some(3));
    assert_eq!(count(2, BadRequest), Some(2));
    assert_eq!(count(3, Timeout), Some(1));
    assert_eq!(count(4, InternalServer), Some(5));
    assert_eq!(count(5, ContentPolicy), None);
    assert!(!fails(KEY, RateLimit));
    assert!(fails(KEY, BadRequest));
}

#[test]
fn a_class_without_a_policy_has_the_default_rule() {
    let settings = CooldownSettings {
        allowed_fails_policy: [(Timeout, 1)].into(),
        ..CooldownSettings::default()
    };
    let vm = vm(&FakeStore::default());
    assert!(
        vm.failed(KEY, failure(RateLimit), &settings, false, at(0))
            .is_some()
    );
    assert_eq!(vm.failed(OTHER, failure(Timeout), &settings, false, at(0)), None);
}

#[test]
fn nothing_cools_down_if_that_is_disabled_or_takes_no_time() {
    let disabled = CooldownSettings {
        disabled: true,
        ..allowing(0)
    };
    let no_time = CooldownSettings {
        milliseconds: 0,
        ..allowing(0)
    };
    let vm = vm(&FakeStore::default());
    for settings in [disabled, no_time] {
        assert_eq!(vm.failed(KEY, failure(RateLimit), &settings, false, at(0)), None);
        assert!(vm.view().is_empty());
    }
}

#[test]
fn a_failure_during_a_cooldown_extends_it_but_never_shortens_it() {
    let store = FakeStore::default();
    let vms = [vm(&store), vm(&store)];
    let settings = CooldownSettings::default();
    vms[0]
        .failed(KEY, throttled(10), &settings, false, at(0))
        .unwrap();
    for (failure, time, until) in [
        (throttled(1), 1000, 10_000),
        (failure(RateLimit), 9000, 10_000),
        (failure(Authentication), 9000, 10_000),
        (throttled(10), 900, 10_000),
        (throttled(10), 1000, 11_000),
        (throttled(60), 2000, 62_000),
        (failure(BadRequest), 2000, 62_000),
    ] {
        assert_eq!(vms[1].failed(KEY, failure, &settings, false, at(time)), None);
        assert_eq!(state(&vms[0], time), cooling(until), "{failure:?} at {time}");
    }
}

#[test]
fn after_a_cooldown_exactly_one_request_probes() {
    let store = FakeStore::default();
    let vms = [vm(&store), vm(&store)];
    assert!(!vms[0].begin_probe(KEY, at(0)), "nothing cools down");
    fail(&vms[0], RateLimit, 0);
    assert!(!vms[0].begin_probe(KEY, at(COOLDOWN - 1)), "it is not over");
    assert!(vms[1].begin_probe(KEY, at(COOLDOWN)));
    for vm in &vms {
        assert!(!vm.begin_probe(KEY, at(COOLDOWN)));
        assert_eq!(state(vm, COOLDOWN), cooling(COOLDOWN + PROBE_MILLISECONDS));
    }
    vms[1].succeeded(KEY, false, at(COOLDOWN));
    assert_ne!(state(&vms[0], COOLDOWN), Ready, "another request has succeeded");
    vms[1].succeeded(KEY, true, at(COOLDOWN));
    assert!(vms[0].view().is_empty());
}

#[test]
fn a_probe_that_fails_begins_a_cooldown_that_is_at_least_as_long() {
    for (class, is_alone) in [(RateLimit, false), (InternalServer, false), (Timeout, true)] {
        let vm = vm(&FakeStore::default());
        let settings = CooldownSettings::default();
        vm.failed(KEY, throttled(20), &settings, false, at(0)).unwrap();
        assert!(vm.begin_probe(KEY, at(20_000)));
        let again = vm.failed(KEY, failure(class), &settings, is_alone, at(21_000));
        assert_eq!(again.unwrap().until, at(41_000), "{class:?}");
        vm.succeeded(KEY, true, at(21_500));
        assert_eq!(state(&vm, 21_500), cooling(41_000), "the probe is older");
        assert!(vm.begin_probe(KEY, at(41_000)));
        let again = vm.failed(KEY, throttled(30), &settings, is_alone, at(42_000));
        assert_eq!(again.unwrap().until, at(72_000));
    }
}

#[test]
fn a_probe_that_is_refused_for_what_it_asks_ends_the_cooldown() {
    let vm = vm(&FakeStore::default());
    fail(&vm, RateLimit, 0);
    assert!(vm.begin_probe(KEY, at(COOLDOWN)));
    assert_eq!(fail(&vm, BadRequest, COOLDOWN), None);
    assert!(vm.view().is_empty());
}

#[test]
fn a_probe_without_a_result_is_repeated() {
    let vm = vm(&FakeStore::default());
    fail(&vm, RateLimit, 0);
    assert!(vm.begin_probe(KEY, at(COOLDOWN)));
    let repeated = COOLDOWN + PROBE_MILLISECONDS;
    assert!(!vm.begin_probe(KEY, at(repeated - 1)));
    assert_eq!(state(&vm, repeated), ProbeDue);
    assert!(vm.begin_probe(KEY, at(repeated)));
    assert!(!vm.begin_probe(KEY, at(repeated)));
}

#[test]
fn a_cooldown_that_nobody_probes_is_forgotten() {
    let vm = vm(&FakeStore::default());
    fail(&vm, RateLimit, 0);
    let forgotten = COOLDOWN + FORGOTTEN_MILLISECONDS;
    assert_eq!(state(&vm, forgotten - 1), ProbeDue);
    assert_eq!(state(&vm, forgotten), Ready);
    assert!(!vm.begin_probe(KEY, at(forgotten)));
    vm.failed(
        OTHER,
        failure(RateLimit),
        &CooldownSettings::default(),
        false,
        at(forgotten),
    );
    let keys: Vec<_> = vm.view().entries().map(|entry| entry.key).collect();
    assert_eq!(keys, [OTHER]);
}

#[test]
fn a_clock_that_is_set_back_ends_cooldowns_and_probes() {
    const HOUR: u64 = 3_600_000;
    let vm = vm(&FakeStore::default());
    fail(&vm, RateLimit, HOUR);
    // Clocks of workers may differ a little.
    assert_eq!(state(&vm, HOUR - 1000), cooling(HOUR + COOLDOWN));
    assert_eq!(state(&vm, HOUR - 1001), ProbeDue);
    assert!(vm.begin_probe(KEY, at(HOUR + COOLDOWN)));
    assert!(vm.begin_probe(KEY, at(0)));
    assert!(!vm.begin_probe(KEY, at(0)));
    let again = fail(&vm, RateLimit, 1).unwrap();
    assert_eq!((again.since, again.until), (at(1), at(1 + COOLDOWN)));
    // Failures that seem to come later do not count.
    for _ in 0..4 {
        vm.failed(
            OTHER,
            failure(Timeout),
            &CooldownSettings::default(),
            false,
            at(HOUR),
        );
    }
    let begun = vm.failed(
        OTHER,
        failure(Timeout),
        &CooldownSettings::default(),
        false,
        at(2),
    );
    assert_eq!(begun, None);
}

#[test]
fn of_two_failures_at_once_one_begins_the_cooldown() {
    let store = FakeStore::default();
    let vm1 = vm(&store);
    let theirs = Arc::new(AtomicUsize::default());
    let (other, begun) = (store.clone(), Arc::clone(&theirs));
    store.interrupt_next_write(move || {
        begun.store(
            usize::from(fail(&vm(&other), RateLimit, 0).is_some()),
            Ordering::Relaxed,
        );
    });
    assert_eq!(fail(&vm1, RateLimit, 0), None);
    assert_eq!(theirs.load(Ordering::Relaxed), 1);
    assert_eq!(vm1.view().entries().count(), 1);
}

#[test]
fn failures_that_are_counted_at_once_are_all_counted() {
    let store = FakeStore::default();
    let vm1 = vm(&store);
    vm1.failed(KEY, failure(Timeout), &allowing(2), false, at(0));
    let other = store.clone();
    store.interrupt_next_write(move || {
        vm(&other).failed(KEY, failure(Timeout), &allowing(2), false, at(0));
    });
    assert!(
        vm1.failed(KEY, failure(Timeout), &allowing(2), false, at(0))
            .is_some()
    );
}

#[test]
fn a_probe_that_another_vm_begins_first_is_not_begun() {
    let store = FakeStore::default();
    let vm1 = vm(&store);
    fail(&vm1, RateLimit, 0);
    let (other, theirs) = (store.clone(), Arc::new(AtomicUsize::default()));
    let begun = Arc::clone(&theirs);
    store.interrupt_next_write(move || {
        begun.store(
            usize::from(vm(&other).begin_probe(KEY, at(COOLDOWN))),
            Ordering::Relaxed,
        );
    });
    assert!(!vm1.begin_probe(KEY, at(COOLDOWN)));
    assert_eq!(theirs.load(Ordering::Relaxed), 1);
}

#[test]
fn of_threads_that_probe_at_once_one_does() {
    for _ in 0..100 {
        let store = FakeStore::default();
        fail(&vm(&store), RateLimit, 0);
        let barrier = Barrier::new(4);
        let begun = AtomicUsize::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let vm = vm(&store);
                    barrier.wait();
                    begun.fetch_add(usize::from(vm.begin_probe(KEY, at(COOLDOWN))), Ordering::Relaxed);
                });
            }
        });
        assert_eq!(begun.load(Ordering::Relaxed), 1);
    }
}

/// What should be known about a target, as a simple model.
#[derive(Clone, Copy, Debug, Default)]
struct ExpectedCooldown {
    until: u64,
    probe: Option<u64>,
}

#[test]
fn in_random_sequences_no_request_goes_to_a_cooling_deployment_but_one_probe() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let store = FakeStore::default();
        let vms = [vm(&store), vm(&store), vm(&store)];
        let mut models = [None::<ExpectedCooldown>; 3];
        let mut time = 0;
        for _ in 0..300 {
            time += random.below(3000);
            let index = usize::try_from(random.below(3)).unwrap();
            let key = TargetKey(random.below(3));
            let model = &mut models[usize::try_from(key.0).unwrap()];
            let vm = &vms[index];
            let expected = match *model {
                None => Ready,
                Some(ExpectedCooldown { until, .. }) if time < until => cooling(until),
                Some(ExpectedCooldown {
                    probe: Some(start), ..
                }) if time < start + PROBE_MILLISECONDS => cooling(start + PROBE_MILLISECONDS),
                Some(_) => ProbeDue,
            };
            assert_eq!(vm.view().state(key, at(time)), expected, "seed {seed}");
            let may_probe = expected == ProbeDue;
            match random.below(4) {
                0 | 1 => {
                    assert_eq!(vm.begin_probe(key, at(time)), may_probe, "seed {seed}");
                    if let Some(model) = model.as_mut().filter(|_| may_probe) {
                        model.probe = Some(time);
                    }
                }
                2 => {
                    let settings = CooldownSettings::default();
                    let begun = vm.failed(key, failure(RateLimit), &settings, false, at(time));
                    let cools = model.is_some_and(|model| time < model.until);
                    assert_eq!(begun.is_some(), !cools, "seed {seed}");
                    if !cools {
                        *model = Some(ExpectedCooldown {
                            until: time + COOLDOWN,
                            probe: None,
                        });
                    }
                }
                _ => {
                    let is_probe = random.below(2) == 0;
                    vm.succeeded(key, is_probe, at(time));
                    *model = model.filter(|model| !is_probe || time < model.until);
                }
            }
        }
    }
}

#[test]
fn nothing_cools_down_while_shared_data_fails() {
    let store = FakeStore::default();
    let vm = vm(&store);
    store.fails_writes.store(true, Ordering::Relaxed);
    assert_eq!(fail(&vm, RateLimit, 0), None);
    assert_eq!(state(&vm, 0), Ready);
    store.fails_writes.store(false, Ordering::Relaxed);
    fail(&vm, RateLimit, 0).unwrap();
    store.fails_reads.store(true, Ordering::Relaxed);
    assert!(vm.view().is_empty());
    assert_eq!(fail(&vm, RateLimit, 0), None);
    assert!(!vm.begin_probe(KEY, at(COOLDOWN)));
    vm.succeeded(KEY, true, at(COOLDOWN));
    store.fails_reads.store(false, Ordering::Relaxed);
    assert_eq!(state(&vm, 0), cooling(COOLDOWN));
}

#[test]
fn requests_are_not_lost_if_their_count_cannot_be_written() {
    let store = FakeStore::default();
    let vm = vm(&store);
    for _ in 0..10 {
        vm.succeeded(KEY, false, at(0));
    }
    store.fails_writes.store(true, Ordering::Relaxed);
    fail(&vm, Timeout, 0);
    store.fails_writes.store(false, Ordering::Relaxed);
    assert_eq!((1..=100).find(|_| fail(&vm, Timeout, 0).is_some()), Some(11));
}

#[test]
fn after_any_failing_host_call_the_deployment_recovers() {
    let run = |vm: &Cooldowns| {
        for _ in 0..5 {
            fail(vm, InternalServer, 0);
        }
        fail(vm, RateLimit, 0);
        vm.begin_probe(KEY, at(COOLDOWN));
        vm.succeeded(KEY, true, at(COOLDOWN));
    };
    let store = FakeStore::default();
    let healthy = vm(&store);
    let (calls, ()) = store.calls_of(|| run(&healthy));
    assert!(healthy.view().is_empty());
    for others in 0..calls {
        let store = FakeStore::default();
        let vm = vm(&store);
        store.fail_call_after(others);
        run(&vm);
        let later = COOLDOWN + PROBE_MILLISECONDS;
        let left = state(&vm, later);
        assert!(matches!(left, Ready | ProbeDue), "call {others}: {left:?}");
        assert_eq!(vm.begin_probe(KEY, at(later)), left == ProbeDue);
        vm.succeeded(KEY, true, at(later));
        assert!(vm.view().is_empty(), "call {others}");
    }
}

#[test]
fn malformed_values_cool_nothing_down() {
    let store = FakeStore::default();
    let vm = vm(&store);
    fail(&vm, RateLimit, 0).unwrap();
    let board = store.value(SHARED_COOLDOWNS);
    for bytes in [
        &board[..board.len() - 1],
        &board[..7],
        &[&board[..], b"x"].concat(),
        b"cooldn-2",
        b"",
    ] {
        store.set_value(SHARED_COOLDOWNS, bytes);
        assert!(vm.view().is_empty());
        assert_eq!(fail(&vm, RateLimit, 0), None);
        assert!(!vm.begin_probe(KEY, at(COOLDOWN)));
    }
    let mut status = board.clone();
    *status.last_mut().unwrap() = 1;
    assert_eq!(Board::parse(&status), None, "a status of more than 16 bits");
    store.set_value(SHARED_COOLDOWNS, &Board::default().serialize());
    for slot in 0..SLOTS {
        store.set_value(&format!("{SHARED_FAILURES}{slot}"), b"counts-0");
    }
    assert_eq!((0..100).find_map(|_| fail(&vm, Timeout, 0)), None);
}

#[test]
fn counts_are_read_as_they_were_written_and_no_part_of_them_is() {
    let store = FakeStore::default();
    let vm = vm(&store);
    for time in [0, 10_000, 20_000] {
        fail(&vm, Timeout, time);
    }
    vm.failed(KEY, failure(Timeout), &allowing(2), false, at(20_000));
    let bytes = store.value(&format!("{SHARED_FAILURES}7"));
    assert_eq!(Windows::parse(&bytes).unwrap().serialize(), bytes);
    // The first window ends here, so this is a value of its own.
    let first = HEADER_BYTES + WINDOW_BYTES + 3 * PART_BYTES;
    for length in 0..bytes.len() {
        let is_whole = length == HEADER_BYTES || length == first;
        assert_eq!(Windows::parse(&bytes[..length]).is_some(), is_whole, "{length}");
    }
    let mut endless = bytes.clone();
    endless[HEADER_BYTES + 24..HEADER_BYTES + 32].fill(0xFF);
    assert_eq!(Windows::parse(&endless), None);
}

#[test]
fn a_full_board_keeps_the_cooldowns_that_end_last() {
    let vm = vm(&FakeStore::default());
    let entries = u64::try_from(ENTRIES_MAX).unwrap();
    for number in 0..=entries {
        let key = TargetKey(number);
        let settings = CooldownSettings::default();
        vm.failed(key, failure(RateLimit), &settings, false, at(number))
            .unwrap();
        let expected = number.min(entries - 1) + 1;
        assert_eq!(vm.view().entries().count(), usize::try_from(expected).unwrap());
    }
    assert_eq!(vm.view().state(TargetKey(0), at(entries)), Ready);
    assert_eq!(vm.view().state(TargetKey(1), at(entries)), cooling(1 + COOLDOWN));
}

#[test]
fn the_counts_of_many_targets_are_bounded() {
    let store = FakeStore::default();
    let vm = vm(&store);
    let slots = usize::try_from(SLOTS).unwrap();
    for number in 0..3000 {
        let key = TargetKey(number);
        vm.succeeded(key, false, at(0));
        let settings = CooldownSettings::default();
        vm.failed(key, failure(Timeout), &settings, false, at(0));
        vm.succeeded(key, false, at(0));
    }
    assert_eq!(vm.requests.borrow().len(), COUNTED_TARGETS_MAX);
    let longest = HEADER_BYTES + WINDOWS_MAX * (WINDOW_BYTES + PART_BYTES);
    assert_eq!(store.size(), (slots + 1, longest));
    // An hour later, all are dropped.
    let key = TargetKey(3008);
    vm.succeeded(key, false, at(3_600_000));
    assert_eq!(vm.requests.borrow().len(), 1);
    vm.failed(
        key,
        failure(Timeout),
        &CooldownSettings::default(),
        false,
        at(3_600_000),
    );
    let value = store.value(&format!("{SHARED_FAILURES}0"));
    assert_eq!(value.len(), HEADER_BYTES + WINDOW_BYTES + PART_BYTES);
}
