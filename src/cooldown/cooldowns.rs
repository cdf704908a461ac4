//! Changes what the VMs share by compare-and-swap.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use crate::capacity::{SharedStore, StoreError};
use crate::contract::names::{SHARED_COOLDOWNS, SHARED_FAILURES};
use crate::contract::routing::CooldownSettings;
use crate::cooldown::board::{Board, Cooldown, CooldownView, TargetState};
use crate::cooldown::consequence::{Consequence, RATE_WINDOW_MILLISECONDS, TargetFailure, Threshold};
use crate::cooldown::counts::{SLOTS, SlidingWindow, Windows};
use crate::cooldown::target::TargetKey;
use crate::time::UnixTime;

/// Maximum compare-and-swap attempts. Each failure means that another VM succeeded.
const WRITE_ATTEMPTS: u32 = 100;
/// Maximum number of targets whose requests a VM counts.
pub(super) const COUNTED_TARGETS_MAX: usize = 1000;

/// The deployments that cool down, as all workers of an Envoy see them.
pub struct Cooldowns {
    store: Box<dyn SharedStore>,
    /// The requests of this VM that are not in the shared counts yet. They get there with the next
    /// failure, so requests that succeed cost no host call. Those of VMs without failures do not
    /// count.
    pub(super) requests: RefCell<BTreeMap<TargetKey, SlidingWindow>>,
}

impl fmt::Debug for Cooldowns {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Cooldowns").finish_non_exhaustive()
    }
}

impl Cooldowns {
    /// The cooldowns in `store`.
    pub fn new(store: Box<dyn SharedStore>) -> Self {
        Self {
            store,
            requests: RefCell::default(),
        }
    }

    /// Creates the shared values, unless they exist. Envoy configures the filter on its main thread
    /// first, so no worker is using them yet.
    pub fn open(&self) {
        self.create(SHARED_COOLDOWNS, &Board::default().serialize());
        for slot in 0..SLOTS {
            self.create(&slot_key(slot), &Windows::default().serialize());
        }
    }

    /// The deployments that cool down now: none if that cannot be read.
    pub(crate) fn view(&self) -> CooldownView {
        let board = self.read(SHARED_COOLDOWNS, Board::parse);
        CooldownView::new(board.map(|(board, _)| board).unwrap_or_default())
    }

    /// A request has failed. `is_alone`: its model group has no other deployment. Returns the
    /// cooldown if one begins.
    pub(crate) fn failed(
        &self,
        key: TargetKey,
        failure: TargetFailure,
        settings: &CooldownSettings,
        is_alone: bool,
        now: UnixTime,
    ) -> Option<Cooldown> {
        let milliseconds = failure.cooldown_milliseconds(settings);
        if settings.disabled || milliseconds == 0 {
            return None;
        }
        let consequence = Consequence::of(failure, settings, is_alone);
        let (board, _) = self.read(SHARED_COOLDOWNS, Board::parse)?;
        let begins = if board.is_on_probation(key, now) {
            consequence != Consequence::None
        } else if matches!(board.state(key, now), TargetState::Cooling { .. }) {
            self.extend(key, failure, now);
            false
        } else {
            match consequence {
                Consequence::None | Consequence::Spared => false,
                Consequence::Cooldown => true,
                Consequence::Counted(threshold) => {
                    self.count_failure(key, threshold, failure.is_counted, now)
                }
            }
        };
        if begins {
            return self.change_board(|board| board.begin(key, milliseconds, failure.status, now));
        }
        if consequence == Consequence::None {
            self.succeeded(key, board.is_on_probation(key, now), now);
        }
        None
    }

    /// A request has succeeded.
    pub(crate) fn succeeded(&self, key: TargetKey, is_probe: bool, now: UnixTime) {
        if is_probe {
            self.change_board(|board| board.is_on_probation(key, now).then(|| board.remove(key)));
        }
        let requests = &mut *self.requests.borrow_mut();
        if requests.len() >= COUNTED_TARGETS_MAX && !requests.contains_key(&key) {
            requests.retain(|_, window| !window.is_empty(now));
            if requests.len() >= COUNTED_TARGETS_MAX {
                return;
            }
        }
        let window = requests.entry(key);
        window
            .or_insert(SlidingWindow::new(RATE_WINDOW_MILLISECONDS))
            .add(1, 0, now);
    }

