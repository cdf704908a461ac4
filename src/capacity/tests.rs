//! Sequences of requests, traps, failing host calls and clock steps on several VMs, and threads.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use super::ledger::Ledger;
use super::*;
use crate::random::Random;
use crate::records::metrics::{MetricKind, Registry};
use crate::time::UnixTime;

type Value = Option<(Vec<u8>, u32)>;

/// Shared data, some of whose calls fail.
#[derive(Clone, Default)]
struct Store {
    value: Arc<Mutex<Value>>,
    fails_reads: Rc<Cell<bool>>,
    fails_writes: Rc<Cell<bool>>,
    calls: Rc<Cell<usize>>,
}

impl SharedStore for Store {
    fn read(&self, _: &str) -> Result<Value, StoreError> {
        self.calls.set(self.calls.get() + 1);
        if self.fails_reads.get() {
            return Err(StoreError);
        }
        Ok(self.value.lock().unwrap().clone())
    }

    fn write(&self, _: &str, value: &[u8], number: u32) -> bool {
        self.calls.set(self.calls.get() + 1);
        let mut current = self.value.lock().unwrap();
        let before = current.as_ref().map_or(0, |(_, number)| *number);
        let succeeds = !self.fails_writes.get() && (number == 0 || number == before);
        if succeeds {
            *current = Some((value.to_vec(), before + 1));
        }
        succeeds
    }
}

impl Store {
    fn total(&self) -> Amounts {
        let value = self.value.lock().unwrap();
        Ledger::parse(&value.as_ref().unwrap().0).unwrap().total()
    }
}

/// Stats that nobody reads.
struct NoStats;

impl Registry for NoStats {
    fn define(&self, _: MetricKind, _: &str) -> Option<u32> {
        None
    }

    fn add(&self, _: u32, _: u64) {}

    fn record(&self, _: u32, _: u64) {}
}

fn vm(id: u64, store: &Store) -> Rc<Capacity> {
    let capacity = Capacity::new(id, Box::new(store.clone()));
    capacity.open();
    Rc::new(capacity)
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_seconds(1_000_000 + seconds)
}

fn reserve(capacity: &Rc<Capacity>, limit: u64, bytes: u64) -> Result<Reservation, CapacityError> {
    let mut reservation = Reservation::new(Rc::clone(capacity), limit);
    reservation.grow_to(bytes).map(|()| reservation)
}

const NONE: Amounts = Amounts {
    requests: 0,
    bytes: 0,
    grants: 0,
};

#[test]
fn exactly_the_limit_of_requests_is_admitted_over_all_vms() {
    for limit in [1, 2, 3, 64] {
        let store = Store::default();
        let vms = [vm(1, &store), vm(2, &store), vm(3, &store)];
        let turns = || vms.iter().cycle();
        let mut permits: Vec<_> = turns()
            .take(usize::try_from(limit).unwrap())
            .map(|vm| Permit::take(vm, limit).unwrap())
            .collect();
        for vm in &vms {
            assert_eq!(Permit::take(vm, limit).unwrap_err(), CapacityError::Exhausted);
        }
        permits.pop();
        permits.push(Permit::take(&vms[0], limit).unwrap());
        assert_eq!(
            Permit::take(&vms[1], limit).unwrap_err(),
            CapacityError::Exhausted
        );
        assert_eq!(store.total().requests, limit);
        drop(permits);
        assert_eq!(store.total(), NONE);
    }
}

