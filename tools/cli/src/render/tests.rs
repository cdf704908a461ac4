//! What every rendered configuration has to hold, read from the text as Envoy gets it.

use std::time::Duration;

use envoy_bedrock::routing::balance::Balance;

use super::*;
use crate::environment::{Environment, SecretPolicy};
use crate::litellm;

fn blueprint(text: &str) -> Blueprint {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.yaml");
    std::fs::write(&path, text).unwrap();
    litellm::read(&path, &Environment::default(), SecretPolicy::MayComeLater).unwrap()
}

fn model(name: &str, rest: &str) -> String {
    format!("- {{model_name: {name}, litellm_params: {{model: bedrock/a.b, {rest}}}}}\n")
}

fn text(blueprint: &Blueprint, options: &RenderOptions) -> String {
    render(blueprint, options, "header")
}

/// The lines from the one that is `start` to the next of the same indentation.
fn part<'a>(text: &'a str, start: &str) -> &'a str {
    let from = text.find(start).unwrap_or_else(|| panic!("{start} in\n{text}"));
    let indent = &start[..start.len() - start.trim_start().len()];
    let length = text[from + 1..]
        .find(&format!("\n{indent}- "))
        .map_or(text.len() - from, |end| end + 2);
    &text[from..from + length]
}

#[test]
fn the_same_blueprint_gives_the_same_text() {
    let text_of = || {
        let models = model("m", "aws_region_name: us-west-2") + &model("m", "aws_region_name: us-east-1");
        text(
            &blueprint(&format!("model_list:\n{models}")),
            &RenderOptions::default(),
        )
    };
    assert_eq!(text_of(), text_of());
    assert!(text_of().starts_with("# header\nnode:"));
}

#[test]
fn every_sequence_that_can_be_drawn_is_a_cluster_of_as_many_attempts() {
    let regions = [
        "us-west-2",
        "us-east-1",
        "eu-west-1",
        "eu-central-1",
        "ap-south-1",
    ];
    let models: String = regions
        .map(|region| model("m", &format!("aws_region_name: {region}")))
        .concat();
    let blueprint = blueprint(&format!(
        "model_list:\n{models}litellm_settings: {{num_retries: 3}}\n"
    ));
    let text = text(&blueprint, &RenderOptions::default());
    let balance = Balance::new(&blueprint.settings.models[0], 4);
    assert!(!balance.sequences().is_empty());
    for sequence in balance.sequences() {
        assert_eq!(sequence.len(), 4);
        let cluster = part(&text, &format!("  - name: {}\n", sequence.join("+")));
        let entries: Vec<String> = sequence.iter().map(|name| format!("{{name: {name}}}")).collect();
        assert!(
            cluster.contains(&format!("clusters: [{}]", entries.join(", "))),
            "{cluster}"
        );
        assert!(
            cluster.contains("root_id: signer") && cluster.contains("explicit_http_config"),
            "{cluster}"
        );
    }
    assert!(text.contains("num_retries: 3"));
}

#[test]
fn both_roles_share_one_vm() {
    let text = text(
        &blueprint(&format!(
            "model_list:\n{}",
            model("m", "aws_region_name: us-west-2")
        )),
        &RenderOptions::default(),
    );
    let vms: Vec<String> = text
        .split("vm_config:\n")
        .skip(1)
        .map(|rest| {
            let indent = rest.len() - rest.trim_start().len();
            let inside = |line: &&str| line.len() - line.trim_start().len() >= indent;
            rest.lines()
                .take_while(inside)
                .map(str::trim)
                .collect::<Vec<_>>()
                .join("\n")
        })
        .collect();
    assert_eq!(vms.len(), 2);
    assert_eq!(vms[0], vms[1]);
    assert!(
        vms[0].contains("vm_id: envoy-bedrock") && vms[0].contains("AWS_SECRET_ACCESS_KEY"),
        "{}",
        vms[0]
    );
    assert_eq!(text.matches("failure_policy: FAIL_RELOAD").count(), 2);
}

#[test]
fn one_attempt_has_no_retry_policy() {
    let models = model("m", "aws_region_name: us-west-2");
    let text = text(
        &blueprint(&format!(
            "model_list:\n{models}litellm_settings: {{num_retries: 0}}\n"
        )),
        &RenderOptions::default(),
    );
    assert!(!text.contains("retry_policy"));
    // Its failover cluster is another than the region's.
    assert_eq!(text.matches("\n  - name: us-west-2\n").count(), 1);
    assert_eq!(text.matches("\n  - name: us-west-2+\n").count(), 1);
}

