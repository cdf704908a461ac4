//! The spend log: one line of JSON per request.

use envoy_bedrock::contract::names::PROPERTY_ROW;
use serde_json::{Value, json};

use super::options::{AccessLog, RenderOptions};
use super::otlp;

/// Values that Envoy itself makes: no header and no path, since a client chooses those.
const ENVOY: [(&str, &str); 12] = [
    ("time", "%START_TIME%"),
    ("protocol", "%PROTOCOL%"),
    ("response_code", "%RESPONSE_CODE%"),
    ("response_flags", "%RESPONSE_FLAGS%"),
    ("details", "%RESPONSE_CODE_DETAILS%"),
    ("duration_ms", "%DURATION%"),
    ("first_byte_ms", "%RESPONSE_DURATION%"),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
    ("attempts", "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"),
    ("cluster", "%UPSTREAM_CLUSTER%"),
    ("upstream_host", "%UPSTREAM_HOST%"),
];

/// The local logger and, with a collector, a second one. The local log is complete even if the
/// collector misses rows.
pub(super) fn access_logs(options: &RenderOptions) -> Vec<Value> {
    let collector = options.collector.as_ref();
    std::iter::once(local(&options.access_log))
        .chain(collector.map(|collector| otlp::access_logger(collector, &body())))
        .collect()
}

fn local(target: &AccessLog) -> Value {
    let log_format = json!({
        "text_format_source": { "inline_string": line(&row()) + "\n" },
        "omit_empty_values": true,
    });
    match target {
        AccessLog::Stdout => json!({
            "name": "envoy.access_loggers.stdout",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
                "log_format": log_format,
            },
        }),
        AccessLog::File(path) => json!({
            "name": "envoy.access_loggers.file",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                "path": path,
                "log_format": log_format,
            },
        }),
    }
}

/// The line as the body of an OpenTelemetry record. This logger writes `-` for an absent value.
/// That is harmless within quotation marks, but in place of the filter's part it would break the
/// JSON, hence the expression.
fn body() -> String {
    let key = format!("'wasm.{PROPERTY_ROW}'");
    line(&format!(
        "%CEL({key} in filter_state ? filter_state[{key}] : '')%"
    ))
}

/// The filter's part of a line.
fn row() -> String {
    format!("%FILTER_STATE(wasm.{PROPERTY_ROW}:PLAIN)%")
}

/// The filter's part, then what only Envoy knows. The filter's part is the members of an object and
/// ends with a comma; it is empty for a request that Envoy refuses before the filter sees it. No
/// value here can contain a quotation mark.
fn line(row: &str) -> String {
    let envoy = ENVOY
        .map(|(name, value)| format!("\"{name}\":\"{value}\""))
        .join(",");
    format!(
        "{{{row}\"requester_ip_address\":\"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%\",\"envoy\":{{{envoy}}}}}"
    )
}
