//! The timer of a plugin. It runs only while a refused upload is drained: one that stalls makes no
//! callback.

use std::cell::RefCell;
use std::rc::Rc;

use super::host::{self, HostError};
use crate::stream::drain::TICK_MILLISECONDS;
use crate::stream::watch::{Draining, Watch};

thread_local! {
    static WATCH: RefCell<Watch> = RefCell::default();
}

/// Starts the timer of the plugin `root_id` unless it is running. Called in a callback of one of its
/// streams.
pub(super) fn start(root_id: u32) -> Result<(), HostError> {
    if !WATCH.with_borrow(|watch| watch.is_running(root_id)) {
        host::set_tick_period(TICK_MILLISECONDS)?;
        WATCH.with_borrow_mut(|watch| watch.started(root_id));
    }
    Ok(())
}

/// Forgets the timer of the plugin `root_id`.
pub(super) fn forget(root_id: u32) {
    WATCH.with_borrow_mut(|watch| watch.stopped(root_id));
}

/// Watches a draining stream.
pub(super) fn watch<S: Draining + 'static>(context_id: u32, stream: &Rc<RefCell<S>>) {
    WATCH.with_borrow_mut(|watch| watch.add(context_id, stream));
}

/// The timer of the plugin `root_id` has fired: visits the draining streams, or stops the timer if there
/// are none. If stopping fails, the timer fires once more.
pub(super) fn tick(root_id: u32) {
    let draining = WATCH.with_borrow_mut(Watch::draining);
    if draining.is_empty() {
        match host::set_tick_period(0) {
            Ok(()) => forget(root_id),
            Err(error) => log::error!("a timer could not be stopped: {error:?}"),
        }
    }
    for (context_id, stream) in draining {
        match host::set_effective_context(context_id) {
            Ok(()) => stream.borrow_mut().tick(host::now()),
            Err(error) => log::error!("a stalled upload was not visited: {error:?}"),
        }
    }
}
