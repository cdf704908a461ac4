//! Envoy's side of the proxy-wasm ABI 0.2.1, as far as the filter uses it. Each call returns a
//! failure as a [`HostError`].
//!
//! The `proxy-wasm` crate has wrappers for the same calls, and they are not used: `clippy.toml`
//! lists them as disallowed. They panic on every status that they do not expect, and the traits'
//! methods panic on every failure. A panic is a trap, and a trap costs every request of that
//! worker. The crate also declares the calls to return an enum, so a status that it does not know
//! is undefined behaviour; here a status is a number.
//!
//! <https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1>

#![expect(
    unsafe_code,
    reason = "foreign functions of the host; every pointer comes from a slice or is an out-parameter"
)]

use std::ptr::null_mut;

use proxy_wasm::types::{BufferType, LogLevel, MapType, MetricType, Status};

/// Why a host call failed: the status that the host returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HostError(pub(super) u32);

impl HostError {
    /// The host has fewer bytes than were requested.
    pub(super) const EMPTY: Self = Self(Status::Empty as u32);
}

const OK: u32 = Status::Ok as u32;
const NOT_FOUND: u32 = Status::NotFound as u32;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: LogLevel, message: *const u8, message_size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_header_map_pairs(map: MapType, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_header_map_pairs(map: MapType, data: *const u8, size: usize) -> u32;
    fn proxy_get_header_map_value(
        map: MapType,
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: MapType,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: BufferType,
        start: usize,
        max_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_buffer_bytes(
        buffer: BufferType,
        start: usize,
        size: usize,
        data: *const u8,
        data_size: usize,
    ) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_set_effective_context(context_id: u32) -> u32;
    fn proxy_define_metric(kind: MetricType, name: *const u8, name_size: usize, id: *mut u32) -> u32;
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
    if status == OK {
        Ok(())
    } else {
        Err(HostError(status))
    }
}

/// The bytes that the host has written into memory that it had this module allocate.
fn returned(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Option<Vec<u8>>, HostError> {
    let mut data: *mut u8 = null_mut();
    let mut size: usize = 0;
    match call(&raw mut data, &raw mut size) {
        NOT_FOUND => Ok(None),
        OK if data.is_null() => Ok(None),
        // SAFETY: the host got `data` from the crate's `proxy_on_memory_allocate`, which returns a
        // boxed slice of `size` bytes, and has filled it.
        OK => Ok(Some(unsafe { Vec::from_raw_parts(data, size, size) })),
        status => Err(HostError(status)),
    }
}

/// Writes a line to Envoy's log. A line that cannot be written is lost.
pub(super) fn log(level: LogLevel, message: &str) {
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
    headers(MapType::HttpRequestHeaders)
}

/// The response's headers in the same form.
pub(super) fn response_headers() -> Result<Vec<u8>, HostError> {
    headers(MapType::HttpResponseHeaders)
}

fn headers(map: MapType) -> Result<Vec<u8>, HostError> {
    // SAFETY: both out-parameters are valid for the write.
    let pairs = returned(|data, size| unsafe { proxy_get_header_map_pairs(map, data, size) })?;
    Ok(pairs.unwrap_or_default())
}

/// Replaces all of the request's headers.
pub(super) fn set_request_headers(pairs: &[u8]) -> Result<(), HostError> {
    // SAFETY: the slice outlives the call.
    checked(unsafe { proxy_set_header_map_pairs(MapType::HttpRequestHeaders, pairs.as_ptr(), pairs.len()) })
}

/// Replaces all of the response's headers.
pub(super) fn set_response_headers(pairs: &[u8]) -> Result<(), HostError> {
    // SAFETY: the slice outlives the call.
    checked(unsafe { proxy_set_header_map_pairs(MapType::HttpResponseHeaders, pairs.as_ptr(), pairs.len()) })
}

/// Removes all of the request's trailers.
pub(super) fn clear_request_trailers() -> Result<(), HostError> {
    let none = crate::headers::pairs::serialise([].into_iter());
    // SAFETY: the slice outlives the call.
    checked(unsafe { proxy_set_header_map_pairs(MapType::HttpRequestTrailers, none.as_ptr(), none.len()) })
}

/// A response header's first value.
pub(super) fn response_header(name: &str) -> Result<Option<Vec<u8>>, HostError> {
    returned(|data, size| {
        // SAFETY: the slice outlives the call; both out-parameters are valid for the write.
        unsafe {
            proxy_get_header_map_value(
                MapType::HttpResponseHeaders,
                name.as_ptr(),
                name.len(),
                data,
                size,
            )
        }
    })
}

/// Sets a request header to one value.
pub(super) fn set_request_header(name: &str, value: &str) -> Result<(), HostError> {
    set_header(MapType::HttpRequestHeaders, name, value)
}

/// Sets a response header to one value.
pub(super) fn set_response_header(name: &str, value: &str) -> Result<(), HostError> {
    set_header(MapType::HttpResponseHeaders, name, value)
}

fn set_header(map: MapType, name: &str, value: &str) -> Result<(), HostError> {
    // SAFETY: the slices outlive the call.
    checked(unsafe {
        proxy_replace_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// Bytes `start..start + max_size` of the request's body as far as it is buffered.
pub(super) fn request_body(start: usize, max_size: usize) -> Result<Vec<u8>, HostError> {
    buffer(BufferType::HttpRequestBody, start, max_size)
}

/// Replaces the first `size` bytes of the request's buffered body. Envoy can do this at the front
/// only.
pub(super) fn replace_request_body_front(size: usize, bytes: &[u8]) -> Result<(), HostError> {
    set_request_body(0, size, bytes)
}

/// Appends to the request's buffered body.
pub(super) fn append_request_body(bytes: &[u8]) -> Result<(), HostError> {
    // An offset beyond any end. The end of an empty body would also be its front.
    set_request_body(usize::MAX, 0, bytes)
}

fn set_request_body(start: usize, size: usize, bytes: &[u8]) -> Result<(), HostError> {
    // SAFETY: the slice outlives the call.
    checked(unsafe {
        proxy_set_buffer_bytes(
            BufferType::HttpRequestBody,
            start,
            size,
            bytes.as_ptr(),
            bytes.len(),
        )
    })
}

/// Bytes `start..start + max_size` of the part of the response's body that is passing.
pub(super) fn response_body(start: usize, max_size: usize) -> Result<Vec<u8>, HostError> {
    buffer(BufferType::HttpResponseBody, start, max_size)
}

/// Empties the buffer of the request's body, which holds `size` bytes. Envoy allows this in a body
/// callback only.
pub(super) fn discard_request_body(size: usize) -> Result<(), HostError> {
    set_request_body(0, size, &[])
}

/// Sets the period of the timer of the current context's plugin; 0 stops the timer.
pub(super) fn set_tick_period(milliseconds: u32) -> Result<(), HostError> {
    // SAFETY: no pointers.
    checked(unsafe { proxy_set_tick_period_milliseconds(milliseconds) })
}

/// Makes `context_id` the context of all further calls in this callback.
pub(super) fn set_effective_context(context_id: u32) -> Result<(), HostError> {
    // SAFETY: no pointers.
    checked(unsafe { proxy_set_effective_context(context_id) })
}

/// The configuration of this plugin.
pub(super) fn plugin_configuration(size: usize) -> Result<Vec<u8>, HostError> {
    buffer(BufferType::PluginConfiguration, 0, size)
}

fn buffer(buffer: BufferType, start: usize, max_size: usize) -> Result<Vec<u8>, HostError> {
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

/// Defines a metric, or finds it by its name.
pub(super) fn define_metric(kind: MetricType, name: &str) -> Result<u32, HostError> {
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

/// A value in the memory of all workers, and its number for compare and swap.
pub(super) fn shared_data(key: &str) -> Result<Option<(Vec<u8>, u32)>, HostError> {
    let mut number = 0;
    let value = returned(|data, size| {
        // SAFETY: the slice outlives the call; all out-parameters are valid for the write.
        unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut number) }
    })?;
    Ok(value.map(|value| (value, number)))
}

/// Sets a value in the memory of all workers. A number other than 0 must still be the value's.
pub(super) fn set_shared_data(key: &str, value: &[u8], number: u32) -> Result<(), HostError> {
    // SAFETY: the slices outlive the call.
    checked(unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), number) })
}

/// Ends the request with a local reply. `headers` is in the ABI's serialised form.
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
