//! What Envoy calls: the callbacks of the proxy-wasm ABI 0.2.1 that are used, and no other, since each costs a call
//! into the VM for each stream of both roles. Envoy takes what is not exported as "nothing to do".
//!
//! <https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1>

#![expect(unsafe_code, reason = "names and memory that the ABI gives to Envoy")]

use super::{logger, vm};

unsafe extern "C" {
    /// The C library's constructors; a module without `main` runs them itself.
    fn __wasm_call_ctors();
}

/// Tells the ABI's version by its name.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// The first call into a VM.
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    // SAFETY: called once, before anything else.
    unsafe { __wasm_call_ctors() };
    logger::install();
}

/// Memory for what a host call returns; [`super::host`] takes it over as a vector of the same size.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    Box::into_raw(vec![0; size].into_boxed_slice()).cast()
}

/// A plugin (`root_id` 0) or a stream of one begins.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context_id: u32, root_id: u32) {
    vm::create(context_id, root_id);
}

/// A plugin is to take a configuration of `size` bytes. Returns whether it did.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(context_id: u32, size: usize) -> u32 {
    vm::configure(context_id, size).into()
}

/// The timer of a plugin has fired.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(context_id: u32) {
    vm::tick(context_id);
}

/// The request's headers are there, and with `ends` no body follows.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context_id: u32, _count: u32, ends: u32) -> u32 {
    vm::request(context_id, |stream| stream.request_headers(ends != 0)) as u32
}

/// The request's body has grown to `size` bytes since it was last passed on, and with `ends` it is complete.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(context_id: u32, size: usize, ends: u32) -> u32 {
    vm::request(context_id, |stream| stream.request_body(size, ends != 0)) as u32
}

/// The request ends with trailers instead of its body.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(context_id: u32, _count: u32) -> u32 {
    vm::request(context_id, vm::Stream::request_trailers) as u32
}

/// The answer's headers are there, and with `ends` no body follows.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(context_id: u32, _count: u32, ends: u32) -> u32 {
    vm::response(context_id, |stream| stream.response_headers(ends != 0)) as u32
}

/// `size` bytes of the answer's body are here since some were last passed on, and with `ends` they are the last.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(context_id: u32, size: usize, ends: u32) -> u32 {
    vm::response(context_id, |stream| stream.response_body(size, ends != 0)) as u32
}

/// The answer ends with trailers instead of its body.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(context_id: u32, _count: u32) -> u32 {
    vm::response(context_id, vm::Stream::response_trailers) as u32
}

/// Envoy is about to write the access log, for the stream in the listener only.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(context_id: u32) {
    vm::log(context_id);
}

/// A plugin or a stream is over.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context_id: u32) {
    vm::delete(context_id);
}
