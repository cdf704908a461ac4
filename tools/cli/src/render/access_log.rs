//! The spend log: one line of JSON for each request.

use envoy_bedrock::contract::names::PROPERTY_ROW;

use super::options::{AccessLog, RenderOptions};
use super::otlp;
use super::yaml::{Node, map};

/// The logger on this machine and, with a collector, a second one: what it misses has not gone.
pub(crate) fn access_logs(options: &RenderOptions) -> Vec<Node> {
    let collector = options.collector.as_ref().map(otlp::access_logger);
    std::iter::once(access_log(&options.access_log))
        .chain(collector)
        .collect()
}

fn access_log(target: &AccessLog) -> Node {
    let log_format = map! {
        "text_format_source" => map! { "inline_string" => line(&row()) + "\n" },
        "omit_empty_values" => true,
    };
    match target {
        AccessLog::Stdout => map! {
            "name" => "envoy.access_loggers.stdout",
            "typed_config" => map! {
                "@type" => "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
                "log_format" => log_format,
            },
        },
        AccessLog::File(path) => map! {
            "name" => "envoy.access_loggers.file",
            "typed_config" => map! {
                "@type" => "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                "path" => path.as_str(),
                "log_format" => log_format,
            },
        },
    }
}

/// The line as the body of an OpenTelemetry record. Where Envoy knows nothing, this logger always writes `-`: inside of
/// the quotation marks that is as good as nothing, but for the filter's part it would be no JSON. Hence an expression.
pub(crate) fn body() -> String {
    let key = format!("'wasm.{PROPERTY_ROW}'");
    line(&format!(
        "%CEL({key} in filter_state ? filter_state[{key}] : '')%"
    ))
}

/// The filter's part of a line.
fn row() -> String {
    format!("%FILTER_STATE(wasm.{PROPERTY_ROW}:PLAIN)%")
}

/// The filter's line, then what only Envoy knows. The filter's part is the inside of an object and ends with a comma; a
/// request that Envoy refused before the filter saw it has none. No value here can hold a quotation mark.
fn line(row: &str) -> String {
    let envoy = ENVOY
        .map(|(name, value)| format!("\"{name}\":\"{value}\""))
        .join(",");
    format!(
        "{{{row}\"requester_ip_address\":\"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%\",\"envoy\":{{{envoy}}}}}"
    )
}

/// Values of Envoy's own making only: no header and no path, which a client could write anything into.
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
