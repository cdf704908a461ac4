//! Why the limits are there, as comments of the rendered file.

/// A line without its indentation, or its key with the colon, and what is said about it. A line
/// that occurs several times in a file has its comment once.
pub(super) const COMMENTS: [(&str, &str); 42] = [
    (
        "max_heap_size_bytes:",
        "Limit of Envoy's heap (--max-heap). The actions and load shed points here keep it. The VMs of \
         the filter and Envoy's binary take 80 to 100 MiB more.",
    ),
    (
        "max_active_downstream_connections:",
        "Limit of open client connections. More are closed at once, before they cost memory.",
    ),
    (
        "- name: envoy.overload_actions.shrink_heap",
        "Return freed memory to the system earlier than usual.",
    ),
    (
        "- name: envoy.overload_actions.reset_high_memory_stream",
        "Reset the HTTP/2 streams with the largest buffers: from 128 MiB at first, from 1 MiB at last.",
    ),
    (
        "minimum_account_to_track_power_of_two:",
        "Streams whose buffers exceed 2^20 bytes can be reset.",
    ),
    (
        "- name: envoy.overload_actions.stop_accepting_requests",
        "Refuse new requests with a typed 503 and retry-after.",
    ),
    (
        "- name: envoy.load_shed_points.http1_server_abort_dispatch",
        "End HTTP/1.1 uploads with the same 503: Envoy can reset streams of HTTP/2 only.",
    ),
    (
        "- name: envoy.load_shed_points.tcp_listener_accept",
        "Close new connections at once.",
    ),
    (
        "refresh_interval:",
        "How often the heap is measured. A fast client sends 30 MB in less.",
    ),
    (
        "overload.premature_reset_total_stream_count:",
        "Rapid reset: a connection is closed after this many streams if the client reset half of them \
         prematurely.",
    ),
    (
        "overload.premature_reset_min_stream_lifetime_seconds:",
        "Rapid reset: a stream that is reset within this time is premature.",
    ),
    (
        "http.max_requests_per_io_cycle:",
        "Rapid reset: one connection cannot begin more requests before the others have their turn.",
    ),
    (
        "per_connection_buffer_limit_bytes:",
        "How much is read at once, and queued for a slow reader. It does not limit bodies.",
    ),
    (
        "request_body_buffer_limit:",
        "Above the filter's limit of a body, so that the filter refuses a larger one, with its reason. \
         Twice, because Envoy 1.37 counts a body twice when it decides about retries.",
    ),
    (
        "exact_balance:",
        "Each worker has as many connections as the others, however few and long-lived they are.",
    ),
    (
        "tcp_keepalive:",
        "Notice a peer that is gone, instead of waiting for a timeout.",
    ),
    (
        "max_request_headers_kb:",
        "Size of a request's headers. More is refused with 431, or resets the HTTP/2 stream. It also \
         bounds a flood of CONTINUATION frames.",
    ),
    (
        "max_headers_count:",
        "Number of headers of a message. More is refused in the same way.",
    ),
    (
        "max_response_headers_kb:",
        "Size of a response's headers. More is a 502 for the client.",
    ),
    (
        "cluster_specifier_plugins:",
        "The region cluster of each attempt, from the itinerary that the filter sets as filter state. \
         Envoy chooses again before each retry (refresh_cluster_on_retry).",
    ),
    (
        "request_headers_timeout:",
        "Time for the headers of a request to arrive.",
    ),
    ("request_timeout:", "Time for a whole request to arrive."),
    (
        "stream_idle_timeout:",
        "How long an upload may be silent. Once a request is admitted, its route's timeouts apply.",
    ),
    (
        "idle_timeout: 900s",
        "How long a connection may be open without a request.",
    ),
    (
        "max_concurrent_streams:",
        "Requests at a time on one HTTP/2 connection.",
    ),
    (
        "initial_stream_window_size:",
        "What may be in flight on one HTTP/2 stream. Envoy's advice is 64 KiB, which is 0.8 MB/s at a \
         round trip of 80 ms. It does not limit bodies.",
    ),
    (
        "initial_connection_window_size:",
        "What may be in flight on all streams of an HTTP/2 connection.",
    ),
    (
        "max_outbound_frames:",
        "HTTP/2 frames that may wait for a client that does not read. More closes the connection.",
    ),
    (
        "max_outbound_control_frames:",
        "The same for responses to floods of PING, SETTINGS and RST_STREAM.",
    ),
    (
        "max_consecutive_inbound_frames_with_empty_payload:",
        "Empty HTTP/2 frames in a row. More closes the connection.",
    ),
    (
        "max_inbound_priority_frames_per_stream:",
        "PRIORITY frames for each stream that was opened. More closes the connection.",
    ),
    (
        "max_inbound_window_update_frames_per_data_frame_sent:",
        "WINDOW_UPDATE frames for each DATA frame that was sent. More closes the connection.",
    ),
    (
        "- name: envoy_bedrock_credentials",
        "The credential broker. No route leads there: only the filter asks it for credentials.",
    ),
    (
        "outlier_detection:",
        "An address that cannot be reached is ejected. Responses never eject one: they are about a model or an \
         account, which the filter's cooldowns are for.",
    ),
    (
        "base_ejection_time:",
        "How long, times the number of ejections. Connections fail at once, so trying again is cheap.",
    ),
    (
        "consecutive_local_origin_failure:",
        "Failed connections in a row.",
    ),
    ("interval:", "How often Envoy checks whether an ejection is over."),
    ("max_ejection_percent:", "Never all addresses of a region."),
    (
        "rate_limited_retry_back_off:",
        "The pause before another attempt on the same deployment, which the filter sets.",
    ),
    ("retry_back_off:", "The pause before any other attempt."),
    (
        "refresh_cluster_on_retry:",
        "Each attempt goes where the itinerary leads by then.",
    ),
    (
        "max_connections:",
        "Limits of a cluster or listener. Those of the clusters are never reached: clients are limited \
         at the listeners.",
    ),
];

