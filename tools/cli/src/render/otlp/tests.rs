use serde_json::{Value, json};

use super::super::bootstrap::{bootstrap, render};
use super::super::{Listeners, RenderOptions, Tls};
use crate::blueprint::Blueprint;
use crate::environment::{Environment, SecretPolicy};
use crate::litellm;
use crate::otlp::{self, Collector, CollectorArguments, CollectorError};

const SECRET: &str = "secret-of-the-collector";

fn blueprint(more: &str) -> Blueprint {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.yaml");
    let model =
        "model_list:\n- {model_name: m, litellm_params: {model: bedrock/a.b, aws_region_name: us-west-2}}\n";
    std::fs::write(&path, format!("{model}{more}")).unwrap();
    litellm::read(&path, &Environment::default(), SecretPolicy::MayComeLater).unwrap()
}

/// A collector at `endpoint`, and a TLS listener.
fn options(endpoint: &str, protocol: &str) -> RenderOptions {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ("OTEL_EXPORTER_OTLP_HEADERS", &format!("x-api-key={SECRET}")),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
    ];
    let ca = || Ok::<_, CollectorError>("collector-ca.pem".to_owned());
    let collector = otlp::read(
        &CollectorArguments::default(),
        &variables.into_iter().collect(),
        ca,
    );
    let tls = Tls {
        port: 4443,
        certificate: "c.pem".into(),
        key: "k.pem".into(),
    };
    RenderOptions {
        collector: collector.unwrap(),
        listeners: Listeners {
            tls: Some(tls),
            ..RenderOptions::default().listeners
        },
        ..RenderOptions::default()
    }
}

/// The collector's cluster.
fn cluster(endpoint: &str, protocol: &str) -> Value {
    super::cluster(options(endpoint, protocol).collector.as_ref().unwrap())
}

/// The access loggers of each listener.
fn loggers(endpoint: &str, protocol: &str) -> Vec<Vec<Value>> {
    let rendered = bootstrap(&blueprint(""), &options(endpoint, protocol));
    let listeners = rendered["static_resources"]["listeners"].as_array().unwrap();
    let loggers = |listener: &Value| {
        let manager = &listener["filter_chains"][0]["filters"][0]["typed_config"];
        manager["access_log"].as_array().unwrap().clone()
    };
    listeners.iter().map(loggers).collect()
}

/// The settings of the collector's logger, which are the same for both listeners.
fn logger(endpoint: &str, protocol: &str) -> Value {
    let loggers = loggers(endpoint, protocol);
    assert_eq!(loggers[0], loggers[1]);
    loggers[0][1]["typed_config"].clone()
}

