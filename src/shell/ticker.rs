//! The timer of a plugin. It runs while uploads are being drained, because a stalled upload causes
//! no callbacks, and as long as the configuration has credentials of the broker.

use std::cell::RefCell;
use std::rc::Rc;

use super::envoy::Envoy;
use super::host::{self, HostError};
use super::{CAPACITY, LIMITER};
use crate::routing::brokered::CALL_TICK_MILLISECONDS;
use crate::stream::drain::TICK_MILLISECONDS;
use crate::stream::watch::{Draining, Watch};

thread_local! {
    static WATCH: RefCell<Watch> = RefCell::default();
}

/// Starts the timer of a plugin unless it is running. Must be called in a callback of one of its
/// streams.
pub(super) fn start(plugin_id: u32) -> Result<(), HostError> {
    if !WATCH.with_borrow(|watch| watch.is_running(plugin_id)) {
        host::set_tick_period(TICK_MILLISECONDS)?;
        WATCH.with_borrow_mut(|watch| watch.started(plugin_id));
    }
    Ok(())
}

/// Starts the timer of a plugin for as long as it has this configuration. Must be called in one of
/// its own callbacks.
pub(super) fn run(plugin_id: u32) -> Result<(), HostError> {
    host::set_tick_period(CALL_TICK_MILLISECONDS)?;
    WATCH.with_borrow_mut(|watch| watch.started(plugin_id));
    Ok(())
}

/// Records that the timer of a plugin no longer runs.
pub(super) fn forget(plugin_id: u32) {
    WATCH.with_borrow_mut(|watch| watch.stopped(plugin_id));
}

/// Watches a draining stream.
pub(super) fn watch<S: Draining + 'static>(context_id: u32, stream: &Rc<RefCell<S>>) {
    WATCH.with_borrow_mut(|watch| watch.add(context_id, stream));
}

/// Handles a tick of a plugin's timer: checks all draining streams, or stops the timer if there are
/// none and it is not `permanent`. If it cannot be stopped, the next tick tries again.
pub(super) fn tick(plugin_id: u32, permanent: bool) {
    let draining = WATCH.with_borrow_mut(Watch::draining);
    LIMITER.with(|limiter| limiter.settle_debts(host::now()));
    let is_counting = CAPACITY.with(|capacity| capacity.tick(host::now(), &Envoy));
    if draining.is_empty() && !is_counting && !permanent {
        match host::set_tick_period(0) {
            Ok(()) => forget(plugin_id),
            Err(error) => log::error!("a timer could not be stopped: {error:?}"),
        }
    }
    check(draining);
}

/// Checks all streams that are being watched: the broker has answered.
pub(super) fn check_all() {
    check(WATCH.with_borrow_mut(Watch::draining));
}

fn check(watched: Vec<(u32, Rc<RefCell<dyn Draining>>)>) {
    for (context_id, stream) in watched {
        match host::set_effective_context(context_id) {
            Ok(()) => stream.borrow_mut().tick(host::now()),
            Err(error) => log::error!("a waiting stream could not be checked: {error:?}"),
        }
    }
}
