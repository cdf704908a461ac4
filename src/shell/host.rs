//! The host calls of the proxy-wasm ABI 0.2.1 that the filter uses. A call that fails returns a
//! [`HostError`].
//!
//! The `proxy-wasm` crate wraps the same calls, but its wrappers panic on unexpected statuses. That
//! traps the VM and fails every request of the worker, so `clippy.toml` disallows them. The crate
//! also declares the status to be an enum, so an unknown value would be undefined behavior.
//!
//! <https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1>

#![expect(
    unsafe_code,
    reason = "foreign functions of the host; every pointer comes from a slice or is an out-parameter"
)]

use std::ptr::null_mut;
use std::time::Duration;

use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, LogLevel, MapType, MetricType, Status, StreamType};

use crate::routing::brokered::CALL_TIMEOUT_MILLISECONDS;
use crate::time::UnixTime;

/// Why a host call failed: the status that the host returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HostError(pub(super) u32);

impl HostError {
    /// The host has fewer bytes than were requested.
    pub(super) const EMPTY: Self = Self(Status::Empty as u32);
}

const OK: u32 = Status::Ok as u32;
const NOT_FOUND: u32 = Status::NotFound as u32;
/// The start of a slice. Its length is the next argument.
type In = *const u8;
/// Where the host writes the address of a result, and its length to [`Size`].
type Out = *mut *mut u8;
type Size = *mut usize;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: LogLevel, message: In, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_header_map_pairs(map: MapType, data: Out, size: Size) -> u32;
    fn proxy_set_header_map_pairs(map: MapType, data: In, size: usize) -> u32;
    fn proxy_replace_header_map_value(map: MapType, key: In, key_size: usize, value: In, size: usize) -> u32;
    fn proxy_get_buffer_bytes(buffer: BufferType, start: usize, max: usize, data: Out, size: Size) -> u32;
    fn proxy_set_buffer_bytes(buffer: BufferType, start: usize, size: usize, data: In, len: usize) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_continue_stream(stream: StreamType) -> u32;
    fn proxy_set_effective_context(context_id: u32) -> u32;
    fn proxy_define_metric(kind: MetricType, name: In, size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_get_shared_data(key: In, key_size: usize, data: Out, size: Size, cas: *mut u32) -> u32;
    fn proxy_set_shared_data(key: In, key_size: usize, value: In, size: usize, cas: u32) -> u32;
    fn proxy_get_property(path: In, path_size: usize, data: Out, size: Size) -> u32;
    fn proxy_set_property(path: In, path_size: usize, value: In, size: usize) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: In,
        details_size: usize,
        body: In,
        body_size: usize,
        headers: In,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
}

fn checked(status: u32) -> Result<(), HostError> {
    (status == OK).then_some(()).ok_or(HostError(status))
}

/// Takes the result of a call, which the host has written into memory allocated by this module.
fn returned(call: impl FnOnce(Out, Size) -> u32) -> Result<Option<Vec<u8>>, HostError> {
    let mut data: *mut u8 = null_mut();
    let mut size: usize = 0;
    match call(&raw mut data, &raw mut size) {
        NOT_FOUND => Ok(None),
        OK if data.is_null() => Ok(None),
        // SAFETY: the host got `data` from the crate's `proxy_on_memory_allocate`, which returns a
        // boxed slice of `size` bytes.
        OK => Ok(Some(unsafe { Vec::from_raw_parts(data, size, size) })),
        status => Err(HostError(status)),
    }
}

/// Writes a line to Envoy's log. A line that cannot be written is lost.
pub(super) fn log(level: LogLevel, message: &str) {
    // SAFETY: the slice outlives the call.
    let _lost = unsafe { proxy_log(level, message.as_ptr(), message.len()) };
}

/// The wall clock.
pub(super) fn clock() -> Result<UnixTime, HostError> {
    let mut time = 0;
    // SAFETY: `time` is valid for the write.
    checked(unsafe { proxy_get_current_time_nanoseconds(&raw mut time) })?;
    Ok(UnixTime::from_nanoseconds(time))
}

/// The wall clock, for records and durations. 1970 if the call fails.
pub(super) fn now() -> UnixTime {
    clock().unwrap_or_default()
}

