//! Sequences of requests on several VMs against a simple model, failing host calls, and threads.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use super::*;
use crate::capacity::{Capacity, SharedStore, StoreError};
use crate::contract::keys::{BudgetSettings, OpeningSettings};
use crate::pricing::PicoUsd;
use crate::random::Random;
use crate::time::UnixTime;

type Values = BTreeMap<String, (Vec<u8>, u32)>;

/// Shared data, some of whose calls fail.
#[derive(Clone, Default)]
struct SharedValues {
    values: Arc<Mutex<Values>>,
    fails: Rc<Cell<bool>>,
}

impl SharedStore for SharedValues {
    fn read(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, StoreError> {
        if self.fails.get() {
            return Err(StoreError);
        }
        Ok(self.values.lock().unwrap().get(key).cloned())
    }

    fn write(&self, key: &str, value: &[u8], number: u32) -> bool {
        let mut values = self.values.lock().unwrap();
        let before = values.get(key).map_or(0, |(_, number)| *number);
        let succeeds = !self.fails.get() && (number == 0 || number == before);
        if succeeds {
            values.insert(key.to_owned(), (value.to_vec(), before + 1));
        }
        succeeds
    }
}

fn limiter(vm: u64, store: &SharedValues) -> Rc<Limiter> {
    let capacity = Rc::new(Capacity::new(vm, Box::new(store.clone())));
    capacity.open();
    Rc::new(Limiter::new(capacity, Box::new(store.clone())))
}

fn subject(limits: Limits) -> Vec<Rc<LimitSubject>> {
    vec![Rc::new(LimitSubject::new(Holder::Key("88dc".into()), limits))]
}

fn at(milliseconds: u64) -> UnixTime {
    UnixTime::from_seconds(1_795_357_174).after_milliseconds(milliseconds)
}

fn usd(text: &str) -> PicoUsd {
    PicoUsd::parse(text).unwrap().amount
}

fn used(tokens: u64, spend: &str) -> Amount {
    Amount {
        tokens,
        spend: usd(spend),
    }
}

fn limit_of(error: GrantError) -> ExceededLimit {
    match error {
        GrantError::Exceeded(exceeded) => exceeded.limit,
        GrantError::Uncountable => panic!("uncountable"),
    }
}

#[test]
fn exactly_the_limit_of_requests_is_admitted_in_a_minute_over_all_vms() {
    let store = SharedValues::default();
    let vms = [limiter(1, &store), limiter(2, &store)];
    let subjects = subject(Limits {
        requests: Some(3),
        ..Limits::default()
    });
    vms[0].open(subjects.iter().map(|subject| &**subject));
    let take = |vm: usize, time: u64| {
        let grant = Grant::take(&vms[vm], &subjects, at(time))?;
        grant.dispatch();
        grant.settle(Amount::default, at(time));
        Ok::<_, GrantError>(())
    };
    for (vm, time) in [(0, 0), (1, 30_000), (0, 59_999)] {
        take(vm, time).unwrap();
    }
    let limit = limit_of(take(1, 59_999).unwrap_err());
    let resets = at(60_000);
    assert_eq!(limit, ExceededLimit::Requests { limit: 3, resets });
    take(1, 60_000).unwrap();
    // A clock that is set back does not refill, and does not lock the key for long either.
    take(0, 10_000).unwrap();
    take(0, 10_000).unwrap();
    assert!(take(0, 10_000).is_err());
    assert!(take(0, 69_999).is_err());
    take(0, 70_000).unwrap();
}

#[test]
fn a_request_that_was_not_served_is_not_counted() {
    let store = SharedValues::default();
    let vm = limiter(1, &store);
    let subjects = subject(Limits {
        requests: Some(1),
        parallel: Some(1),
        ..Limits::default()
    });
    for _ in 0..3 {
        let grant = Grant::take(&vm, &subjects, at(0)).unwrap();
        let second = Grant::take(&vm, &subjects, at(0)).unwrap_err();
        assert_eq!(limit_of(second), ExceededLimit::Parallel { limit: 1 });
        drop(grant);
    }
    let grant = Grant::take(&vm, &subjects, at(0)).unwrap();
    grant.dispatch();
    drop(grant);
    assert!(
        Grant::take(&vm, &subjects, at(0)).is_err(),
        "it has gone upstream"
    );
    assert_eq!(vm.standing(&subjects[0], at(0)).unwrap().parallel, 0);
}

#[test]
fn what_a_refused_request_has_taken_of_other_limits_is_returned() {
    let store = SharedValues::default();
    let vm = limiter(1, &store);
    let limits = |requests| Limits {
        requests: Some(requests),
        ..Limits::default()
    };
    let key = Rc::new(LimitSubject::new(Holder::Key("88dc".into()), limits(2)));
    let team = Rc::new(LimitSubject::new(Holder::Team("red".into()), limits(1)));
    let both = [Rc::clone(&key), Rc::clone(&team)];
    let first = Grant::take(&vm, &both, at(0)).unwrap();
    first.dispatch();
    let Err(GrantError::Exceeded(exceeded)) = Grant::take(&vm, &both, at(0)) else {
        panic!("admitted");
    };
    assert_eq!(exceeded.holder, Holder::Team("red".into()));
    assert_eq!(vm.standing(&key, at(0)).unwrap().requests, 1);
}

#[test]
fn parallel_requests_cannot_exceed_a_budget_by_more_than_the_last_reservation() {
    let store = SharedValues::default();
    let vms = [limiter(1, &store), limiter(2, &store)];
    let budget = BudgetSettings {
        max_budget: Some(usd("1")),
        ..BudgetSettings::default()
    };
    let subjects = subject(Limits {
        budget: Some(Box::new(budget)),
        ..Limits::default()
    });
    let mut running = Vec::new();
    for vm in vms.iter().cycle().take(20) {
        let grant = Grant::take(vm, &subjects, at(0)).and_then(|grant| {
            grant.reserve(used(0, "0.3"), at(0))?;
            Ok(grant)
        });
        running.extend(grant);
    }
    assert_eq!(running.len(), 4, "1.2 of 1 USD are reserved");
    for grant in &running {
        grant.dispatch();
        grant.settle(|| used(5, "0.1"), at(1));
    }
    let standing = vms[0].standing(&subjects[0], at(1)).unwrap();
    assert_eq!(standing.spend, usd("0.4"));
    assert!(
        Grant::take(&vms[0], &subjects, at(1)).is_ok(),
        "what was not used is free"
    );
}

#[test]
fn tokens_count_in_the_minute_in_which_they_are_known() {
    let store = SharedValues::default();
    let vm = limiter(1, &store);
    let subjects = subject(Limits {
        tokens: Some(100),
        ..Limits::default()
    });
    let grant = Grant::take(&vm, &subjects, at(0)).unwrap();
    grant.reserve(used(100, "0"), at(0)).unwrap();
    let refused = Grant::take(&vm, &subjects, at(1)).unwrap_err();
    assert!(matches!(
        limit_of(refused),
        ExceededLimit::Tokens { limit: 100, .. }
    ));
    grant.dispatch();
    grant.settle(|| used(99, "0"), at(2));
    let second = Grant::take(&vm, &subjects, at(3)).unwrap();
    second.dispatch();
    second.settle(|| used(1, "0"), at(4));
    assert!(Grant::take(&vm, &subjects, at(5)).is_err());
    assert!(Grant::take(&vm, &subjects, at(60_002)).is_ok());
}

#[test]
fn a_budget_begins_anew_in_its_next_window_and_not_if_the_clock_is_set_back() {
    let store = SharedValues::default();
    let vm = limiter(1, &store);
    let period = period::Period::parse("1d").unwrap();
    let now = at(0);
    let start = period.window(now).start;
    let subjects = subject(Limits {
        budget: Some(Box::new(BudgetSettings {
            max_budget: Some(usd("1")),
            budget_duration: Some(period),
            opening: Some(OpeningSettings {
                window_start: start,
                as_of: start,
                spend: usd("0.75"),
            }),
            ..BudgetSettings::default()
        })),
        ..Limits::default()
    });
    let spend = |amount: &str, now: UnixTime| {
        let grant = Grant::take(&vm, &subjects, now)?;
        grant.dispatch();
        grant.settle(|| used(1, amount), now);
        Ok::<_, GrantError>(())
    };
    spend("0.25", now).unwrap();
    let refused = limit_of(spend("0.25", now).unwrap_err());
    let expected = ExceededLimit::Budget {
        max: usd("1"),
        spend: usd("1"),
        reserved: PicoUsd::ZERO,
    };
    assert_eq!(refused, expected);
    assert!(
        spend("0.25", UnixTime::from_seconds(start - 1)).is_err(),
        "yesterday"
    );
    let tomorrow = UnixTime::from_seconds(start + 24 * 60 * 60);
    assert_eq!(vm.standing(&subjects[0], tomorrow).unwrap().spend, PicoUsd::ZERO);
    spend("0.5", tomorrow).unwrap();
    assert_eq!(vm.standing(&subjects[0], tomorrow).unwrap().spend, usd("0.5"));
    assert!(spend("0.5", now).is_err(), "the opening balance counts again");
    spend("0.5", tomorrow).unwrap();
    assert!(spend("0.5", tomorrow).is_err(), "nothing was forgotten");
}

#[test]
fn what_a_dead_vm_holds_is_dropped_before_a_request_is_refused() {
    let store = SharedValues::default();
    let (dead, living) = (limiter(1, &store), limiter(2, &store));
    let subjects = subject(Limits {
        parallel: Some(1),
        ..Limits::default()
    });
    std::mem::forget(Grant::take(&dead, &subjects, at(0)).unwrap());
    assert!(
        Grant::take(&living, &subjects, at(0)).is_err(),
        "it may still live"
    );
    for second in 1..=20 {
        struct NoStats;
        impl crate::records::metrics::Registry for NoStats {
            fn define(&self, _: crate::records::metrics::MetricKind, _: &str) -> Option<u32> {
                None
            }
            fn add(&self, _: u32, _: u64) {}
            fn record(&self, _: u32, _: u64) {}
        }
        living.capacity().tick(at(second * 1000), &NoStats);
    }
    assert!(Grant::take(&living, &subjects, at(20_000)).is_ok());
}

#[test]
fn a_request_that_cannot_be_counted_is_refused() {
    let store = SharedValues::default();
    let vm = limiter(1, &store);
    let subjects = subject(Limits {
        requests: Some(5),
        ..Limits::default()
    });
    store.fails.set(true);
    let refused = Grant::take(&vm, &subjects, at(0)).unwrap_err();
    assert_eq!(refused, GrantError::Uncountable);
    store.fails.set(false);
    assert!(Grant::take(&vm, &subjects, at(0)).is_ok());
}

#[test]
fn what_cannot_be_written_is_written_later() {
    let store = SharedValues::default();
    let vm = limiter(1, &store);
    let subjects = subject(Limits {
        requests: Some(9),
        parallel: Some(1),
        budget: Some(Box::new(BudgetSettings {
            max_budget: Some(usd("1")),
            ..BudgetSettings::default()
        })),
        ..Limits::default()
    });
    let take = || Grant::take(&vm, &subjects, at(0)).unwrap();
    for (is_settled, spend) in [(true, "0.25"), (false, "0.25")] {
        let grant = take();
        grant.reserve(used(1, "0.5"), at(0)).unwrap();
        store.fails.set(true);
        if is_settled {
            grant.dispatch();
            grant.settle(|| used(1, "0.25"), at(0));
        }
        drop(grant);
        store.fails.set(false);
        assert_eq!(vm.standing(&subjects[0], at(0)).unwrap().parallel, 1, "not yet");
        vm.settle_debts(at(0));
        let standing = vm.standing(&subjects[0], at(0)).unwrap();
        assert_eq!((standing.parallel, standing.requests), (0, 1));
        assert_eq!(standing.spend, usd(spend));
    }
    drop(take());
}

/// What the tallies must agree with.
#[derive(Default)]
struct Expected {
    spend: u128,
    running: u64,
}

#[test]
fn no_sequence_loses_a_cost_or_admits_past_the_limits() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let mut draw = |below: u64| random.draw() % below;
        let store = SharedValues::default();
        let vms = [limiter(1, &store), limiter(2, &store), limiter(3, &store)];
        let (max, parallel) = (u128::from(draw(50)), draw(6) + 1);
        let subjects = subject(Limits {
            parallel: Some(parallel),
            budget: Some(Box::new(BudgetSettings {
                max_budget: Some(PicoUsd::new(max)),
                ..BudgetSettings::default()
            })),
            ..Limits::default()
        });
        let (mut now, mut expected) = (5_000_000, Expected::default());
        let mut running: Vec<(Grant, u128)> = Vec::new();
        for _ in 0..200 {
            now = match draw(10) {
                0 => now - draw(100_000).min(now),
                _ => now + draw(10_000),
            };
            let vm = &vms[usize::try_from(draw(3)).unwrap()];
            if draw(2) == 0 {
                let reserved: u128 = running.iter().map(|(_, amount)| amount).sum();
                let amount = u128::from(draw(20));
                let admitted = Grant::take(vm, &subjects, at(now)).and_then(|grant| {
                    let expected = Amount {
                        tokens: 1,
                        spend: PicoUsd::new(amount),
                    };
                    grant.reserve(expected, at(now))?;
                    Ok(grant)
                });
                let fits = expected.spend + reserved < max && expected.running < parallel;
                assert_eq!(admitted.is_ok(), fits);
                if let Ok(grant) = admitted {
                    expected.running += 1;
                    if draw(4) > 0 {
                        grant.dispatch();
                    }
                    running.push((grant, amount));
                }
            } else if !running.is_empty() {
                let length = u64::try_from(running.len()).unwrap();
                let (grant, _) = running.swap_remove(usize::try_from(draw(length)).unwrap());
                expected.running -= 1;
                if draw(3) > 0 {
                    let spend = u128::from(draw(20));
                    expected.spend += spend;
                    let used = Amount {
                        tokens: 1,
                        spend: PicoUsd::new(spend),
                    };
                    grant.settle(|| used, at(now));
                }
            }
            let standing = vms[0].standing(&subjects[0], at(now)).unwrap();
            assert_eq!(standing.spend.pico(), expected.spend);
            assert_eq!(standing.parallel, expected.running);
        }
        drop(running);
        assert_eq!(vms[0].standing(&subjects[0], at(now)).unwrap().parallel, 0);
    }
}