#[test]
fn bytes_are_reserved_up_to_the_limit_and_returned() {
    for limit in [1, 1000, BLOCK_BYTES, 5 * BLOCK_BYTES + 7] {
        let store = Store::default();
        let vm = vm(1, &store);
        assert!(reserve(&vm, limit, limit - 1).is_ok(), "{limit}");
        let whole = reserve(&vm, limit, limit).unwrap();
        assert_eq!(reserve(&vm, limit, 1).unwrap_err(), CapacityError::Exhausted);
        assert!(reserve(&vm, limit, 0).is_ok(), "an empty body always fits");
        drop(whole);
        assert_eq!(
            reserve(&vm, limit, limit + 1).unwrap_err(),
            CapacityError::Exhausted
        );
        let mut growing = reserve(&vm, limit, 0).unwrap();
        for bytes in [limit - 1, limit - 1, limit, 0] {
            growing.grow_to(bytes).unwrap();
        }
        assert_eq!(growing.grow_to(limit + 1), Err(CapacityError::Exhausted));
        growing.grow_to(limit).unwrap();
        drop(growing);
        assert!(!vm.tick(at(1), &NoStats));
        assert_eq!(store.total(), NONE);
    }
}

#[test]
fn another_vm_sets_aside_less_than_two_blocks() {
    let (store, limit) = (Store::default(), 64 * BLOCK_BYTES);
    let (one, other) = (vm(1, &store), vm(2, &store));
    let small = reserve(&other, limit, 1).unwrap();
    drop(reserve(&other, limit, 30 * BLOCK_BYTES).unwrap());
    assert!(store.total().bytes < 2 * BLOCK_BYTES + 1, "{:?}", store.total());
    assert!(reserve(&one, limit, limit - 2 * BLOCK_BYTES).is_ok());
    drop(small);
    assert!(other.tick(at(1), &NoStats), "the first VM has a block");
    assert!(reserve(&one, limit, limit).is_ok());
}

#[test]
fn small_bodies_do_not_touch_the_ledger() {
    let store = Store::default();
    let vm = vm(1, &store);
    drop(reserve(&vm, 512 * BLOCK_BYTES, 1024).unwrap());
    let before = store.calls.get();
    for _ in 0..1000 {
        drop(reserve(&vm, 512 * BLOCK_BYTES, 1024).unwrap());
    }
    assert_eq!(store.calls.get(), before);
}

#[test]
fn what_a_trapped_vm_held_is_free_after_some_ticks_of_another() {
    let (store, limit) = (Store::default(), 10 * BLOCK_BYTES);
    let (dead, alive) = (vm(1, &store), vm(2, &store));
    std::mem::forget(Permit::take(&dead, 2).unwrap());
    std::mem::forget(reserve(&dead, limit, limit).unwrap());
    let _permit = Permit::take(&alive, 2).unwrap();
    for second in 0..u64::from(STALE_TICKS) {
        assert!(alive.tick(at(second), &NoStats));
        assert_eq!(Permit::take(&alive, 2).unwrap_err(), CapacityError::Exhausted);
    }
    assert!(alive.tick(at(u64::from(STALE_TICKS)), &NoStats));
    assert!(Permit::take(&alive, 2).is_ok());
    assert!(reserve(&alive, limit, limit).is_ok());
}

#[test]
fn a_vm_that_renews_its_entry_keeps_it() {
    let store = Store::default();
    let (one, other) = (vm(1, &store), vm(2, &store));
    let _permits = [Permit::take(&one, 2).unwrap(), Permit::take(&other, 2).unwrap()];
    for second in 0..1000 {
        assert!(one.tick(at(second), &NoStats) && other.tick(at(second), &NoStats));
        assert_eq!(store.total().requests, 2);
    }
}

#[test]
fn a_clock_that_jumps_neither_frees_nor_blocks_anything() {
    let store = Store::default();
    let (one, other) = (vm(1, &store), vm(2, &store));
    let permits = [Permit::take(&one, 2).unwrap(), Permit::take(&other, 2).unwrap()];
    for (second, jump) in
        (0..).zip([0, 1_000_000_000, 5, u64::MAX / 2_000_000_000, 0, 0, 1_000_000].repeat(20))
    {
        assert!(one.tick(at(second + jump), &NoStats) && other.tick(at(second), &NoStats));
        assert_eq!(store.total().requests, 2);
    }
    drop(permits);
    assert_eq!(store.total().requests, 0);
    assert!(!one.tick(at(3), &NoStats));
}

