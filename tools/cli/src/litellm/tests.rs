//! Rules that need a whole file: one written to a temporary directory, or one of `tests/configs`.

use std::path::PathBuf;
use std::time::Duration;

use envoy_bedrock::contract::settings::{AccessKeyNames, CredentialSettings, DeploymentSettings, EnvName};

use super::{Class, Problem, ReadError, Tolerance, grouped, note_lines, read, read_tolerant};
use crate::blueprint::Blueprint;
use crate::document::problem::FileProblem;
use crate::environment::{Environment, SecretPolicy};
use crate::prices::PriceList;

mod errors;
mod identities;
mod notes;
mod regions;
mod routing;
mod secrets;
mod tolerance;

/// One deployment with nothing but a model.
const BARE: &str = "model_list: [{model_name: m, litellm_params: {model: bedrock/amazon.nova-pro-v1:0}}]\n";
const KEY: (&str, &str) = ("LITELLM_MASTER_KEY", "sk-tops3cret");
const KEYS: [(&str, &str); 3] = [
    KEY,
    ("AWS_ACCESS_KEY_ID", "AKIA"),
    ("AWS_SECRET_ACCESS_KEY", "tops3cret"),
];

fn name(name: &str) -> EnvName {
    EnvName(name.to_owned())
}

fn read_text(
    text: &str,
    environment: &[(&str, &str)],
    mode: SecretPolicy,
) -> Result<Blueprint, Vec<ReadError>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    std::fs::write(&path, text).unwrap();
    read(&path, &environment.iter().copied().collect(), mode)
}

/// The only deployment of `text`.
fn deployment(text: &str, environment: &[(&str, &str)], mode: SecretPolicy) -> DeploymentSettings {
    let mut blueprint = read_text(text, environment, mode).unwrap();
    let mut deployments = blueprint.settings.models.remove(0).deployments;
    assert_eq!(deployments.len(), 1);
    deployments.remove(0)
}

fn problems(text: &str, environment: &[(&str, &str)], mode: SecretPolicy) -> Vec<Problem> {
    let errors = read_text(text, environment, mode).unwrap_err();
    errors.into_iter().map(|error| error.problem).collect()
}

fn not_set(name: &str) -> Problem {
    let name = name.to_owned();
    Problem::File(FileProblem::VariableNotSet { name })
}

fn sigv4(id: &str, secret: &str, token: Option<&str>) -> CredentialSettings {
    CredentialSettings::Sigv4(AccessKeyNames {
        access_key_id: name(id),
        secret_access_key: name(secret),
        session_token: token.map(name),
    })
}

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&KEYS, more].concat()
}

#[test]
fn the_sample_is_one_model_in_two_regions() {
    let sample = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../config.yaml");
    let environment = Environment::default();
    let blueprint = read(&sample, &environment, SecretPolicy::Demo).unwrap();
    let [model] = blueprint.settings.models.as_slice() else {
        panic!("{:?}", blueprint.settings.models)
    };
    assert_eq!(model.name, "my-bedrock-model");
    let regions: Vec<&str> = model
        .deployments
        .iter()
        .map(|deployment| deployment.region.as_str())
        .collect();
    assert_eq!(regions, ["us-west-2", "us-east-1"]);
    for deployment in &model.deployments {
        assert_eq!(deployment.model, "us.anthropic.claude-3-5-sonnet-20240620-v1:0");
        assert_eq!(deployment.weight, 1);
        assert_eq!(
            deployment.authority,
            format!("bedrock-runtime.{}.amazonaws.com", deployment.region)
        );
        assert_eq!(
            deployment.credentials,
            sigv4("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", None)
        );
    }
    assert_eq!(blueprint.endpoints[0].cluster, "us-west-2");
    assert_eq!(
        blueprint.endpoints[1].server_name.as_deref(),
        Some("bedrock-runtime.us-east-1.amazonaws.com")
    );
    assert_eq!(blueprint.settings.attempts, 3);
    assert_eq!(blueprint.request_timeout, Duration::from_secs(600));
    assert_eq!(blueprint.secrets[&name("LITELLM_MASTER_KEY")].expose(), "sk-1234");
    assert_eq!(
        blueprint.missing,
        [name("AWS_ACCESS_KEY_ID"), name("AWS_SECRET_ACCESS_KEY")].into()
    );
}

#[test]
fn a_percent_encoded_id_is_decoded_everywhere() {
    let arn = "arn:aws:bedrock:eu-west-3:123456789012:application-inference-profile/abc123";
    let encoded = "arn%3Aaws%3Abedrock%3Aeu-west-3%3A123456789012%3Aapplication-inference-profile%2Fabc123";
    for parameters in [
        format!("model: bedrock/converse/amazon.nova-pro-v1:0, model_id: '{encoded}'"),
        format!("model: 'bedrock/{encoded}'"),
        format!("model: 'bedrock/converse/{encoded}'"),
        format!("model: '{encoded}'"),
        format!("model: '{encoded}', custom_llm_provider: bedrock"),
    ] {
        let text = format!("model_list: [{{model_name: m, litellm_params: {{{parameters}}}}}]\n");
        let deployment = deployment(&text, &KEYS, SecretPolicy::MustExist);
        assert_eq!(
            (deployment.model.as_str(), deployment.region.as_str()),
            (arn, "eu-west-3"),
            "{parameters}"
        );
    }
    let text = BARE.replace("model: bedrock", "model_id: 'a%3', model: bedrock");
    let problems = problems(&text, &KEYS, SecretPolicy::MustExist);
    assert!(format!("{problems:?}").contains("a % that"), "{problems:?}");
}

