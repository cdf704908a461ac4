//! The memory of the module, which is glibc's. Envoy's own comes from another allocator.

#![expect(unsafe_code, reason = "a function of glibc")]

use std::ffi::c_int;

unsafe extern "C" {
    fn malloc_trim(kept: usize) -> c_int;
}

/// Returns memory that is free to the system. glibc would keep it.
pub(crate) fn trim() {
    // SAFETY: it may be called at any time, on any thread.
    let _released = unsafe { malloc_trim(0) };
}
