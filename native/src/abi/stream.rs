//! The calls about a stream.

#![expect(unsafe_code, reason = "calls of Envoy; mod.rs has the invariants")]

use std::ffi::c_void;
use std::ptr::NonNull;

use super::alarm::Alarm;
use super::calls::*;
use super::types::{
    BodyPart, CallError, EnvoyBytes, EnvoyHeader, EnvoyPointer, HeaderMapKind, ModuleBytes, checked,
    module_headers,
};

/// Metadata of the upstream's endpoint.
const METADATA_OF_HOST: u32 = 3;
/// The attribute `response.code`.
const RESPONSE_CODE: u32 = 15;
/// The attribute `response.code_details`.
const RESPONSE_CODE_DETAILS: u32 = 16;
/// The attribute `upstream.request_attempt_count`.
const ATTEMPT_COUNT: u32 = 53;
/// The reason of a reset by this side.
const LOCAL_RESET: u32 = 0;

/// A stream's filter in Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamHandle(NonNull<c_void>);

impl StreamHandle {
    /// # Safety
    /// `pointer` is the filter of a stream that Envoy has passed to a hook.
    pub(crate) unsafe fn new(pointer: *mut c_void) -> Option<Self> {
        NonNull::new(pointer).map(Self)
    }

    pub(super) const fn pointer(self) -> EnvoyPointer {
        self.0.as_ptr()
    }

    /// Runs `read` on all headers of a map.
    pub(crate) fn with_headers<T>(
        self,
        map: HeaderMapKind,
        read: impl FnOnce(&[(&[u8], &[u8])]) -> T,
    ) -> Result<T, CallError> {
        // SAFETY: the stream lives.
        let count =
            unsafe { envoy_dynamic_module_callback_http_get_headers_size(self.pointer(), map as u32) };
        let mut headers = vec![EnvoyHeader::NONE; count];
        if count > 0 {
            // SAFETY: the stream lives, and there is room for the headers, whose number cannot have changed.
            let found = unsafe {
                envoy_dynamic_module_callback_http_get_headers(
                    self.pointer(),
                    map as u32,
                    headers.as_mut_ptr(),
                )
            };
            checked(found, "get_headers")?;
        }
        // SAFETY: Envoy has just returned them, and `read` cannot change them: it has no handle.
        let pairs: Vec<_> = headers
            .into_iter()
            .map(|header| unsafe { header.get() })
            .collect();
        Ok(read(&pairs))
    }

    /// Adds a value to a header.
    pub(crate) fn add_header(self, map: HeaderMapKind, name: &[u8], value: &[u8]) -> Result<(), CallError> {
        // SAFETY: the stream lives, and so do the slices.
        let added = unsafe {
            envoy_dynamic_module_callback_http_add_header(
                self.pointer(),
                map as u32,
                name.into(),
                value.into(),
            )
        };
        checked(added, "add_header")
    }

    /// Gives a header one value.
    pub(crate) fn set_header(self, map: HeaderMapKind, name: &[u8], value: &[u8]) -> Result<(), CallError> {
        // SAFETY: the stream lives, and so do the slices.
        let set = unsafe {
            envoy_dynamic_module_callback_http_set_header(
                self.pointer(),
                map as u32,
                name.into(),
                value.into(),
            )
        };
        checked(set, "set_header")
    }

    /// Removes a header.
    pub(crate) fn remove_header(self, map: HeaderMapKind, name: &[u8]) -> Result<(), CallError> {
        // SAFETY: the stream lives, and so does the slice. Without a value, Envoy removes the header.
        let removed = unsafe {
            envoy_dynamic_module_callback_http_set_header(
                self.pointer(),
                map as u32,
                name.into(),
                ModuleBytes::NONE,
            )
        };
        checked(removed, "remove_header")
    }

    /// The size of a part of a body, in bytes, or 0 if there is no such part.
    pub(crate) fn body_size(self, part: BodyPart) -> usize {
        // SAFETY: the stream lives.
        unsafe { envoy_dynamic_module_callback_http_get_body_size(self.pointer(), part as u32) }
    }

    /// Runs `read` on the pieces of a part of a body.
    pub(crate) fn with_body<T>(self, part: BodyPart, read: impl FnOnce(&[&[u8]]) -> T) -> T {
        // SAFETY: the stream lives.
        let count =
            unsafe { envoy_dynamic_module_callback_http_get_body_chunks_size(self.pointer(), part as u32) };
        let mut chunks = vec![EnvoyBytes::NONE; count];
        // SAFETY: the stream lives, and there is room for the chunks, whose number cannot have changed.
        let found = count > 0
            && unsafe {
                envoy_dynamic_module_callback_http_get_body_chunks(
                    self.pointer(),
                    part as u32,
                    chunks.as_mut_ptr(),
                )
            };
        if !found {
            return read(&[]);
        }
        // SAFETY: Envoy has just returned them, and `read` cannot change them: it has no handle.
        let chunks: Vec<_> = chunks.into_iter().map(|chunk| unsafe { chunk.get() }).collect();
        read(&chunks)
    }