/// All headers of a map, serialized (see [`crate::headers::pairs`]).
pub(super) fn headers(map: MapType) -> Result<Vec<u8>, HostError> {
    // SAFETY: both out-parameters are valid for the write.
    let pairs = returned(|data, size| unsafe { proxy_get_header_map_pairs(map, data, size) })?;
    Ok(pairs.unwrap_or_default())
}

/// Replaces all headers of a map with serialized `pairs`.
pub(super) fn set_headers(map: MapType, pairs: &[u8]) -> Result<(), HostError> {
    // SAFETY: the slice outlives the call.
    checked(unsafe { proxy_set_header_map_pairs(map, pairs.as_ptr(), pairs.len()) })
}

/// Sets a header to one value.
pub(super) fn set_header(map: MapType, name: &str, value: &str) -> Result<(), HostError> {
    // SAFETY: the slices outlive the call.
    checked(unsafe {
        proxy_replace_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// Up to `max_size` bytes of a buffer from offset `start`.
pub(super) fn buffer(buffer: BufferType, start: usize, max_size: usize) -> Result<Vec<u8>, HostError> {
    // SAFETY: both out-parameters are valid for the write.
    let bytes =
        returned(|data, size| unsafe { proxy_get_buffer_bytes(buffer, start, max_size, data, size) })?;
    Ok(bytes.unwrap_or_default())
}

/// Replaces `size` bytes of the buffered request body at offset `start`, which must be 0, or beyond
/// the end to append. Fails outside body callbacks.
pub(super) fn set_request_body(start: usize, size: usize, bytes: &[u8]) -> Result<(), HostError> {
    let buffer = BufferType::HttpRequestBody;
    // SAFETY: the slice outlives the call.
    checked(unsafe { proxy_set_buffer_bytes(buffer, start, size, bytes.as_ptr(), bytes.len()) })
}

/// Sets the timer of the current context's plugin to fire every `milliseconds`; 0 stops it.
pub(super) fn set_tick_period(milliseconds: u32) -> Result<(), HostError> {
    // SAFETY: no pointers.
    checked(unsafe { proxy_set_tick_period_milliseconds(milliseconds) })
}

/// Passes a request that was paused on to the next filter.
pub(super) fn continue_request() -> Result<(), HostError> {
    // SAFETY: no pointers.
    checked(unsafe { proxy_continue_stream(StreamType::HttpRequest) })
}

/// Directs the remaining host calls of this callback to the context `context_id`.
pub(super) fn set_effective_context(context_id: u32) -> Result<(), HostError> {
    // SAFETY: no pointers.
    checked(unsafe { proxy_set_effective_context(context_id) })
}

/// The property at `path`, whose segments are separated by NUL.
pub(super) fn property(path: &str) -> Result<Option<Vec<u8>>, HostError> {
    // SAFETY: the slice outlives the call; both out-parameters are valid for the write.
    returned(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

/// Sets a property of the stream: filter state, which both roles can read.
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

/// A value in the shared data and its compare-and-swap number.
pub(super) fn shared_data(key: &str) -> Result<Option<(Vec<u8>, u32)>, HostError> {
    let mut number = 0;
    let value = returned(|data, size| {
        // SAFETY: the slice outlives the call; all out-parameters are valid for the write.
        unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut number) }
    })?;
    Ok(value.map(|value| (value, number)))
}

/// Sets a value in the shared data. If `number` is not 0, fails unless the value still has it.
pub(super) fn set_shared_data(key: &str, value: &[u8], number: u32) -> Result<(), HostError> {
    // SAFETY: the slices outlive the call.
    checked(unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), number) })
}

/// Begins an HTTP call from the current context to `cluster`, and returns its token.
#[expect(
    clippy::disallowed_methods,
    reason = "the crate's dispatcher panics on the answer to a call that it does not know; Envoy returns no other \
              status than those that the wrapper expects"
)]
pub(super) fn call(cluster: &str, headers: &[(&str, &str)]) -> Result<u32, HostError> {
    let timeout = Duration::from_millis(u64::from(CALL_TIMEOUT_MILLISECONDS));
    let token = hostcalls::dispatch_http_call(cluster, headers.to_vec(), None, Vec::new(), timeout);
    token.map_err(|status| HostError(status as u32))
}

/// Ends the stream with a local reply. `headers` are serialized.
pub(super) fn reply(status: u16, headers: &[u8], body: &[u8]) -> Result<(), HostError> {
    // SAFETY: the slices outlive the call.
    let details = "envoy_bedrock";
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
