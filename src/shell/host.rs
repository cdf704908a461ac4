//! Envoy's side of the proxy-wasm ABI 0.2.1, as far as it is used: each host call returns its status as an error
//! instead of panicking, which the SDK's own do (a panic is a trap, and takes the worker's VM down).
//!
//! <https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1>

#![expect(
    unsafe_code,
    reason = "foreign functions of the host; every pointer comes from a slice or is an out-parameter"
)]

use std::ptr::null_mut;

/// Why a host call failed: the status that the host gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HostError(pub(super) u32);

impl HostError {
    /// There was less than asked for.
    pub(super) const EMPTY: Self = Self(7);
}

const STATUS_OK: u32 = 0;
const STATUS_NOT_FOUND: u32 = 1;

const MAP_REQUEST_HEADERS: u32 = 0;
const MAP_REQUEST_TRAILERS: u32 = 1;
const MAP_RESPONSE_HEADERS: u32 = 2;
const BUFFER_REQUEST_BODY: u32 = 0;
const BUFFER_RESPONSE_BODY: u32 = 1;
const BUFFER_PLUGIN_CONFIGURATION: u32 = 7;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, message_size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_header_map_pairs(map: u32, data: *const u8, size: usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        max_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_buffer_bytes(
        buffer: u32,
        start: usize,
        size: usize,
        data: *const u8,
        data_size: usize,
    ) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_set_effective_context(context_id: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        number: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        number: u32,
    ) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
}

fn checked(status: u32) -> Result<(), HostError> {
    if status == STATUS_OK {
        Ok(())
    } else {
        Err(HostError(status))
    }
}

