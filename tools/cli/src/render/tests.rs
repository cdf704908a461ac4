//! What every rendered configuration must contain.

use std::time::Duration;

use envoy_bedrock::contract::metrics;
use serde_json::{Value, json};

use super::bootstrap::bootstrap;
use super::*;
use crate::blueprint::Blueprint;
use crate::environment::{Environment, SecretPolicy};
use crate::litellm;

const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

fn blueprint(text: &str) -> Blueprint {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.yaml");
    std::fs::write(&path, text).unwrap();
    litellm::read(&path, &Environment::default(), SecretPolicy::MayComeLater).unwrap()
}

fn model(name: &str, rest: &str) -> String {
    format!("- {{model_name: {name}, litellm_params: {{model: bedrock/a.b, {rest}}}}}\n")
}

/// One model with one deployment.
fn one_deployment() -> Blueprint {
    let models = model("m", "aws_region_name: us-west-2");
    blueprint(&format!("model_list:\n{models}"))
}

fn rendered(blueprint: &Blueprint) -> Value {
    bootstrap(blueprint, &RenderOptions::default())
}

/// The listeners or clusters of that name.
fn named<'a>(rendered: &'a Value, kind: &str, name: &str) -> Vec<&'a Value> {
    let all = rendered["static_resources"][kind].as_array().unwrap();
    all.iter().filter(|value| value["name"] == name).collect()
}

fn cluster<'a>(rendered: &'a Value, name: &str) -> &'a Value {
    let [cluster] = named(rendered, "clusters", name)[..] else {
        panic!("one cluster {name} in\n{rendered:#}")
    };
    cluster
}

/// The settings of the HTTP connection manager of a listener.
fn connection_manager<'a>(rendered: &'a Value, listener: &str) -> &'a Value {
    &named(rendered, "listeners", listener)[0]["filter_chains"][0]["filters"][0]["typed_config"]
}

fn routes(rendered: &Value) -> &[Value] {
    let hosts = &connection_manager(rendered, "plain")["route_config"]["virtual_hosts"];
    hosts[0]["routes"].as_array().unwrap()
}

/// Every value of `key`, at any depth.
fn all<'a>(value: &'a Value, key: &str) -> Vec<&'a Value> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| {
                let own = (name == key && !value.is_null()).then_some(value);
                own.into_iter().chain(all(value, key)).collect::<Vec<_>>()
            })
            .collect(),
        Value::Array(elements) => elements.iter().flat_map(|element| all(element, key)).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn the_same_blueprint_gives_the_same_text() {
    let text = || {
        let models = model("m", "aws_region_name: us-west-2") + &model("m", "aws_region_name: us-east-1");
        let blueprint = blueprint(&format!("model_list:\n{models}"));
        render(&blueprint, &RenderOptions::default(), "two\nlines")
    };
    assert_eq!(text(), text());
    let comment = "# two\n# lines\n\
        # These deployments need the credential broker, `envoy-bedrock credentials`:\n\
        #   m in us-west-2, m in us-east-1: the default credential chain, unless AWS_ACCESS_KEY_ID is set for \
        Envoy\nadmin:\n";
    assert!(text().starts_with(comment), "{}", text());
}

#[test]
fn the_route_can_lead_each_attempt_to_each_region_cluster() {
    let regions = ["us-west-2", "us-east-1", "eu-west-1"];
    let models = regions.map(|region| model("m", &format!("aws_region_name: {region}")));
    let models = models.concat();
    let blueprint = blueprint(&format!(
        "model_list:\n{models}litellm_settings: {{num_retries: 3}}\n"
    ));
    let rendered = rendered(&blueprint);
    let mut legs: Vec<&str> = all(&rendered, "contains")
        .into_iter()
        .filter_map(Value::as_str)
        .collect();
    legs.sort_unstable();
    legs.dedup();
    // Four attempts and the one after a signed attempt, to each region or nowhere.
    assert_eq!(legs.len(), 5 * 4);
    for label in ["1", "2", "3", "4", "next"] {
        for cluster in regions.into_iter().chain(["nowhere"]) {
            assert!(
                legs.contains(&&*format!("|{label}={cluster}|")),
                "{label} {cluster}"
            );
        }
    }
    for region in regions {
        let options = &cluster(&rendered, region)["typed_extension_protocol_options"][HTTP_OPTIONS];
        assert_eq!(all(&options["http_filters"][0], "root_id"), ["signer"]);
    }
    for policy in all(&rendered, "retry_policy") {
        assert_eq!(policy["num_retries"], 3);
        assert_eq!(policy["refresh_cluster_on_retry"], true);
    }
}

