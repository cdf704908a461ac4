//! Functions that the `proxy-wasm` crate imports whether the filter calls them or not. They link,
//! and a call traps.

pub(super) const TABLE: &[(&str, &str)] = &[
    ("proxy_add_header_map_value", "iiiii>i"),
    ("proxy_call_foreign_function", "iiiiii>i"),
    ("proxy_close_stream", "i>i"),
    ("proxy_dequeue_shared_queue", "iii>i"),
    ("proxy_done", ">i"),
    ("proxy_enqueue_shared_queue", "iii>i"),
    ("proxy_get_status", "iii>i"),
    ("proxy_grpc_call", "iiiiiiiiiiii>i"),
    ("proxy_grpc_cancel", "i>i"),
    ("proxy_grpc_close", "i>i"),
    ("proxy_grpc_send", "iiii>i"),
    ("proxy_grpc_stream", "iiiiiiiii>i"),
    ("proxy_register_shared_queue", "iii>i"),
    ("proxy_remove_header_map_value", "iii>i"),
    ("proxy_resolve_shared_queue", "iiiii>i"),
];