/// Bytes that the host has put into memory that it had this module allocate.
fn returned(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Option<Vec<u8>>, HostError> {
    let mut data: *mut u8 = null_mut();
    let mut size: usize = 0;
    match call(&raw mut data, &raw mut size) {
        STATUS_NOT_FOUND => Ok(None),
        STATUS_OK if data.is_null() => Ok(None),
        // SAFETY: the host got `data` from `proxy_on_memory_allocate`, which gives a boxed slice of `size` bytes.
        STATUS_OK => Ok(Some(unsafe { Vec::from_raw_parts(data, size, size) })),
        status => Err(HostError(status)),
    }
}

/// Writes a line to Envoy's log. `level`: 0 trace … 5 critical. A line that cannot be written is lost.
pub(super) fn log(level: u32, message: &str) {
    // SAFETY: the slice outlives the call.
    let _lost = unsafe { proxy_log(level, message.as_ptr(), message.len()) };
}

/// The wall clock, in nanoseconds since 1970.
pub(super) fn now_nanoseconds() -> Result<u64, HostError> {
    let mut time = 0;
    // SAFETY: `time` is valid for the write.
    checked(unsafe { proxy_get_current_time_nanoseconds(&raw mut time) })?;
    Ok(time)
}

/// The request's headers in the ABI's serialised form ([`crate::headers::pairs`]).
pub(super) fn request_headers() -> Result<Vec<u8>, HostError> {
    headers(MAP_REQUEST_HEADERS)
}

/// The answer's headers in the same form.
pub(super) fn response_headers() -> Result<Vec<u8>, HostError> {
    headers(MAP_RESPONSE_HEADERS)
}

fn headers(map: u32) -> Result<Vec<u8>, HostError> {
    // SAFETY: both out-parameters are valid for the write.
    let pairs = returned(|data, size| unsafe { proxy_get_header_map_pairs(map, data, size) })?;
    Ok(pairs.unwrap_or_default())
}

/// Replaces all of the request's headers.
pub(super) fn set_request_headers(pairs: &[u8]) -> Result<(), HostError> {
    // SAFETY: the slice outlives the call.
    checked(unsafe { proxy_set_header_map_pairs(MAP_REQUEST_HEADERS, pairs.as_ptr(), pairs.len()) })
}

/// Replaces all of the answer's headers.
pub(super) fn set_response_headers(pairs: &[u8]) -> Result<(), HostError> {
    // SAFETY: the slice outlives the call.
    checked(unsafe { proxy_set_header_map_pairs(MAP_RESPONSE_HEADERS, pairs.as_ptr(), pairs.len()) })
}

/// Removes all of the request's trailers.
pub(super) fn clear_request_trailers() -> Result<(), HostError> {
    let none = crate::headers::pairs::serialise([].into_iter());
    // SAFETY: the slice outlives the call.
    checked(unsafe { proxy_set_header_map_pairs(MAP_REQUEST_TRAILERS, none.as_ptr(), none.len()) })
}

/// A response header's first value.
pub(super) fn response_header(name: &str) -> Result<Option<Vec<u8>>, HostError> {
    returned(|data, size| {
        // SAFETY: the slice outlives the call; both out-parameters are valid for the write.
        unsafe { proxy_get_header_map_value(MAP_RESPONSE_HEADERS, name.as_ptr(), name.len(), data, size) }
    })
}

/// Sets a request header to one value.
pub(super) fn set_request_header(name: &str, value: &str) -> Result<(), HostError> {
    set_header(MAP_REQUEST_HEADERS, name, value)
}

/// Sets a response header to one value.
pub(super) fn set_response_header(name: &str, value: &str) -> Result<(), HostError> {
    set_header(MAP_RESPONSE_HEADERS, name, value)
}

fn set_header(map: u32, name: &str, value: &str) -> Result<(), HostError> {
    // SAFETY: the slices outlive the call.
    checked(unsafe {
        proxy_replace_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// Bytes `start..start + max_size` of the request's body as far as it is buffered.
pub(super) fn request_body(start: usize, max_size: usize) -> Result<Vec<u8>, HostError> {
    buffer(BUFFER_REQUEST_BODY, start, max_size)
}

/// Replaces the first `size` bytes of the request's buffered body. Envoy can do this at the front only.
pub(super) fn replace_request_body_front(size: usize, bytes: &[u8]) -> Result<(), HostError> {
    set_request_body(0, size, bytes)
}

/// Adds to the end of the request's buffered body.
pub(super) fn append_request_body(bytes: &[u8]) -> Result<(), HostError> {
    // A place behind the end, wherever that is. The end itself would be the front of a body that is empty.
    set_request_body(usize::MAX, 0, bytes)
}

fn set_request_body(start: usize, size: usize, bytes: &[u8]) -> Result<(), HostError> {
    // SAFETY: the slice outlives the call.
    checked(unsafe { proxy_set_buffer_bytes(BUFFER_REQUEST_BODY, start, size, bytes.as_ptr(), bytes.len()) })
}

/// Bytes `start..start + max_size` of the part of the answer's body that is passing.
pub(super) fn response_body(start: usize, max_size: usize) -> Result<Vec<u8>, HostError> {
    buffer(BUFFER_RESPONSE_BODY, start, max_size)
}

/// Empties the buffer of the request's body, which holds `size` bytes. Envoy allows this in a callback of the body.
pub(super) fn discard_request_body(size: usize) -> Result<(), HostError> {
    set_request_body(0, size, &[])
}

/// Calls the plugin of the current context every `milliseconds`; 0 stops that.
pub(super) fn set_tick_period(milliseconds: u32) -> Result<(), HostError> {
    // SAFETY: no pointers.
    checked(unsafe { proxy_set_tick_period_milliseconds(milliseconds) })
}

/// Makes what follows in this callback about the context `context_id`.
pub(super) fn set_effective_context(context_id: u32) -> Result<(), HostError> {
    // SAFETY: no pointers.
    checked(unsafe { proxy_set_effective_context(context_id) })
}

/// The configuration of this plugin.
pub(super) fn plugin_configuration(size: usize) -> Result<Vec<u8>, HostError> {
    buffer(BUFFER_PLUGIN_CONFIGURATION, 0, size)
}

fn buffer(buffer: u32, start: usize, max_size: usize) -> Result<Vec<u8>, HostError> {
    // SAFETY: both out-parameters are valid for the write.
    let bytes =
        returned(|data, size| unsafe { proxy_get_buffer_bytes(buffer, start, max_size, data, size) })?;
    Ok(bytes.unwrap_or_default())
}

/// A property by its path, the segments separated by NUL.
pub(super) fn property(path: &str) -> Result<Option<Vec<u8>>, HostError> {
    // SAFETY: the slice outlives the call; both out-parameters are valid for the write.
    returned(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

/// Sets a property of the stream: filter state that both roles can read.
pub(super) fn set_property(path: &str, value: &[u8]) -> Result<(), HostError> {
    // SAFETY: the slices outlive the call.
    checked(unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) })
}

/// Makes a metric, or finds it by its name. `kind`: 0 counter, 1 gauge, 2 histogram.
pub(super) fn define_metric(kind: u32, name: &str) -> Result<u32, HostError> {
    let mut id = 0;
    // SAFETY: the slice outlives the call; `id` is valid for the write.
    checked(unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) })?;
    Ok(id)
}

/// Adds to a counter.
pub(super) fn increment_metric(id: u32, offset: i64) -> Result<(), HostError> {
    // SAFETY: no pointers.
    checked(unsafe { proxy_increment_metric(id, offset) })
}

/// Sets a gauge, or adds a value to a histogram.
pub(super) fn record_metric(id: u32, value: u64) -> Result<(), HostError> {
    // SAFETY: no pointers.
    checked(unsafe { proxy_record_metric(id, value) })
}

/// A value in the memory of all workers, and its number (compare and swap).
pub(super) fn shared_data(key: &str) -> Result<Option<(Vec<u8>, u32)>, HostError> {
    let mut number = 0;
    let value = returned(|data, size| {
        // SAFETY: the slice outlives the call; all out-parameters are valid for the write.
        unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut number) }
    })?;
    Ok(value.map(|value| (value, number)))
}

/// Sets a value in the memory of all workers; with a number other than 0 only if it is still the value's.
pub(super) fn set_shared_data(key: &str, value: &[u8], number: u32) -> Result<(), HostError> {
    // SAFETY: the slices outlive the call.
    checked(unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), number) })
}

/// Ends the request with a reply of the gateway's own. `headers` in the ABI's serialised form.
pub(super) fn reply(status: u16, details: &str, headers: &[u8], body: &[u8]) -> Result<(), HostError> {
    // SAFETY: the slices outlive the call.
    checked(unsafe {
        proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            -1,
        )
    })
}