#[test]
fn frequent_ticks_do_not_age_others_faster() {
    let store = Store::default();
    let (one, other) = (vm(1, &store), vm(2, &store));
    let _permits = [Permit::take(&one, 2).unwrap(), Permit::take(&other, 2).unwrap()];
    for tenth in 0..100 {
        assert!(one.tick(UnixTime::from_nanoseconds(tenth * 90_000_000), &NoStats));
    }
    assert_eq!(store.total().requests, 2);
}

#[test]
fn an_entry_that_was_dropped_by_mistake_is_written_again() {
    let store = Store::default();
    let (blocked, alive) = (vm(1, &store), vm(2, &store));
    let permit = Permit::take(&blocked, 1).unwrap();
    for second in 0..=u64::from(STALE_TICKS) {
        alive.tick(at(second), &NoStats);
    }
    assert_eq!(store.total().requests, 0);
    assert!(blocked.tick(at(20), &NoStats));
    assert_eq!(Permit::take(&alive, 1).unwrap_err(), CapacityError::Exhausted);
    drop(permit);
    assert!(Permit::take(&alive, 1).is_ok());
}

#[test]
fn nothing_is_admitted_that_cannot_be_counted() {
    for is_read in [true, false] {
        let store = Store::default();
        let vm = vm(1, &store);
        let held = reserve(&vm, 8 * BLOCK_BYTES, 1).unwrap();
        let fails = if is_read {
            &store.fails_reads
        } else {
            &store.fails_writes
        };
        fails.set(true);
        assert_eq!(Permit::take(&vm, 9).unwrap_err(), CapacityError::Uncountable);
        let more = reserve(&vm, 8 * BLOCK_BYTES, BLOCK_BYTES);
        assert_eq!(more.unwrap_err(), CapacityError::Uncountable);
        assert!(reserve(&vm, 8 * BLOCK_BYTES, 1).is_ok(), "leased before");
        assert!(vm.tick(at(1), &NoStats), "the timer keeps trying");
        fails.set(false);
        drop(held);
        assert!(!vm.tick(at(2), &NoStats));
        assert_eq!(store.total(), NONE);
    }
}

#[test]
fn a_return_that_fails_is_made_up_for() {
    let store = Store::default();
    let vm = vm(1, &store);
    let permits = [Permit::take(&vm, 2).unwrap(), Permit::take(&vm, 2).unwrap()];
    store.fails_writes.set(true);
    drop(permits);
    store.fails_writes.set(false);
    assert_eq!(store.total().requests, 2);
    let permit = Permit::take(&vm, 2).unwrap();
    assert_eq!(store.total().requests, 1);
    store.fails_reads.set(true);
    drop(permit);
    store.fails_reads.set(false);
    assert!(!vm.tick(at(1), &NoStats));
    assert_eq!(store.total(), NONE);
}

#[test]
fn a_malformed_ledger_admits_nothing() {
    for value in [&b""[..], b"capacity1", b"Capacity", b"capacit"] {
        let store = Store::default();
        let vm = vm(1, &store);
        *store.value.lock().unwrap() = Some((value.to_vec(), 7));
        assert_eq!(
            Permit::take(&vm, 1).unwrap_err(),
            CapacityError::Uncountable,
            "{value:?}"
        );
    }
}

/// What one VM of a random sequence holds.
struct Worker {
    vm: Rc<Capacity>,
    permits: Vec<Permit>,
    bodies: Vec<(Reservation, u64)>,
}

