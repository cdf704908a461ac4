//! The calls about a configuration.

#![expect(unsafe_code, reason = "calls of Envoy; mod.rs has the invariants")]

use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr::NonNull;

use super::alarm::Alarm;
use super::calls::*;
use super::types::{CallError, EnvoyPointer, ModuleBytes, SUCCESS, SeriesKind, checked, module_headers};

/// A filter configuration in Envoy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConfigHandle<'a>(NonNull<c_void>, PhantomData<&'a ()>);

impl ConfigHandle<'_> {
    /// # Safety
    /// `pointer` is a configuration that Envoy has passed to a hook on its main thread, and the
    /// handle is not used after the hook.
    pub(crate) unsafe fn new(pointer: *mut c_void) -> Option<Self> {
        NonNull::new(pointer).map(|pointer| Self(pointer, PhantomData))
    }

    /// A handle for the unit tests, whose Envoy does not use it.
    #[cfg(test)]
    pub(crate) const fn fake() -> Self {
        Self(NonNull::dangling(), PhantomData)
    }

    pub(super) const fn pointer(self) -> EnvoyPointer {
        self.0.as_ptr()
    }

    /// Defines a metric. Only while the configuration is being created.
    pub(crate) fn define(self, kind: SeriesKind, name: &str, labels: &[&str]) -> Option<usize> {
        let labels: Vec<ModuleBytes> = labels.iter().map(|label| (*label).into()).collect();
        let define = match kind {
            SeriesKind::Counter => envoy_dynamic_module_callback_http_filter_config_define_counter,
            SeriesKind::Gauge => envoy_dynamic_module_callback_http_filter_config_define_gauge,
            SeriesKind::Histogram => envoy_dynamic_module_callback_http_filter_config_define_histogram,
        };
        let mut id = 0;
        // SAFETY: the configuration lives, and so do the slices; `id` is valid for the write.
        let result = unsafe {
            define(
                self.pointer(),
                name.into(),
                labels.as_ptr(),
                labels.len(),
                &raw mut id,
            )
        };
        (result == SUCCESS).then_some(id)
    }

    /// An alarm that calls the hook `http_filter_config_scheduled` on the main thread.
    pub(crate) fn alarm(self) -> Option<Alarm> {
        // SAFETY: the configuration lives.
        let scheduler =
            unsafe { envoy_dynamic_module_callback_http_filter_config_scheduler_new(self.pointer()) };
        NonNull::new(scheduler).map(|scheduler| Alarm::new(scheduler, true))
    }

    /// Begins an HTTP call without a body, and returns its id.
    pub(crate) fn call(
        self,
        cluster: &str,
        headers: &[(&str, &str)],
        timeout_milliseconds: u32,
    ) -> Result<u64, CallError> {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let headers = module_headers(headers);
        let mut id = 0;
        // SAFETY: the configuration lives, and so do the slices; `id` is valid for the write.
        let result = unsafe {
            envoy_dynamic_module_callback_http_filter_config_http_callout(
                self.pointer(),
                &raw mut id,
                cluster.into(),
                headers.as_ptr(),
                headers.len(),
                b"".as_slice().into(),
                timeout_milliseconds.into(),
            )
        };
        checked(result == SUCCESS, "http_callout")?;
        Ok(id)
    }
}
