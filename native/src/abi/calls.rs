//! The functions of Envoy that the module calls.

#![expect(unsafe_code, reason = "foreign functions; mod.rs has the invariants")]

use super::types::{EnvoyBytes, EnvoyHeader, EnvoyPointer, ModuleBytes, ModuleHeader};

#[rustfmt::skip]
unsafe extern "C" {
    pub(crate) fn envoy_dynamic_module_callback_log(level: u32, message: ModuleBytes);

    pub(crate) fn envoy_dynamic_module_callback_http_filter_config_define_counter(
        config: EnvoyPointer,
        name: ModuleBytes,
        labels: *const ModuleBytes,
        count: usize,
        id: *mut usize,
    ) -> u32;
    pub(crate) fn envoy_dynamic_module_callback_http_filter_config_define_gauge(
        config: EnvoyPointer,
        name: ModuleBytes,
        labels: *const ModuleBytes,
        count: usize,
        id: *mut usize,
    ) -> u32;
    pub(crate) fn envoy_dynamic_module_callback_http_filter_config_define_histogram(
        config: EnvoyPointer,
        name: ModuleBytes,
        labels: *const ModuleBytes,
        count: usize,
        id: *mut usize,
    ) -> u32;
    pub(crate) fn envoy_dynamic_module_callback_http_filter_increment_counter(
        stream: EnvoyPointer,
        id: usize,
        values: *const ModuleBytes,
        count: usize,
        value: u64,
    ) -> u32;
    pub(crate) fn envoy_dynamic_module_callback_http_filter_set_gauge(
        stream: EnvoyPointer,
        id: usize,
        values: *const ModuleBytes,
        count: usize,
        value: u64,
    ) -> u32;
    pub(crate) fn envoy_dynamic_module_callback_http_filter_record_histogram_value(
        stream: EnvoyPointer,
        id: usize,
        values: *const ModuleBytes,
        count: usize,
        value: u64,
    ) -> u32;
    pub(crate) fn envoy_dynamic_module_callback_http_filter_config_increment_counter(
        config: EnvoyPointer,
        id: usize,
        values: *const ModuleBytes,
        count: usize,
        value: u64,
    ) -> u32;
    pub(crate) fn envoy_dynamic_module_callback_http_filter_config_set_gauge(
        config: EnvoyPointer,
        id: usize,
        values: *const ModuleBytes,
        count: usize,
        value: u64,
    ) -> u32;
    pub(crate) fn envoy_dynamic_module_callback_http_filter_config_record_histogram_value(
        config: EnvoyPointer,
        id: usize,
        values: *const ModuleBytes,
        count: usize,
        value: u64,
    ) -> u32;

    pub(crate) fn envoy_dynamic_module_callback_http_get_headers_size(stream: EnvoyPointer, map: u32) -> usize;
    pub(crate) fn envoy_dynamic_module_callback_http_get_headers(
        stream: EnvoyPointer,
        map: u32,
        headers: *mut EnvoyHeader,
    ) -> bool;
    pub(crate) fn envoy_dynamic_module_callback_http_add_header(
        stream: EnvoyPointer,
        map: u32,
        name: ModuleBytes,
        value: ModuleBytes,
    ) -> bool;
    pub(crate) fn envoy_dynamic_module_callback_http_set_header(
        stream: EnvoyPointer,
        map: u32,
        name: ModuleBytes,
        value: ModuleBytes,
    ) -> bool;

    pub(crate) fn envoy_dynamic_module_callback_http_get_body_size(stream: EnvoyPointer, part: u32) -> usize;
    pub(crate) fn envoy_dynamic_module_callback_http_get_body_chunks_size(stream: EnvoyPointer, part: u32) -> usize;
    pub(crate) fn envoy_dynamic_module_callback_http_get_body_chunks(
        stream: EnvoyPointer,
        part: u32,
        chunks: *mut EnvoyBytes,
    ) -> bool;
    pub(crate) fn envoy_dynamic_module_callback_http_append_body(
        stream: EnvoyPointer,
        part: u32,
        bytes: ModuleBytes,
    ) -> bool;
    pub(crate) fn envoy_dynamic_module_callback_http_drain_body(stream: EnvoyPointer, part: u32, size: usize) -> bool;

    pub(crate) fn envoy_dynamic_module_callback_http_set_filter_state_bytes(
        stream: EnvoyPointer,
        key: ModuleBytes,
        value: ModuleBytes,
    ) -> bool;
    pub(crate) fn envoy_dynamic_module_callback_http_get_filter_state_bytes(
        stream: EnvoyPointer,
        key: ModuleBytes,
        value: *mut EnvoyBytes,
    ) -> bool;
    pub(crate) fn envoy_dynamic_module_callback_http_get_metadata_string(
        stream: EnvoyPointer,
        source: u32,
        namespace: ModuleBytes,
        key: ModuleBytes,
        value: *mut EnvoyBytes,
    ) -> bool;
    pub(crate) fn envoy_dynamic_module_callback_http_filter_get_attribute_string(
        stream: EnvoyPointer,
        attribute: u32,
        value: *mut EnvoyBytes,
    ) -> bool;
    pub(crate) fn envoy_dynamic_module_callback_http_filter_get_attribute_int(
        stream: EnvoyPointer,
        attribute: u32,
        value: *mut u64,
    ) -> bool;

    pub(crate) fn envoy_dynamic_module_callback_http_clear_route_cache(stream: EnvoyPointer);
    pub(crate) fn envoy_dynamic_module_callback_http_filter_continue_decoding(stream: EnvoyPointer);
    pub(crate) fn envoy_dynamic_module_callback_http_send_response(
        stream: EnvoyPointer,
        status: u32,
        headers: *const ModuleHeader,
        count: usize,
        body: ModuleBytes,
        details: ModuleBytes,
    );
    pub(crate) fn envoy_dynamic_module_callback_http_filter_reset_stream(
        stream: EnvoyPointer,
        reason: u32,
        details: ModuleBytes,
    );

    pub(crate) fn envoy_dynamic_module_callback_http_filter_scheduler_new(stream: EnvoyPointer) -> EnvoyPointer;
    pub(crate) fn envoy_dynamic_module_callback_http_filter_scheduler_commit(scheduler: EnvoyPointer, event: u64);
    pub(crate) fn envoy_dynamic_module_callback_http_filter_scheduler_delete(scheduler: EnvoyPointer);
    pub(crate) fn envoy_dynamic_module_callback_http_filter_config_scheduler_new(config: EnvoyPointer) -> EnvoyPointer;
    pub(crate) fn envoy_dynamic_module_callback_http_filter_config_scheduler_commit(scheduler: EnvoyPointer, event: u64);
    pub(crate) fn envoy_dynamic_module_callback_http_filter_config_scheduler_delete(scheduler: EnvoyPointer);
    pub(crate) fn envoy_dynamic_module_callback_http_filter_config_http_callout(
        config: EnvoyPointer,
        id: *mut u64,
        cluster: ModuleBytes,
        headers: *const ModuleHeader,
        count: usize,
        body: ModuleBytes,
        timeout_milliseconds: u64,
    ) -> u32;
}
