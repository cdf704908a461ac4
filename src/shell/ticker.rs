//! The timer of a plugin. It runs only while a refused upload is being discarded: one that stalls makes no callback.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::host::{self, HostError};
use crate::stream::drain::TICK_MILLISECONDS;

thread_local! {
    /// Root contexts whose timer runs. Setting a period again would start it anew, so that it might never fire.
    static RUNNING: RefCell<BTreeSet<u32>> = RefCell::default();
}

/// Starts the timer of the plugin `root_id` unless it runs. Called in a callback of one of its streams.
pub(super) fn start(root_id: u32) -> Result<(), HostError> {
    if RUNNING.with_borrow(|running| running.contains(&root_id)) {
        return Ok(());
    }
    host::set_tick_period(TICK_MILLISECONDS)?;
    RUNNING.with_borrow_mut(|running| running.insert(root_id));
    Ok(())
}

/// Stops the timer of the plugin `root_id`. Called in its own callback. If this fails, the timer fires once more.
pub(super) fn stop(root_id: u32) {
    match host::set_tick_period(0) {
        Ok(()) => forget(root_id),
        Err(error) => log::error!("a timer was not stopped: {error:?}"),
    }
}

/// The plugin `root_id` is gone, and its timer with it.
pub(super) fn forget(root_id: u32) {
    RUNNING.with_borrow_mut(|running| running.remove(&root_id));
}