    /// Whether this request is the one that probes a deployment whose cooldown is over. It is for
    /// exactly one request of all workers. Others treat the deployment as cooling down.
    pub(crate) fn begin_probe(&self, key: TargetKey, now: UnixTime) -> bool {
        self.change_board(|board| board.begin_probe(key, now).then_some(()))
            .is_some()
    }

    /// Another request may probe a deployment: the one that was to do so has learned nothing.
    pub(crate) fn give_up_probe(&self, key: TargetKey, now: UnixTime) {
        self.change_board(|board| board.give_up_probe(key, now).then_some(()));
    }

    /// Makes the cooldown last as long as the response of another request wants it to.
    fn extend(&self, key: TargetKey, failure: TargetFailure, now: UnixTime) {
        if let Some(milliseconds) = failure.retry_after_milliseconds() {
            let until = now.after_milliseconds(milliseconds);
            self.change_board(|board| board.extend(key, until, now).then_some(()));
        }
    }

    /// Counts a failure. Returns whether there are too many. The count then begins again, so that
    /// old failures do not count after the cooldown.
    fn count_failure(&self, key: TargetKey, threshold: Threshold, is_counted: bool, now: UnixTime) -> bool {
        let requests = &mut *self.requests.borrow_mut();
        let uncounted = requests.get(&key).filter(|_| threshold == Threshold::Rate);
        let shared_key = slot_key(key.0.checked_rem(SLOTS).unwrap_or_default());
        let id = (key, threshold.counter(), threshold.window_milliseconds());
        let exceeded = self.change(&shared_key, Windows::parse, Windows::serialize, |windows| {
            let exceeded = windows.change(id, now, |window| {
                if let Some(uncounted) = uncounted {
                    window.merge(uncounted);
                }
                window.add(u64::from(!is_counted), 1, now);
                let (requests, failures) = window.total(now);
                let exceeded = threshold.is_exceeded(failures, requests);
                if exceeded {
                    *window = SlidingWindow::new(threshold.window_milliseconds());
                }
                exceeded
            });
            Some(exceeded)
        });
        if exceeded.is_some() && threshold == Threshold::Rate {
            requests.remove(&key);
        }
        exceeded.unwrap_or_default()
    }

    fn change_board<T>(&self, change: impl Fn(&mut Board) -> Option<T>) -> Option<T> {
        self.change(SHARED_COOLDOWNS, Board::parse, Board::serialize, change)
    }

    /// Changes a shared value, unless `change` returns `None`. Returns `None` if it was not changed.
    fn change<V, T>(
        &self,
        shared_key: &str,
        parse: impl Fn(&[u8]) -> Option<V>,
        serialize: impl Fn(&V) -> Vec<u8>,
        change: impl Fn(&mut V) -> Option<T>,
    ) -> Option<T> {
        for _ in 0..WRITE_ATTEMPTS {
            let (mut value, number) = self.read(shared_key, &parse)?;
            let result = change(&mut value)?;
            if self.store.write(shared_key, &serialize(&value), number) {
                return Some(result);
            }
        }
        None
    }

    /// A shared value and its number; `None` if it cannot be read. A value that does not exist could
    /// not be changed by compare-and-swap.
    fn read<V>(&self, shared_key: &str, parse: impl Fn(&[u8]) -> Option<V>) -> Option<(V, u32)> {
        match self.store.read(shared_key) {
            Ok(Some((bytes, number))) => Some((parse(&bytes)?, number)),
            Ok(None) | Err(StoreError) => None,
        }
    }

    fn create(&self, shared_key: &str, empty: &[u8]) {
        if self.store.read(shared_key) == Ok(None) {
            let _later = self.store.write(shared_key, empty, 0);
        }
    }
}

fn slot_key(slot: u64) -> String {
    format!("{SHARED_FAILURES}{slot}")
}