#[test]
fn retries_at_the_same_place_wait_longer_than_those_elsewhere() {
    let alone = model("alone", "aws_region_name: us-west-2");
    let pair = model("pair", "aws_region_name: us-west-2") + &model("pair", "aws_region_name: us-east-1");
    let gentle = "retry_back_off: {base_interval: 0.250s, max_interval: 4s}";
    let quick = "retry_back_off: {base_interval: 0.010s, max_interval: 0.050s}";
    let counts = |models: &str| {
        let text = text(
            &blueprint(&format!("model_list:\n{models}")),
            &RenderOptions::default(),
        );
        (
            text.matches(gentle).count(),
            text.matches(quick).count(),
            text.matches("{name: x-eb-cluster, string_match: {exact: us-west-2+us-west-2+us-west-2}}")
                .count(),
        )
    };
    assert_eq!(counts(&alone), (2, 0, 0));
    assert_eq!(counts(&pair), (0, 2, 0));
    assert_eq!(counts(&(alone + &pair)), (2, 2, 2));
}

#[test]
fn only_a_region_with_an_alternative_has_an_address_that_refuses() {
    let alone = model("alone", "aws_region_name: us-west-1");
    let pair = model("pair", "aws_region_name: us-west-2") + &model("pair", "aws_region_name: us-east-1");
    let text = text(
        &blueprint(&format!("model_list:\n{alone}{pair}")),
        &RenderOptions::default(),
    );
    assert!(!part(&text, "  - name: us-west-1\n").contains("port_value: 1}"));
    for region in ["us-west-2", "us-east-1"] {
        let cluster = part(&text, &format!("  - name: {region}\n"));
        assert!(
            cluster.contains("port_value: 1}") && cluster.contains("priority: 1"),
            "{cluster}"
        );
        assert_eq!(
            cluster
                .matches(&format!("envoy-bedrock: {{cluster: {region}}}"))
                .count(),
            2,
            "{cluster}"
        );
    }
}

#[test]
fn an_emulator_replaces_the_address_and_nothing_else() {
    let blueprint = blueprint(&format!(
        "model_list:\n{}",
        model("m", "aws_region_name: us-west-2")
    ));
    // As long as the real one, so that no line is broken elsewhere.
    let host = "e".repeat("bedrock-runtime.us-west-2.amazonaws.com".len());
    let mut options = RenderOptions::default();
    let real = text(&blueprint, &options);
    options
        .emulators
        .insert("us-west-2".to_owned(), format!("{host}:944").parse().unwrap());
    let emulated = text(&blueprint, &options);
    let address = "{address: bedrock-runtime.us-west-2.amazonaws.com, port_value: 443}";
    assert_eq!(
        emulated,
        real.replace(address, &format!("{{address: {host}, port_value: 944}}"))
    );
    assert_ne!(emulated, real);
}

#[test]
fn plain_endpoints_have_no_tls_and_addresses_no_server_name() {
    let models = model("m", "api_base: 'http://10.0.0.1:8080'") + &model("n", "api_base: 'https://10.0.0.2'");
    let blueprint = blueprint(&format!("model_list:\n{models}"));
    let text = text(&blueprint, &RenderOptions::default());
    let plain = part(
        &text,
        &format!("  - name: \"{}\"\n", blueprint.endpoints[0].cluster),
    );
    assert!(
        plain.contains("explicit_http_config") && !plain.contains("transport_socket"),
        "{plain}"
    );
    let tls = part(
        &text,
        &format!("  - name: \"{}\"\n", blueprint.endpoints[1].cluster),
    );
    assert!(
        tls.contains("{san_type: IP_ADDRESS, matcher: {exact: \"10.0.0.2\"}}"),
        "{tls}"
    );
    assert!(tls.contains("auto_config") && !tls.contains("sni:"), "{tls}");
}