#[test]
fn both_roles_share_one_vm() {
    let rendered = rendered(&one_deployment());
    let vms = all(&rendered, "vm_config");
    assert_eq!(vms.len(), 2);
    assert_eq!(vms[0], vms[1]);
    assert_eq!(vms[0]["vm_id"], "envoy-bedrock");
    let variables = all(vms[0], "host_env_keys")[0].as_array().unwrap();
    assert!(
        variables.contains(&json!("AWS_SECRET_ACCESS_KEY")),
        "{variables:?}"
    );
    assert_eq!(all(&rendered, "failure_policy"), ["FAIL_RELOAD", "FAIL_RELOAD"]);
}

#[test]
fn one_attempt_has_no_retry_policy() {
    let models = model("m", "aws_region_name: us-west-2");
    let blueprint = blueprint(&format!(
        "model_list:\n{models}litellm_settings: {{num_retries: 0}}\n"
    ));
    let rendered = rendered(&blueprint);
    assert!(all(&rendered, "retry_policy").is_empty());
}

#[test]
fn retries_in_the_same_place_wait_longer_than_those_elsewhere() {
    let alone = model("alone", "aws_region_name: us-west-2");
    let pair = model("pair", "aws_region_name: us-west-2") + &model("pair", "aws_region_name: us-east-1");
    let gentle = json!({ "base_interval": "0.250s", "max_interval": "4s" });
    let quick = json!({ "base_interval": "0.010s", "max_interval": "0.050s" });
    let slow = json!({ "name": "x-eb-pace", "string_match": { "exact": "slow" } });
    let rendered = rendered(&blueprint(&format!("model_list:\n{alone}{pair}")));
    let mut paces = Vec::new();
    for route in routes(&rendered) {
        let Some(back_off) = route.pointer("/route/retry_policy/retry_back_off") else {
            continue;
        };
        let headers = route["match"]["headers"].as_array().unwrap();
        let is_slow = headers.contains(&slow);
        assert_eq!(back_off, if is_slow { &gentle } else { &quick });
        paces.push(is_slow);
    }
    // The more specific routes come first.
    assert_eq!(paces, [true, true, false, false]);
}

#[test]
fn only_a_region_with_an_alternative_has_an_address_that_refuses() {
    let alone = model("alone", "aws_region_name: us-west-1");
    let pair = model("pair", "aws_region_name: us-west-2") + &model("pair", "aws_region_name: us-east-1");
    let rendered = rendered(&blueprint(&format!("model_list:\n{alone}{pair}")));
    assert_eq!(all(cluster(&rendered, "us-west-1"), "port_value"), [443]);
    for region in ["us-west-2", "us-east-1"] {
        let cluster = cluster(&rendered, region);
        assert_eq!(all(cluster, "port_value"), [443, 1]);
        assert_eq!(all(cluster, "priority"), [1]);
        let expected = json!({ "cluster": region });
        assert_eq!(all(cluster, "envoy-bedrock"), [&expected, &expected]);
    }
}

