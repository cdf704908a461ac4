//! The timer of a plugin. It runs only while a refused upload is being discarded, because an upload
//! that stalls makes no callback.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::{Rc, Weak};

use super::host::{self, HostError};
use crate::stream::drain::TICK_MILLISECONDS;
use crate::time::UnixTime;

thread_local! {
    /// Plugins whose timer is running. Setting the period again would restart it, so that it might
    /// never fire.
    static RUNNING: RefCell<BTreeSet<u32>> = RefCell::default();
    /// The streams to visit, by context. The timers of all plugins visit all of them: after a new
    /// configuration, a stream of the previous plugin may still be waiting.
    static WATCHED: RefCell<BTreeMap<u32, Weak<RefCell<dyn Draining>>>> = RefCell::default();
}

/// Starts the timer of the plugin `root_id` unless it is running. Called in a callback of one of
/// its streams.
pub(super) fn start(root_id: u32) -> Result<(), HostError> {
    if RUNNING.with_borrow(|running| running.contains(&root_id)) {
        return Ok(());
    }
    host::set_tick_period(TICK_MILLISECONDS)?;
    RUNNING.with_borrow_mut(|running| running.insert(root_id));
    Ok(())
}

/// Stops the timer of the plugin `root_id`. Called in the plugin's own callback. If this fails, the
/// timer fires once more.
fn stop(root_id: u32) {
    match host::set_tick_period(0) {
        Ok(()) => forget(root_id),
        Err(error) => log::error!("a timer was not stopped: {error:?}"),
    }
}

/// Forgets the timer of the plugin `root_id`, which has stopped or ended with the plugin.
pub(super) fn forget(root_id: u32) {
    RUNNING.with_borrow_mut(|running| running.remove(&root_id));
}

/// A stream whose refused upload may have to be discarded.
pub(super) trait Draining {
    /// Whether the request was refused and is still arriving.
    fn is_waiting(&self) -> bool;

    /// Replies if the upload has taken too long. Called with the stream as the effective context.
    fn tick(&mut self, now: UnixTime);
}

/// Watches a stream until it is over or no longer waiting. The dispatcher of the `proxy-wasm` crate
/// owns the stream's context and calls it for that stream only, so the stream itself is shared with
/// this table.
pub(super) fn watch<S: Draining + 'static>(context_id: u32, stream: &Rc<RefCell<S>>) {
    let stream = Rc::downgrade(stream);
    WATCHED.with_borrow_mut(|watched| watched.insert(context_id, stream));
}

/// The timer of the plugin `root_id` has fired: visits the waiting streams, or stops the timer if
/// there are none.
pub(super) fn tick(root_id: u32) {
    let waiting = waiting();
    if waiting.is_empty() {
        stop(root_id);
        return;
    }
    let Ok(now) = host::now_nanoseconds().map(UnixTime::from_nanoseconds) else {
        return;
    };
    for (context_id, stream) in waiting {
        match host::set_effective_context(context_id) {
            Ok(()) => stream.borrow_mut().tick(now),
            Err(error) => log::error!("a stalled upload was not visited: {error:?}"),
        }
    }
}

/// The streams that are still waiting. Forgets the others.
fn waiting() -> Vec<(u32, Rc<RefCell<dyn Draining>>)> {
    WATCHED.with_borrow_mut(|watched| {
        let mut waiting = Vec::new();
        watched.retain(|context_id, stream| {
            let stream = stream.upgrade().filter(|stream| stream.borrow().is_waiting());
            let is_waiting = stream.is_some();
            waiting.extend(stream.map(|stream| (*context_id, stream)));
            is_waiting
        });
        waiting
    })
}