#[test]
fn time_limits_bound_answers_and_the_silence_of_streams() {
    let models = model("m", "aws_region_name: us-west-2");
    let mut blueprint = blueprint(&format!("model_list:\n{models}"));
    blueprint.request_timeout = Duration::from_millis(1_500);
    let text = text(&blueprint, &RenderOptions::default());
    let limits = |name: &str| {
        let route = part(&text, &format!("              - name: {name}\n")).to_owned();
        let line = |key: &str| {
            route
                .lines()
                .find(|line| line.trim().starts_with(key))
                .unwrap()
                .trim()
                .to_owned()
        };
        (line("timeout:"), line("idle_timeout:"))
    };
    assert_eq!(
        limits("unary"),
        ("timeout: 1.500s".to_owned(), "idle_timeout: 0s".to_owned())
    );
    assert_eq!(
        limits("stream"),
        ("timeout: 0s".to_owned(), "idle_timeout: 1.500s".to_owned())
    );
}

#[test]
fn buffers_are_above_the_body_limit() {
    let models = model("m", "aws_region_name: us-west-2");
    let mut blueprint = blueprint(&format!("model_list:\n{models}"));
    blueprint.settings.body_limit_bytes = 5_000_000;
    let text = text(&blueprint, &RenderOptions::default());
    assert_eq!(text.matches("buffer_limit_bytes: 6048576").count(), 3);
    assert_eq!(text.matches("request_body_buffer_limit: 6048576").count(), 1);
}

#[test]
fn a_certificate_adds_a_listener_with_alpn() {
    let blueprint = blueprint(&format!(
        "model_list:\n{}",
        model("m", "aws_region_name: us-west-2")
    ));
    let mut options = RenderOptions::default();
    assert!(!text(&blueprint, &options).contains("- name: tls\n"));
    options.listeners.tls = Some(Tls {
        port: 4443,
        certificate: "c.pem".into(),
        key: "k.pem".into(),
    });
    let text = text(&blueprint, &options);
    let listener = part(&text, "  - name: tls\n");
    assert!(
        listener.contains("alpn_protocols: [h2, http/1.1]") && listener.contains("port_value: 4443"),
        "{listener}"
    );
}

#[test]
fn no_literal_secret_is_in_the_text() {
    let secret = "aws_access_key_id: AKIALITERAL, aws_secret_access_key: literal-secret, aws_session_token: literal-token";
    let models = model("m", &format!("aws_region_name: us-west-2, {secret}"));
    let blueprint = blueprint(&format!(
        "model_list:\n{models}general_settings: {{master_key: sk-literal}}\n"
    ));
    let text = text(&blueprint, &RenderOptions::default());
    for literal in ["AKIALITERAL", "literal-secret", "literal-token", "sk-literal"] {
        assert!(!text.contains(literal), "{literal} in\n{text}");
    }
    for name in blueprint.secrets.keys() {
        assert_eq!(text.matches(&format!("- {}\n", name.0)).count(), 2, "{name:?}");
    }
    assert_eq!(blueprint.secrets.len(), 4);
}

#[test]
fn every_label_is_lifted_and_every_histogram_has_its_own_buckets() {
    let models = model("m", "aws_region_name: us-west-2");
    let text = text(
        &blueprint(&format!("model_list:\n{models}")),
        &RenderOptions::default(),
    );
    for label in envoy_bedrock::contract::metrics::LABELS {
        let tag = format!("{{tag_name: {label}, regex: \"(;{label}=([^;]*))\"}}");
        assert_eq!(text.matches(&tag).count(), 1, "{tag}");
    }
    for histogram in envoy_bedrock::contract::metrics::HISTOGRAMS {
        let matcher = format!("match: {{prefix: wasmcustom.{histogram}}}");
        assert_eq!(text.matches(&matcher).count(), 1, "{matcher}");
    }
}

#[test]
fn the_listener_for_prometheus_is_made_where_it_is_asked_for_and_logs_nothing() {
    let models = model("m", "aws_region_name: us-west-2");
    let blueprint = blueprint(&format!("model_list:\n{models}"));
    let mut options = RenderOptions::default();
    let without = text(&blueprint, &options);
    assert!(!without.contains("- name: metrics\n") && !without.contains("- name: envoy-admin\n"));
    options.metrics_port = Some(9902);
    let with = text(&blueprint, &options);
    let listener = part(&with, "  - name: metrics\n");
    assert!(listener.contains("port_value: 9902"), "{listener}");
    assert!(
        !listener.contains("access_log") && !listener.contains("wasm"),
        "{listener}"
    );
    let cluster = part(&with, "  - name: envoy-admin\n");
    assert!(
        cluster.contains("{address: \"127.0.0.1\", port_value: 9901}"),
        "{cluster}"
    );
}