#[test]
fn duplicate_keys_are_noted_up_to_a_limit() {
    let noted = |repeats: usize| {
        let text = format!("{BARE}{}", "litellm_settings: {}\n".repeat(repeats + 1));
        let notes = read_text(&text, &KEYS, SecretPolicy::MustExist).unwrap().notes;
        notes
            .iter()
            .filter(|note| format!("{note:?}").contains("duplicate key"))
            .count()
    };
    for (repeats, expected) in [(1, 1), (99, 99), (100, 100), (101, 100)] {
        assert_eq!(noted(repeats), expected, "{repeats}");
    }
}

#[test]
fn a_file_in_another_encoding_is_refused_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    let utf16: Vec<u8> = BARE.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = [b"\xff\xfe".to_vec(), utf16].concat();
    let latin1 = [BARE.as_bytes(), b"# caf\xe9\n"].concat();
    for (bytes, expected) in [
        (marked, "UTF-16"),
        (latin1, "line 2 contains a character that is not UTF-8"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let errors = read(&path, &KEYS.into_iter().collect(), SecretPolicy::MustExist).unwrap_err();
        assert!(errors[0].to_string().contains(expected), "{errors:?}");
        assert!(errors[0].to_string().contains("save it as UTF-8"), "{errors:?}");
    }
}

#[test]
fn limits_are_inclusive() {
    let retries = |count: u32| format!("{BARE}router_settings: {{num_retries: {count}}}\n");
    assert_eq!(
        read_text(&retries(10), &KEYS, SecretPolicy::MustExist)
            .unwrap()
            .settings
            .attempts,
        11
    );
    let size = |megabytes: &str| {
        let text = format!("{BARE}general_settings: {{max_request_size_mb: {megabytes}}}\n");
        read_text(&text, &KEYS, SecretPolicy::MustExist).map(|blueprint| blueprint.settings.body_limit_bytes)
    };
    assert_eq!(size("1024"), Ok(1 << 30));
    assert_eq!(size("0.5"), Ok(1 << 19));
    assert!(size("1024.1").is_err());
    assert!(size("0.0000001").is_err());
}

#[test]
fn the_whole_gateway_can_limit_parallel_requests_and_buffered_bodies() {
    let limits = |sections: &str| {
        let text = format!("{BARE}{sections}\n");
        read_text(&text, &KEYS, SecretPolicy::MustExist).map(|blueprint| {
            let settings = blueprint.settings;
            (settings.parallel_requests, settings.buffered_bodies_bytes)
        })
    };
    let requests = |value: &str| {
        limits(&format!(
            "general_settings: {{global_max_parallel_requests: {value}}}"
        ))
    };
    for (value, expected) in [
        ("1", Some(1)),
        ("'70'", Some(70)),
        ("1000000", Some(1_000_000)),
        ("null", None),
    ] {
        assert_eq!(requests(value), Ok((expected, None)), "{value}");
    }
    for value in ["0", "-1", "1.5", "1000001", "many", "[]"] {
        assert!(requests(value).is_err(), "{value}");
    }
    let bytes = |value: &str| limits(&format!("envoy_bedrock: {{max_buffered_body_mb: {value}}}"));
    for (value, expected) in [("32", Some(32 << 20)), ("1048576", Some(1 << 40)), ("null", None)] {
        assert_eq!(bytes(value), Ok((None, expected)), "{value}");
    }
    for value in ["31.9", "0", "1048577", "lots"] {
        assert!(bytes(value).is_err(), "{value}");
    }
    let body = |megabytes: u32| limits(&format!("general_settings: {{max_request_size_mb: {megabytes}}}"));
    assert_eq!(body(512), Ok((None, None)));
    assert_eq!(
        body(513),
        Ok((None, Some(513 << 20))),
        "a body of the largest size fits"
    );
}

#[test]
fn an_unknown_setting_of_the_gateways_own_section_is_an_error() {
    for (name, hint) in [
        ("max_buffered_bodies_mb", " (did you mean max_buffered_body_mb?)"),
        ("workers", ""),
    ] {
        let text = format!("{BARE}envoy_bedrock: {{{name}: 64}}\n");
        let errors = read_text(&text, &KEYS, SecretPolicy::MustExist).unwrap_err();
        let expected = format!(
            "envoy_bedrock.{name}: expected one of these settings: bearer, keys, keys_file, teams, max_buffered_body_mb, but found \"{name}\"{hint}"
        );
        assert!(errors[0].to_string().ends_with(&expected), "{}", errors[0]);
    }
}