#[test]
fn an_emulator_replaces_the_address_and_nothing_else() {
    let blueprint = one_deployment();
    let mut options = RenderOptions::default();
    let real = render(&blueprint, &options, "");
    let emulator = "emulator:944".parse().unwrap();
    options.emulators.insert("us-west-2".to_owned(), emulator);
    let emulated = render(&blueprint, &options, "");
    let address = |host: &str, port: u16| format!(" address: {host}\n                port_value: {port}\n");
    let expected = real.replace(
        &address("bedrock-runtime.us-west-2.amazonaws.com", 443),
        &address("emulator", 944),
    );
    assert_eq!(emulated, expected);
    assert_ne!(emulated, real);
}

#[test]
fn plain_endpoints_have_no_tls_and_addresses_no_server_name() {
    let models = model("m", "api_base: 'http://10.0.0.1:8080'") + &model("n", "api_base: 'https://10.0.0.2'");
    let blueprint = blueprint(&format!("model_list:\n{models}"));
    let rendered = rendered(&blueprint);
    let plain = cluster(&rendered, &blueprint.endpoints[0].cluster);
    assert!(plain["transport_socket"].is_null(), "{plain:#}");
    assert_eq!(all(plain, "explicit_http_config").len(), 1);
    let tls = cluster(&rendered, &blueprint.endpoints[1].cluster);
    assert_eq!(
        all(tls, "match_typed_subject_alt_names")[0][0],
        json!({ "san_type": "IP_ADDRESS", "matcher": { "exact": "10.0.0.2" } })
    );
    assert!(
        all(tls, "sni").is_empty() && all(tls, "auto_config").len() == 1,
        "{tls:#}"
    );
}

#[test]
fn time_limits_bound_responses_and_the_silence_of_streams() {
    let mut blueprint = one_deployment();
    blueprint.request_timeout = Duration::from_millis(1_500);
    let rendered = rendered(&blueprint);
    let limits = |name: &str| {
        let route = routes(&rendered).iter().find(|route| route["name"] == name);
        let route = &route.unwrap()["route"];
        [route["timeout"].clone(), route["idle_timeout"].clone()]
    };
    assert_eq!(limits("unary"), ["1.500s", "0s"]);
    assert_eq!(limits("stream"), ["0s", "1.500s"]);
}

#[test]
fn the_buffer_of_a_body_is_twice_the_body_and_two_reads() {
    let limits = |bytes: u64| {
        let mut blueprint = one_deployment();
        blueprint.settings.body_limit_bytes = bytes;
        let rendered = rendered(&blueprint);
        all(&rendered, "request_body_buffer_limit")[0].as_u64()
    };
    assert_eq!(limits(5_000_000), Some(2 * (5_000_000 + 2 * 262_144)));
    assert_eq!(limits(u64::MAX), Some(u32::MAX.into()));
}

#[test]
fn no_buffer_of_a_connection_and_no_listener_timeout_depends_on_the_configuration() {
    let mut changed = one_deployment();
    changed.settings.body_limit_bytes = 5_000_000;
    changed.request_timeout = Duration::from_secs(7);
    let [before, after] = [one_deployment(), changed].map(|blueprint| rendered(&blueprint));
    for key in [
        "per_connection_buffer_limit_bytes",
        "initial_stream_window_size",
        "initial_connection_window_size",
        "stream_idle_timeout",
        "request_timeout",
    ] {
        assert_eq!(all(&before, key), all(&after, key), "{key}");
    }
    assert_eq!(all(&before, "per_connection_buffer_limit_bytes"), [262_144; 2]);
}

/// Envoy takes `request_body_buffer_limit` from a route with a cluster only.
#[test]
fn a_request_that_is_not_admitted_has_a_route_to_a_cluster_that_does_not_exist() {
    let rendered = rendered(&one_deployment());
    let last = routes(&rendered).last().unwrap();
    assert_eq!(last["match"], json!({ "prefix": "/" }));
    let name = last["route"]["cluster"].as_str().unwrap();
    assert!(named(&rendered, "clusters", name).is_empty());
    assert_eq!(last["route"]["cluster_not_found_response_code"], "NOT_FOUND");
}