    /// Appends to a part of a body.
    pub(crate) fn append_body(self, part: BodyPart, bytes: &[u8]) -> Result<(), CallError> {
        // SAFETY: the stream lives, and so does the slice.
        let appended = unsafe {
            envoy_dynamic_module_callback_http_append_body(self.pointer(), part as u32, bytes.into())
        };
        checked(appended, "append_body")
    }

    /// Removes the first `size` bytes of a part of a body.
    pub(crate) fn drain_body(self, part: BodyPart, size: usize) -> Result<(), CallError> {
        // SAFETY: the stream lives.
        let drained =
            unsafe { envoy_dynamic_module_callback_http_drain_body(self.pointer(), part as u32, size) };
        checked(drained, "drain_body")
    }

    /// Sets the filter state `key`.
    pub(crate) fn set_filter_state(self, key: &str, value: &[u8]) -> Result<(), CallError> {
        // SAFETY: the stream lives, and so do the slices.
        let set = unsafe {
            envoy_dynamic_module_callback_http_set_filter_state_bytes(
                self.pointer(),
                key.into(),
                value.into(),
            )
        };
        checked(set, "set_filter_state")
    }

    /// The filter state `key`.
    pub(crate) fn filter_state(self, key: &str) -> Option<Vec<u8>> {
        let mut value = EnvoyBytes::NONE;
        // SAFETY: the stream lives, and so does the slice; `value` is valid for the write.
        let found = unsafe {
            envoy_dynamic_module_callback_http_get_filter_state_bytes(
                self.pointer(),
                key.into(),
                &raw mut value,
            )
        };
        // SAFETY: Envoy has just returned it.
        found.then(|| unsafe { value.get() }.to_vec())
    }

    /// A text in the metadata of the endpoint that Envoy has chosen.
    pub(crate) fn host_metadata(self, namespace: &str, key: &str) -> Option<Vec<u8>> {
        let mut value = EnvoyBytes::NONE;
        // SAFETY: the stream lives, and so do the slices; `value` is valid for the write.
        let found = unsafe {
            envoy_dynamic_module_callback_http_get_metadata_string(
                self.pointer(),
                METADATA_OF_HOST,
                namespace.into(),
                key.into(),
                &raw mut value,
            )
        };
        // SAFETY: Envoy has just returned it.
        found.then(|| unsafe { value.get() }.to_vec())
    }

    fn attribute(self, attribute: u32) -> Option<u64> {
        let mut value = 0;
        // SAFETY: the stream lives; `value` is valid for the write.
        let found = unsafe {
            envoy_dynamic_module_callback_http_filter_get_attribute_int(
                self.pointer(),
                attribute,
                &raw mut value,
            )
        };
        found.then_some(value)
    }

    /// The status that the client received, if any.
    pub(crate) fn response_code(self) -> Option<u64> {
        self.attribute(RESPONSE_CODE)
    }

    /// Why Envoy has ended the response as it has.
    pub(crate) fn response_code_details(self) -> Option<Vec<u8>> {
        let mut value = EnvoyBytes::NONE;
        // SAFETY: the stream lives; `value` is valid for the write.
        let found = unsafe {
            envoy_dynamic_module_callback_http_filter_get_attribute_string(
                self.pointer(),
                RESPONSE_CODE_DETAILS,
                &raw mut value,
            )
        };
        // SAFETY: Envoy has just returned it.
        found.then(|| unsafe { value.get() }.to_vec())
    }

    /// How many attempts the request has had.
    pub(crate) fn attempt_count(self) -> Option<u64> {
        self.attribute(ATTEMPT_COUNT)
    }

    /// Makes Envoy choose a route again.
    pub(crate) fn clear_route_cache(self) {
        // SAFETY: the stream lives.
        unsafe { envoy_dynamic_module_callback_http_clear_route_cache(self.pointer()) }
    }

    /// Passes a request that was stopped on to the next filter. May destroy the stream.
    pub(crate) fn continue_request(self) {
        // SAFETY: the stream lives.
        unsafe { envoy_dynamic_module_callback_http_filter_continue_decoding(self.pointer()) }
    }

    /// Sends a local reply. May destroy the stream.
    pub(crate) fn reply<'a>(
        self,
        status: u16,
        headers: impl Iterator<Item = (&'a [u8], &'a [u8])>,
        body: &[u8],
        details: &str,
    ) {
        let headers = module_headers(headers);
        // SAFETY: the stream lives, and so do the slices. Envoy copies what it needs later.
        unsafe {
            envoy_dynamic_module_callback_http_send_response(
                self.pointer(),
                u32::from(status),
                headers.as_ptr(),
                headers.len(),
                body.into(),
                details.into(),
            );
        }
    }

    /// Aborts the stream. May destroy it.
    pub(crate) fn reset(self, details: &str) {
        // SAFETY: the stream lives, and so does the text.
        unsafe {
            envoy_dynamic_module_callback_http_filter_reset_stream(
                self.pointer(),
                LOCAL_RESET,
                details.into(),
            );
        }
    }

    /// An alarm that calls the hook `http_filter_scheduled` of this stream.
    pub(crate) fn alarm(self) -> Option<Alarm> {
        // SAFETY: the stream lives.
        let scheduler = unsafe { envoy_dynamic_module_callback_http_filter_scheduler_new(self.pointer()) };
        NonNull::new(scheduler).map(|scheduler| Alarm::new(scheduler, false))
    }
}