fn http_options(cluster: &Value) -> &Value {
    &cluster["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]
}

#[test]
fn without_a_collector_there_is_no_trace_of_one() {
    let text = render(&blueprint(""), &RenderOptions::default(), "header");
    assert!(!text.contains("open_telemetry") && !text.contains("otlp"));
}

#[test]
fn every_listener_logs_locally_and_to_the_collector() {
    let loggers = loggers("http://c:4318", "http/protobuf");
    assert_eq!(loggers.len(), 2);
    for loggers in loggers {
        let names: Vec<&str> = loggers
            .iter()
            .filter_map(|logger| logger["name"].as_str())
            .collect();
        let expected = [
            "envoy.access_loggers.stdout",
            "envoy.access_loggers.open_telemetry",
        ];
        assert_eq!(names, expected);
    }
}

#[test]
fn the_body_is_the_line_of_the_local_log() {
    let loggers = loggers("http://c:4318", "http/protobuf").remove(0);
    let format = &loggers[0]["typed_config"]["log_format"]["text_format_source"];
    let line = format["inline_string"].as_str().unwrap();
    let body = loggers[1]["typed_config"]["body"]["string_value"]
        .as_str()
        .unwrap();
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
    let checked = |endpoint: &str, protocol: &str| {
        let cluster = cluster(endpoint, protocol);
        let tls = &cluster["transport_socket"]["typed_config"]["common_tls_context"];
        let validation = &tls["validation_context"];
        let is_tls = validation["trusted_ca"]["filename"] == "collector-ca.pem";
        assert_eq!(is_tls, endpoint.starts_with("https"), "{cluster:#}");
        let address = &cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"];
        (
            http_options(&cluster)["explicit_http_config"].clone(),
            http_options(&cluster)["auto_config"].clone(),
            address["socket_address"].clone(),
            tls["alpn_protocols"].clone(),
            validation["match_typed_subject_alt_names"][0]["matcher"].clone(),
        )
    };
    let null = Value::Null;
    let http1 = json!({ "http_protocol_options": {} });
    let http2 = json!({ "http2_protocol_options": {} });
    let at = |port: u16| json!({ "address": "c", "port_value": port });
    let exact = json!({ "exact": "c" });
    assert_eq!(
        checked("http://c:4318", "http/protobuf"),
        (http1, null.clone(), at(4318), null.clone(), null.clone())
    );
    assert_eq!(
        checked("https://c:4318", "http/protobuf"),
        (null.clone(), json!({}), at(4318), null.clone(), exact.clone())
    );
    assert_eq!(
        checked("http://c:4317", "grpc"),
        (http2.clone(), null.clone(), at(4317), null.clone(), null.clone())
    );
    assert_eq!(
        checked("https://c", "grpc"),
        (http2, null, at(443), json!(["h2"]), exact)
    );
}

#[test]
fn requests_carry_the_collectors_own_name() {
    assert_eq!(
        logger("http://c:4317/v1/traces", "grpc")["grpc_service"],
        json!({ "envoy_grpc": { "cluster_name": "otlp", "authority": "c:4317" } })
    );
    assert_eq!(
        logger("https://c/base", "http/protobuf")["http_service"],
        json!({ "http_uri": { "uri": "https://c/base/v1/logs", "cluster": "otlp", "timeout": "2.500s" } })
    );
}

#[test]
fn what_can_wait_for_a_collector_is_bounded() {
    for protocol in ["grpc", "http/protobuf"] {
        let logger = logger("http://c:4318", protocol);
        assert_eq!(logger["buffer_flush_interval"], "1s");
        assert_eq!(logger["buffer_size_bytes"], 65536);
        let cluster = cluster("http://c:4318", protocol);
        assert_eq!(
            cluster["circuit_breakers"]["thresholds"],
            json!([{ "max_connections": 128, "max_pending_requests": 128, "max_requests": 128 }])
        );
        let options = &http_options(&cluster)["common_http_protocol_options"];
        assert_eq!(options["max_stream_duration"], "2.500s");
        assert_eq!(cluster["wait_for_warm_on_init"], false);
    }
}

#[test]
fn the_value_of_a_header_is_the_name_of_a_variable() {
    let text = render(&blueprint(""), &options("http://c:4318", "grpc"), "header");
    assert!(!text.contains(SECRET));
    let cluster = cluster("http://c:4318", "grpc");
    let mutations = &http_options(&cluster)["http_filters"][0]["typed_config"]["mutations"];
    let mutations = mutations["request_mutations"].as_array().unwrap();
    assert_eq!(
        mutations.last().unwrap()["append"]["header"],
        json!({ "key": "x-api-key", "value": "%ENVIRONMENT(ENVOY_BEDROCK_OTLP_HEADER_X_API_KEY)%" })
    );
}

#[test]
fn variables_of_the_configuration_count() {
    let variables = "environment_variables: {OTEL_EXPORTER_OTLP_ENDPOINT: 'http://of-the-file:4318'}\n";
    let blueprint = blueprint(variables);
    let unused = || unreachable!();
    let found: Result<Option<Collector>, CollectorError> =
        otlp::read(&CollectorArguments::default(), &blueprint.telemetry, unused);
    assert_eq!(found.unwrap().unwrap().url(), "http://of-the-file:4318/v1/logs");
    let is_noted = |note: &crate::litellm::Note| note.to_string().contains("OTEL_EXPORTER_OTLP_ENDPOINT");
    assert!(!blueprint.notes.iter().any(is_noted), "{:?}", blueprint.notes);
}
