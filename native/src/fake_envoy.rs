//! The functions of Envoy for the unit tests, which have no Envoy. Most do nothing.

#![expect(unsafe_code, reason = "functions with the names of Envoy's")]

use std::cell::RefCell;
use std::ffi::c_void;
use std::slice;

thread_local! {
    static ASKED: RefCell<Vec<String>> = RefCell::default();
}

/// Takes what the module has asked of Envoy on this thread.
pub(crate) fn asked() -> Vec<String> {
    ASKED.take()
}

fn ask(what: String) {
    ASKED.with_borrow_mut(|asked| asked.push(what));
}

/// Bytes that the module passes.
#[repr(C)]
struct PassedBytes(*const u8, usize);

impl PassedBytes {
    fn text(&self) -> String {
        // SAFETY: the bytes outlive the call.
        String::from_utf8_lossy(unsafe { slice::from_raw_parts(self.0, self.1) }).into_owned()
    }
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_set_header(
    _: *mut c_void,
    _: u32,
    name: PassedBytes,
    value: PassedBytes,
) -> bool {
    ask(format!("{}: {}", name.text(), value.text()));
    true
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_send_response(
    _: *mut c_void,
    status: u32,
    _: *const c_void,
    _: usize,
    _: PassedBytes,
    details: PassedBytes,
) {
    ask(format!("{status} {}", details.text()));
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_filter_reset_stream(
    _: *mut c_void,
    _: u32,
    details: PassedBytes,
) {
    ask(format!("reset {}", details.text()));
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_filter_config_increment_counter(
    _: *mut c_void,
    id: usize,
    _: *const c_void,
    _: usize,
    value: u64,
) -> u32 {
    ask(format!("counter {id}: {value}"));
    0
}

/// Functions that return 0, whatever their arguments are.
macro_rules! idle {
    ($($name:ident)*) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $name() -> usize {
                0
            }
        )*
    };
}

idle! {
    envoy_dynamic_module_callback_log
    envoy_dynamic_module_callback_http_filter_config_define_counter
    envoy_dynamic_module_callback_http_filter_config_define_gauge
    envoy_dynamic_module_callback_http_filter_config_define_histogram
    envoy_dynamic_module_callback_http_filter_increment_counter
    envoy_dynamic_module_callback_http_filter_set_gauge
    envoy_dynamic_module_callback_http_filter_record_histogram_value
    envoy_dynamic_module_callback_http_filter_config_set_gauge
    envoy_dynamic_module_callback_http_filter_config_record_histogram_value
    envoy_dynamic_module_callback_http_get_headers_size
    envoy_dynamic_module_callback_http_get_headers
    envoy_dynamic_module_callback_http_add_header
    envoy_dynamic_module_callback_http_get_body_size
    envoy_dynamic_module_callback_http_get_body_chunks_size
    envoy_dynamic_module_callback_http_get_body_chunks
    envoy_dynamic_module_callback_http_append_body
    envoy_dynamic_module_callback_http_drain_body
    envoy_dynamic_module_callback_http_set_filter_state_bytes
    envoy_dynamic_module_callback_http_get_filter_state_bytes
    envoy_dynamic_module_callback_http_get_metadata_string
    envoy_dynamic_module_callback_http_filter_get_attribute_int
    envoy_dynamic_module_callback_http_clear_route_cache
    envoy_dynamic_module_callback_http_filter_continue_decoding
    envoy_dynamic_module_callback_http_filter_scheduler_new
    envoy_dynamic_module_callback_http_filter_scheduler_commit
    envoy_dynamic_module_callback_http_filter_scheduler_delete
    envoy_dynamic_module_callback_http_filter_config_scheduler_new
    envoy_dynamic_module_callback_http_filter_config_scheduler_commit
    envoy_dynamic_module_callback_http_filter_config_scheduler_delete
    envoy_dynamic_module_callback_http_filter_config_http_callout
}