#[test]
fn no_sequence_of_requests_and_traps_leaks_or_admits_too_much() {
    const REQUESTS: u64 = 5;
    const BYTES: u64 = 9 * BLOCK_BYTES;
    for seed in 0..20 {
        let (store, mut random) = (Store::default(), Random::new(seed));
        let mut ids = 10..;
        let mut worker = || Worker {
            vm: vm(ids.next().unwrap(), &store),
            permits: Vec::new(),
            bodies: Vec::new(),
        };
        let mut workers = [worker(), worker(), worker()];
        let mut seconds = 0;
        for _ in 0..300 {
            let chosen = usize::try_from(random.below(3)).unwrap();
            let Worker { vm, permits, bodies } = &mut workers[chosen];
            match random.below(12) {
                0..=2 => permits.extend(Permit::take(vm, REQUESTS)),
                3..=4 => drop(permits.pop()),
                5..=6 => {
                    let bytes = random.below(4 * BLOCK_BYTES);
                    bodies.extend(reserve(vm, BYTES, bytes).map(|body| (body, bytes)));
                }
                7 => drop(bodies.pop()),
                8 => {
                    if let Some((body, bytes)) = bodies.last_mut() {
                        let more = *bytes + random.below(BLOCK_BYTES);
                        if body.grow_to(more).is_ok() {
                            *bytes = more;
                        }
                    }
                }
                9 if random.below(10) == 0 => {
                    std::mem::forget(std::mem::replace(&mut workers[chosen], worker()));
                }
                10 => store.fails_writes.set(random.below(4) == 0),
                _ => {
                    seconds += 1;
                    for Worker { vm, .. } in &workers {
                        vm.tick(at(seconds), &NoStats);
                    }
                }
            }
            let requests: usize = workers.iter().map(|worker| worker.permits.len()).sum();
            let bodies = workers.iter().flat_map(|worker| &worker.bodies);
            let bytes: u64 = bodies.map(|(_, bytes)| bytes).sum();
            let requests = u64::try_from(requests).unwrap();
            assert!(
                requests <= REQUESTS && bytes <= BYTES,
                "seed {seed}: {requests}, {bytes}"
            );
            let counted = store.total();
            assert!(
                counted.requests >= requests && counted.bytes >= bytes,
                "seed {seed}"
            );
        }
        store.fails_writes.set(false);
        let vms = workers.map(|worker| worker.vm);
        for _ in 0..=STALE_TICKS + 1 {
            seconds += 1;
            for vm in &vms {
                vm.tick(at(seconds), &NoStats);
            }
        }
        assert_eq!(store.total(), NONE, "seed {seed}");
    }
}

#[test]
fn threads_never_exceed_the_limit_and_reach_it() {
    const THREADS: u64 = 8;
    const LIMIT: u64 = 20;
    let value: Arc<Mutex<Value>> = Arc::default();
    let first = Store {
        value: Arc::clone(&value),
        ..Store::default()
    };
    vm(99, &first);
    let (inside, most, barrier) = (AtomicU64::new(0), AtomicU64::new(0), Barrier::new(8));
    std::thread::scope(|scope| {
        for id in 0..THREADS {
            let (value, inside, most, barrier) = (Arc::clone(&value), &inside, &most, &barrier);
            scope.spawn(move || {
                let vm = vm(
                    id,
                    &Store {
                        value,
                        ..Store::default()
                    },
                );
                for _ in 0..50 {
                    // Eight at a time for twenty places.
                    let permits: Vec<_> = (0..8).filter_map(|_| Permit::take(&vm, LIMIT).ok()).collect();
                    let count = u64::try_from(permits.len()).unwrap();
                    let now = inside.fetch_add(count, Ordering::SeqCst) + count;
                    most.fetch_max(now, Ordering::SeqCst);
                    barrier.wait();
                    assert_eq!(inside.load(Ordering::SeqCst), LIMIT);
                    barrier.wait();
                    inside.fetch_sub(count, Ordering::SeqCst);
                    drop(permits);
                    barrier.wait();
                }
            });
        }
    });
    assert_eq!((most.into_inner(), first.total()), (LIMIT, NONE));
}