#[test]
fn a_certificate_adds_a_listener_with_alpn() {
    let blueprint = one_deployment();
    let mut options = RenderOptions::default();
    assert!(named(&bootstrap(&blueprint, &options), "listeners", "tls").is_empty());
    options.listeners.tls = Some(Tls {
        port: 4443,
        certificate: "c.pem".into(),
        key: "k.pem".into(),
    });
    let rendered = bootstrap(&blueprint, &options);
    let listener = named(&rendered, "listeners", "tls")[0];
    assert_eq!(listener["address"]["socket_address"]["port_value"], 4443);
    let tls = &listener["filter_chains"][0]["transport_socket"];
    assert_eq!(all(tls, "alpn_protocols"), [&json!(["h2", "http/1.1"])]);
}

#[test]
fn no_literal_secret_is_in_the_text() {
    let secret = "aws_access_key_id: AKIALITERAL, aws_secret_access_key: literal-secret, aws_session_token: literal-token";
    let models = model("m", &format!("aws_region_name: us-west-2, {secret}"));
    let blueprint = blueprint(&format!(
        "model_list:\n{models}general_settings: {{master_key: sk-literal}}\n"
    ));
    let text = render(&blueprint, &RenderOptions::default(), "header");
    for literal in ["AKIALITERAL", "literal-secret", "literal-token", "sk-literal"] {
        assert!(!text.contains(literal), "{literal} in\n{text}");
    }
    for name in blueprint.secrets.keys() {
        assert_eq!(text.matches(&format!("- {}\n", name.0)).count(), 2, "{name:?}");
    }
    assert_eq!(blueprint.secrets.len(), 4);
}

#[test]
fn every_label_is_extracted_and_every_histogram_has_its_own_buckets() {
    let rendered = rendered(&one_deployment());
    let tags = rendered["stats_config"]["stats_tags"].as_array().unwrap();
    for label in metrics::LABELS {
        let tag = json!({ "tag_name": label, "regex": format!("(;{label}=([^;]*))") });
        assert_eq!(tags.iter().filter(|found| **found == tag).count(), 1, "{tag}");
    }
    let buckets = rendered["stats_config"]["histogram_bucket_settings"]
        .as_array()
        .unwrap();
    for histogram in metrics::HISTOGRAMS {
        let matcher = json!({ "prefix": format!("wasmcustom.{histogram}") });
        let matching = buckets.iter().filter(|found| found["match"] == matcher);
        assert_eq!(matching.count(), 1, "{matcher}");
    }
}

#[test]
fn the_listener_for_prometheus_exists_only_on_request_and_logs_nothing() {
    let blueprint = one_deployment();
    let mut options = RenderOptions::default();
    let without = bootstrap(&blueprint, &options);
    assert!(named(&without, "listeners", "metrics").is_empty());
    assert!(named(&without, "clusters", "envoy-admin").is_empty());
    options.metrics_port = Some(9902);
    let with = bootstrap(&blueprint, &options);
    let listener = named(&with, "listeners", "metrics")[0];
    assert_eq!(listener["address"]["socket_address"]["port_value"], 9902);
    let text = listener.to_string();
    assert!(!text.contains("access_log") && !text.contains("wasm"), "{text}");
    assert_eq!(
        all(cluster(&with, "envoy-admin"), "socket_address"),
        [&json!({ "address": "127.0.0.1", "port_value": 9901 })]
    );
}

#[test]
fn every_limit_has_its_comment_in_the_file() {
    let options = RenderOptions {
        metrics_port: Some(9902),
        ..RenderOptions::default()
    };
    let file = render(&one_deployment(), &options, "");
    for (setting, comment) in comments::COMMENTS {
        let lines = file
            .lines()
            .filter(|line| line.trim_start() == format!("# {comment}"));
        assert_eq!(lines.count(), 1, "{setting}");
    }
}
