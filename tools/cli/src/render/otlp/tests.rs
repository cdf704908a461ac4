use super::super::{Listeners, RenderOptions, Tls, render};
use crate::blueprint::Blueprint;
use crate::environment::{Environment, SecretPolicy};
use crate::litellm;
use crate::otlp;

const SECRET: &str = "secret-of-the-collector";

fn blueprint(more: &str) -> Blueprint {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.yaml");
    let model =
        "model_list:\n- {model_name: m, litellm_params: {model: bedrock/a.b, aws_region_name: us-west-2}}\n";
    std::fs::write(&path, format!("{model}{more}")).unwrap();
    litellm::read(&path, &Environment::default(), SecretPolicy::MayComeLater).unwrap()
}

/// The text with a collector at `endpoint`.
fn text(endpoint: &str, protocol: &str) -> String {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ("OTEL_EXPORTER_OTLP_HEADERS", &format!("x-api-key={SECRET}")),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
    ];
    let ca = || Ok("collector-ca.pem".to_owned());
    let collector = otlp::read(
        &otlp::CollectorArguments::default(),
        &variables.into_iter().collect(),
        ca,
    );
    let tls = Tls {
        port: 4443,
        certificate: "c.pem".into(),
        key: "k.pem".into(),
    };
    let options = RenderOptions {
        collector: collector.unwrap(),
        listeners: Listeners {
            tls: Some(tls),
            ..RenderOptions::default().listeners
        },
        ..RenderOptions::default()
    };
    render(&blueprint(""), &options, "header")
}

/// The cluster of the collector, which is the last of all.
fn cluster_of(text: &str) -> &str {
    &text[text.find("\n  - name: otlp\n").unwrap()..]
}

#[test]
fn without_a_collector_there_is_no_trace_of_one() {
    let text = render(&blueprint(""), &RenderOptions::default(), "header");
    assert!(!text.contains("open_telemetry") && !text.contains("otlp"));
}

#[test]
fn every_listener_logs_on_this_machine_and_to_the_collector() {
    let text = text("http://c:4318", "http/protobuf");
    let loggers: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- name: envoy.access_loggers."))
        .collect();
    assert_eq!(loggers, ["stdout", "open_telemetry"].repeat(2));
}

#[test]
fn the_body_is_the_line_of_the_file() {
    let text = text("http://c:4318", "http/protobuf");
    let quoted = |parent: &str, key: &str| {
        let value = text
            .split(parent)
            .find_map(|rest| rest.trim_start().strip_prefix(key));
        serde_json::from_str::<String>(value.unwrap().lines().next().unwrap()).unwrap()
    };
    let line = quoted("text_format_source:", "inline_string: ");
    let body = quoted("body:", "string_value: ");
    let row = "%FILTER_STATE(wasm.envoy_bedrock.row:PLAIN)%";
    let expression =
        "%CEL('wasm.envoy_bedrock.row' in filter_state ? filter_state['wasm.envoy_bedrock.row'] : '')%";
    assert!(
        body.starts_with(&format!("{{{expression}\"requester_ip_address\"")),
        "{body}"
    );
    assert_eq!(body.replace(expression, row) + "\n", line);
}

#[test]
fn each_protocol_has_its_version_of_http() {
    let has = |endpoint, protocol, parts: &[&str]| {
        let text = text(endpoint, protocol);
        let cluster = cluster_of(&text);
        for part in parts {
            assert!(cluster.contains(part), "{part} in\n{cluster}");
        }
        let is_tls = cluster.contains("UpstreamTlsContext") && cluster.contains("filename: collector-ca.pem");
        assert_eq!(is_tls, endpoint.starts_with("https"), "{cluster}");
    };
    let http1 = "explicit_http_config: {http_protocol_options: {}}";
    let http2 = "explicit_http_config: {http2_protocol_options: {}}";
    has(
        "http://c:4318",
        "http/protobuf",
        &[http1, "{address: c, port_value: 4318}"],
    );
    has(
        "https://c:4318",
        "http/protobuf",
        &["auto_config: {}", "{exact: c}"],
    );
    has("http://c:4317", "grpc", &[http2]);
    has(
        "https://c",
        "grpc",
        &[http2, "alpn_protocols: [h2]", "port_value: 443}"],
    );
}

#[test]
fn requests_go_to_the_collectors_own_name() {
    let grpc = "grpc_service: {envoy_grpc: {cluster_name: otlp, authority: \"c:4317\"}}";
    assert_eq!(text("http://c:4317/v1/traces", "grpc").matches(grpc).count(), 2);
    let http = "http_uri: {uri: \"https://c/base/v1/logs\", cluster: otlp, timeout: 2.500s}";
    assert_eq!(text("https://c/base", "http/protobuf").matches(http).count(), 2);
}

#[test]
fn what_can_wait_for_a_collector_is_bounded() {
    for protocol in ["grpc", "http/protobuf"] {
        let text = text("http://c:4318", protocol);
        for part in ["buffer_flush_interval: 1s", "buffer_size_bytes: 65536"] {
            assert_eq!(text.matches(part).count(), 2, "{part}");
        }
        let cluster = cluster_of(&text);
        for part in [
            "max_connections: 128, max_pending_requests: 128, max_requests: 128",
            "max_stream_duration: 2.500s",
            "wait_for_warm_on_init: false",
        ] {
            assert!(cluster.contains(part), "{part} in\n{cluster}");
        }
    }
}

#[test]
fn a_headers_value_is_the_name_of_a_variable() {
    let text = text("http://c:4318", "grpc");
    assert!(!text.contains(SECRET));
    let header = "header: {key: x-api-key, value: \"%ENVIRONMENT(ENVOY_BEDROCK_OTLP_HEADER_X_API_KEY)%\"}";
    assert!(cluster_of(&text).contains(header), "{text}");
}

#[test]
fn the_variables_of_the_file_count() {
    let variables = "environment_variables: {OTEL_EXPORTER_OTLP_ENDPOINT: 'http://of-the-file:4318'}\n";
    let blueprint = blueprint(variables);
    let found = otlp::read(
        &otlp::CollectorArguments::default(),
        &blueprint.telemetry,
        || unreachable!(),
    );
    assert_eq!(found.unwrap().unwrap().url(), "http://of-the-file:4318/v1/logs");
    let is_noted = |note: &crate::litellm::Note| note.to_string().contains("OTEL_EXPORTER_OTLP_ENDPOINT");
    assert!(!blueprint.notes.iter().any(is_noted), "{:?}", blueprint.notes);
}
