//! The timer of a worker: a bell that hangs on any of its streams.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use crate::abi::StreamHandle;
use crate::bells::{self, Bell};
use crate::host::{NativeHost, now};
use crate::worker::{self, CAPACITY, LIMITER};

/// A stream of the gateway role, for the timer of its worker.
pub(crate) trait TickedStream {
    /// The stream's filter; `None` once Envoy has destroyed it.
    fn handle(&self) -> Option<StreamHandle>;
    /// Whether an upload is being drained, or the request waits for credentials.
    fn needs_ticks(&self) -> bool;
    /// Runs `use_host` on the host of the stream.
    fn with_host(&self, use_host: &mut dyn FnMut(&NativeHost<'_>));
    /// The timer has fired.
    fn tick(&self);
}

/// The streams of a worker.
#[derive(Default)]
struct WorkerStreams {
    /// All that live, by their numbers.
    streams: BTreeMap<u64, Weak<dyn TickedStream>>,
    next: u64,
    /// Those that may need ticks.
    watched: Vec<u64>,
    /// The bell, and the stream that it hangs on.
    bell: Option<(u64, Bell)>,
}

impl WorkerStreams {
    fn hang_bell(&mut self) {
        let found = self.streams.iter().find_map(|(number, stream)| {
            let handle = stream.upgrade()?.handle()?;
            Some((*number, bells::add(handle.alarm()?)))
        });
        self.bell = found;
    }

    /// The streams that need ticks. Forgets the others.
    fn waiting(&mut self) -> Vec<Rc<dyn TickedStream>> {
        let mut waiting = Vec::new();
        let streams = &self.streams;
        self.watched.retain(|number| {
            let stream = streams.get(number).and_then(Weak::upgrade);
            let stream = stream.filter(|stream| stream.needs_ticks());
            let is_kept = stream.is_some();
            waiting.extend(stream);
            is_kept
        });
        waiting
    }
}

thread_local! {
    static STREAMS: RefCell<WorkerStreams> = RefCell::default();
}

/// A stream begins. Returns its number.
pub(crate) fn opened(stream: Weak<dyn TickedStream>) -> u64 {
    STREAMS.with_borrow_mut(|streams| {
        let number = streams.next;
        streams.next = number.wrapping_add(1);
        streams.streams.insert(number, stream);
        number
    })
}

/// A stream has ended, and what it held was returned. Another one gets the bell. After the last
/// one, the worker returns what it had taken for all of them.
pub(crate) fn closed(number: u64) {
    let is_resting = STREAMS.with_borrow_mut(|streams| {
        streams.streams.remove(&number);
        if streams.bell.as_ref().is_none_or(|(of, _)| *of != number) {
            return false;
        }
        streams.hang_bell();
        streams.bell.is_none()
    });
    if is_resting {
        CAPACITY.with(|capacity| capacity.rest());
    }
}

/// Starts the timer of the worker unless it is running.
pub(crate) fn start(number: u64, stream: StreamHandle) {
    STREAMS.with_borrow_mut(|streams| {
        if streams.bell.is_none() {
            streams.bell = stream.alarm().map(|alarm| (number, bells::add(alarm)));
        }
    });
}

/// Ticks a stream until it no longer needs it.
pub(crate) fn watch(number: u64) {
    STREAMS.with_borrow_mut(|streams| {
        if !streams.watched.contains(&number) {
            streams.watched.push(number);
        }
    });
}

/// The timer of the worker has fired; its bell hangs on `stream`.
pub(crate) fn tick(stream: &dyn TickedStream) {
    worker::forget_gone();
    worker::hear_broker_for_all();
    LIMITER.with(|limiter| limiter.settle_debts(now()));
    let mut is_counting = true;
    stream.with_host(&mut |host| is_counting = CAPACITY.with(|capacity| capacity.tick(now(), host)));
    let waiting = STREAMS.with_borrow_mut(|streams| {
        let waiting = streams.waiting();
        if waiting.is_empty() && !is_counting {
            streams.bell = None;
        }
        waiting
    });
    for stream in waiting {
        stream.tick();
    }
}