/// `document` with a comment above each line of the table, the first time that it occurs.
pub(super) fn annotate(document: &str) -> String {
    let mut waiting: Vec<&(&str, &str)> = COMMENTS.iter().collect();
    let mut annotated = String::with_capacity(document.len());
    for line in document.lines() {
        let text = line.trim_start();
        if let Some(index) = waiting.iter().position(|(start, _)| is_about(text, start)) {
            let (_, comment) = waiting.swap_remove(index);
            let indentation = &line[..line.len() - text.len()];
            annotated.extend([indentation, "# ", comment, "\n"]);
        }
        annotated.extend([line, "\n"]);
    }
    annotated
}

/// Whether a line is `start`, or begins with it as a key. The first key of a list's entry has a
/// dash.
fn is_about(text: &str, start: &str) -> bool {
    let text = if start.starts_with('-') {
        text
    } else {
        text.trim_start_matches("- ")
    };
    text.strip_prefix(start)
        .is_some_and(|rest| rest.is_empty() || (start.ends_with(':') && rest.starts_with(' ')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_above_its_line_with_the_same_indentation_and_once() {
        let document = "a:\n  - max_connections: 1\n    other: 2\nmax_connections: 3\n";
        let comment = COMMENTS.last().unwrap().1;
        let expected =
            format!("a:\n  # {comment}\n  - max_connections: 1\n    other: 2\nmax_connections: 3\n");
        assert_eq!(annotate(document), expected);
    }

    #[test]
    fn a_longer_key_and_other_text_have_no_comment() {
        let document = "max_connections_to_accept: 1\n\"max_connections\": 2\nmax_connections:3\n";
        assert_eq!(annotate(document), document);
    }

    #[test]
    fn a_setting_with_an_object_has_a_comment() {
        assert!(annotate("tcp_keepalive:\n  keepalive_time: 1\n").starts_with("# Notice"));
    }
}
