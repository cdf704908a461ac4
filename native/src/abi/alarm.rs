//! Having hooks called.

#![expect(unsafe_code, reason = "calls of Envoy; mod.rs has the invariants")]

use std::ffi::c_void;
use std::ptr::NonNull;

use super::calls::*;

/// Calls a hook on the thread of a stream or a configuration.
#[derive(Debug)]
pub(crate) struct Alarm {
    scheduler: NonNull<c_void>,
    of_config: bool,
}

// SAFETY: Envoy's schedulers can be used and deleted on any thread. They have a weak reference to
// what they call.
unsafe impl Send for Alarm {}

impl Alarm {
    /// An alarm of a scheduler that Envoy has made for this module.
    pub(super) const fn new(scheduler: NonNull<c_void>, of_config: bool) -> Self {
        Self { scheduler, of_config }
    }

    /// Has the hook called soon. Does nothing if the stream or configuration is gone.
    pub(crate) fn ring(&self) {
        // SAFETY: the scheduler lives until it is dropped.
        unsafe {
            if self.of_config {
                envoy_dynamic_module_callback_http_filter_config_scheduler_commit(self.scheduler.as_ptr(), 0);
            } else {
                envoy_dynamic_module_callback_http_filter_scheduler_commit(self.scheduler.as_ptr(), 0);
            }
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // SAFETY: the scheduler is not used again.
        unsafe {
            if self.of_config {
                envoy_dynamic_module_callback_http_filter_config_scheduler_delete(self.scheduler.as_ptr());
            } else {
                envoy_dynamic_module_callback_http_filter_scheduler_delete(self.scheduler.as_ptr());
            }
        }
    }
}