#[test]
fn the_foundation_model_of_an_arn_is_the_one_that_the_file_names() {
    const ARN: &str = "arn:aws:bedrock:us-east-1:123456789012";
    let base = |params: &str, info: &str| {
        let text = format!(
            "model_list: [{{model_name: m, litellm_params: {{aws_region_name: us-east-1, {params}}}, model_info: {{{info}}}}}]"
        );
        deployment(&text, &[], SecretPolicy::MayComeLater).base_model
    };
    let beside = |model: &str, resource: &str| format!("model: '{model}', model_id: '{ARN}:{resource}'");
    let (profile, haiku) = (
        "application-inference-profile/a",
        "anthropic.claude-haiku-4-5-20251001-v1:0",
    );
    for (params, info, expected) in [
        (
            beside(&format!("bedrock/us.{haiku}"), profile),
            String::new(),
            Some(haiku),
        ),
        (
            beside(&format!("bedrock/converse/{haiku}"), profile),
            String::new(),
            Some(haiku),
        ),
        (
            beside(&format!("bedrock/us-east-1/{haiku}"), "provisioned-model/a"),
            String::new(),
            Some(haiku),
        ),
        (
            beside("bedrock/amazon.nova-pro-v1:0", profile),
            format!("base_model: 'bedrock/eu.{haiku}'"),
            Some(haiku),
        ),
        // The name of another service's model is not a Bedrock id.
        (
            beside(&format!("bedrock/{haiku}"), profile),
            "base_model: claude-3.5-sonnet".to_owned(),
            Some(haiku),
        ),
        (
            format!("model: 'bedrock/{ARN}:{profile}'"),
            format!("base_model: 'us.{haiku}'"),
            Some(haiku),
        ),
        (format!("model: 'bedrock/{ARN}:{profile}'"), String::new(), None),
        (
            beside(&format!("bedrock/{ARN}:{profile}"), profile),
            String::new(),
            None,
        ),
        (
            beside("bedrock/meta.llama3-8b-instruct-v1:0", "imported-model/a"),
            String::new(),
            None,
        ),
        // An id or ARN that names its model needs no other name.
        (
            format!("model: 'bedrock/us.{haiku}'"),
            format!("base_model: '{haiku}'"),
            None,
        ),
        (
            beside(
                "bedrock/amazon.nova-pro-v1:0",
                &format!("inference-profile/us.{haiku}"),
            ),
            String::new(),
            None,
        ),
    ] {
        assert_eq!(base(&params, &info).as_deref(), expected, "{params} {info}");
    }
}

#[test]
fn an_id_does_not_depend_on_the_order_of_the_file() {
    let entry = |region: &str| {
        format!("  - {{model_name: m, litellm_params: {{model: bedrock/x.y, aws_region_name: {region}}}}}\n")
    };
    let ids = |first: &str, second: &str| {
        let text = format!("model_list:\n{}{}", entry(first), entry(second));
        let models = read_text(&text, &KEYS, SecretPolicy::MustExist)
            .unwrap()
            .settings
            .models;
        models[0]
            .deployments
            .iter()
            .map(|deployment| deployment.id.clone())
            .collect::<Vec<_>>()
    };
    let (forth, mut back) = (ids("us-east-1", "us-west-2"), ids("us-west-2", "us-east-1"));
    back.reverse();
    assert_eq!(forth, back);
    assert_ne!(forth[0], forth[1]);
}

#[test]
fn a_truncated_file_is_read_or_refused_without_a_panic() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/configs");
    let environment = KEYS.iter().copied().collect();
    let scratch = tempfile::tempdir().unwrap();
    let cut = scratch.path().join("cut.yaml");
    for name in [
        "anchors.yaml",
        "unknown-sections.yaml",
        "credential-list.yaml",
        "invalid/wrong-types.yaml",
    ] {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        // The step is coprime to the indentation, so that cuts fall everywhere in a line.
        for (end, _) in text.char_indices().step_by(7) {
            std::fs::write(&cut, &text[..end]).unwrap();
            if let Err(errors) = read(&cut, &environment, SecretPolicy::Demo) {
                assert!(!errors.is_empty(), "{name} cut at {end}");
            }
        }
    }
}

#[test]
fn a_drained_deployment_needs_neither_a_cluster_nor_a_secret() {
    let text = "model_list:
  - {model_name: m, litellm_params: {model: bedrock/x.y, aws_region_name: us-east-1, weight: 0, api_key: tops3cret}}
  - {model_name: m, litellm_params: {model: bedrock/x.y, aws_region_name: us-west-2, weight: 1}}
";
    let blueprint = read_text(text, &KEYS, SecretPolicy::MustExist).unwrap();
    let clusters: Vec<&str> = blueprint
        .endpoints
        .iter()
        .map(|endpoint| endpoint.cluster.as_str())
        .collect();
    assert_eq!(clusters, ["us-west-2"]);
    assert_eq!(blueprint.settings.models[0].deployments.len(), 1);
    assert!(blueprint.secrets.is_empty());
}
