//! One line of JSON for each request. No header in it can hold a key, and the query is left out for the same reason.

use super::options::AccessLog;
use super::yaml::{Node, map};

pub(crate) fn access_log(target: &AccessLog) -> Node {
    let log_format = map! { "json_format" => fields() };
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

fn fields() -> Node {
    map! {
        "time" => "%START_TIME%",
        "client" => "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
        "protocol" => "%PROTOCOL%",
        "method" => "%REQ(:METHOD)%",
        "path" => "%PATH(NQ:PATH)%",
        "status" => "%RESPONSE_CODE%",
        "flags" => "%RESPONSE_FLAGS%",
        "details" => "%RESPONSE_CODE_DETAILS%",
        "duration_ms" => "%DURATION%",
        "first_byte_ms" => "%RESPONSE_DURATION%",
        "bytes_in" => "%BYTES_RECEIVED%",
        "bytes_out" => "%BYTES_SENT%",
        "attempts" => "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
        "failover" => "%UPSTREAM_CLUSTER%",
        "region" => "%UPSTREAM_METADATA(envoy-bedrock:cluster)%",
        "upstream" => "%UPSTREAM_HOST%",
        "upstream_failure" => "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
        "request_id" => "%RESP(X-AMZN-REQUESTID)%",
    }
}
