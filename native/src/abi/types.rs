//! The types of the ABI.

#![expect(unsafe_code, reason = "memory of Envoy; mod.rs has the invariants")]

use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::slice;

pub(crate) type EnvoyPointer = *mut c_void;

/// Bytes of this module.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct ModuleBytes {
    start: *const u8,
    size: usize,
}

/// Bytes of Envoy.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct EnvoyBytes {
    start: *const u8,
    size: usize,
}

/// A header of this module.
#[repr(C)]
pub(crate) struct ModuleHeader {
    name: ModuleBytes,
    value: ModuleBytes,
}

/// A header of Envoy.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct EnvoyHeader {
    name: EnvoyBytes,
    value: EnvoyBytes,
}

impl ModuleBytes {
    pub(crate) const NONE: Self = Self {
        start: null(),
        size: 0,
    };
}

impl From<&[u8]> for ModuleBytes {
    fn from(bytes: &[u8]) -> Self {
        Self {
            start: bytes.as_ptr(),
            size: bytes.len(),
        }
    }
}

impl From<&str> for ModuleBytes {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl EnvoyBytes {
    pub(crate) const NONE: Self = Self {
        start: null(),
        size: 0,
    };

    /// # Safety
    /// Envoy has returned or passed these bytes in this hook, and they have not been changed since.
    /// They are not used after the hook.
    pub(crate) const unsafe fn get<'a>(self) -> &'a [u8] {
        if self.start.is_null() || self.size == 0 {
            return &[];
        }
        // SAFETY: the caller's promise; Envoy's buffers are never larger than `isize::MAX`.
        unsafe { slice::from_raw_parts(self.start, self.size) }
    }
}

impl EnvoyHeader {
    pub(crate) const NONE: Self = Self {
        name: EnvoyBytes::NONE,
        value: EnvoyBytes::NONE,
    };

    /// # Safety
    /// As for [`EnvoyBytes::get`].
    pub(crate) const unsafe fn get<'a>(self) -> (&'a [u8], &'a [u8]) {
        // SAFETY: the caller's promise.
        unsafe { (self.name.get(), self.value.get()) }
    }
}

/// A map of headers or trailers of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum HeaderMapKind {
    Request,
    RequestTrailers,
    Response,
    ResponseTrailers,
}

/// A part of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum BodyPart {
    /// What has just arrived. Only in body hooks.
    ReceivedRequest,
    /// What Envoy has buffered before.
    BufferedRequest,
    ReceivedResponse,
    BufferedResponse,
}

/// A level of Envoy's log.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(crate) enum EnvoyLogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Critical,
}

/// The result of a call that has succeeded.
pub(crate) const SUCCESS: u32 = 0;
/// The kinds of metrics: Envoy has one set of functions for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SeriesKind {
    Counter,
    Gauge,
    Histogram,
}

/// Envoy has refused a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallError(&'static str);

impl CallError {
    /// A body is shorter than Envoy has said.
    pub(crate) const SHORT_BODY: Self = Self("get_body");
}

pub(crate) fn checked(succeeded: bool, call: &'static str) -> Result<(), CallError> {
    succeeded.then_some(()).ok_or(CallError(call))
}

pub(crate) fn module_headers<'a>(headers: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Vec<ModuleHeader> {
    let headers = headers.map(|(name, value)| ModuleHeader {
        name: name.into(),
        value: value.into(),
    });
    headers.collect()
}
/// # Safety
/// `headers` are `count` headers that Envoy has passed to this hook.
pub(crate) unsafe fn headers_at<'a>(headers: *const EnvoyHeader, count: usize) -> Vec<(&'a [u8], &'a [u8])> {
    if headers.is_null() {
        return Vec::new();
    }
    // SAFETY: the caller's promise.
    let headers = unsafe { slice::from_raw_parts(headers, count) };
    // SAFETY: the caller's promise.
    headers.iter().map(|header| unsafe { header.get() }).collect()
}

/// # Safety
/// `chunks` are `count` pieces of bytes that Envoy has passed to this hook.
pub(crate) unsafe fn bytes_at(chunks: *const EnvoyBytes, count: usize) -> Vec<u8> {
    if chunks.is_null() {
        return Vec::new();
    }
    // SAFETY: the caller's promise.
    let chunks = unsafe { slice::from_raw_parts(chunks, count) };
    // SAFETY: the caller's promise.
    let chunks: Vec<&[u8]> = chunks.iter().map(|chunk| unsafe { chunk.get() }).collect();
    chunks.concat()
}

/// The null pointer that tells Envoy that nothing could be created.
pub(crate) const NOTHING: *const c_void = null_mut::<c_void>().cast_const();