#[test]
fn threads_lose_no_count() {
    const THREADS: u64 = 8;
    const REQUESTS: u64 = 50;
    const LIMIT: u64 = 123;
    let values = Arc::new(Mutex::new(Values::new()));
    let (admitted, barrier) = (AtomicU64::new(0), Barrier::new(8));
    let store = || SharedValues {
        values: Arc::clone(&values),
        fails: Rc::default(),
    };
    let subjects = || {
        subject(Limits {
            requests: Some(LIMIT),
            ..Limits::default()
        })
    };
    limiter(100, &store()).open(subjects().iter().map(|subject| &**subject));
    std::thread::scope(|scope| {
        for vm in 0..THREADS {
            let (values, admitted, barrier) = (Arc::clone(&values), &admitted, &barrier);
            scope.spawn(move || {
                let store = SharedValues {
                    values,
                    fails: Rc::default(),
                };
                let (limiter, subjects) = (limiter(vm, &store), subjects());
                barrier.wait();
                for _ in 0..REQUESTS {
                    if let Ok(grant) = Grant::take(&limiter, &subjects, at(0)) {
                        grant.dispatch();
                        grant.settle(|| used(1, "0.001"), at(0));
                        admitted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(admitted.load(Ordering::Relaxed), LIMIT);
    let standing = limiter(100, &store()).standing(&subjects()[0], at(0)).unwrap();
    assert_eq!(standing.spend, usd("0.123"));
    assert_eq!(
        (standing.requests, standing.parallel, standing.tokens),
        (LIMIT, 0, LIMIT)
    );
}
