//! Rules that need a whole file: one written to a temporary directory, or one of `tests/configs`.

use std::path::PathBuf;
use std::time::Duration;

use envoy_bedrock::contract::settings::{CredentialSettings, DeploymentSettings, EnvName};

use super::{Class, Problem, ReadError, Tolerance, grouped, note_lines, read, read_tolerant};
use crate::blueprint::Blueprint;
use crate::document::problem::FileProblem;
use crate::environment::{Environment, SecretPolicy};
use crate::prices::Catalogue;

mod notes;
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
    CredentialSettings::Sigv4 {
        access_key_id: name(id),
        secret_access_key: name(secret),
        session_token: token.map(name),
    }
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
            CredentialSettings::Sigv4 {
                access_key_id: name("AWS_ACCESS_KEY_ID"),
                secret_access_key: name("AWS_SECRET_ACCESS_KEY"),
                session_token: None,
            }
        );
    }
    assert_eq!(blueprint.endpoints[0].cluster, "us-west-2");
    assert_eq!(
        blueprint.endpoints[1].server_name.as_deref(),
        Some("bedrock-runtime.us-east-1.amazonaws.com")
    );
    assert_eq!(blueprint.settings.attempts, 3);
    assert_eq!(blueprint.request_timeout, Duration::from_secs(600));
    assert_eq!(blueprint.secrets[&name("LITELLM_MASTER_KEY")].0, "sk-1234");
    assert_eq!(
        blueprint.missing,
        [name("AWS_ACCESS_KEY_ID"), name("AWS_SECRET_ACCESS_KEY")].into()
    );
}

#[test]
fn the_region_comes_from_the_environment_if_the_file_has_none() {
    let region = |more: &[_]| deployment(BARE, &with(more), SecretPolicy::MustExist).region;
    assert_eq!(region(&[]), "us-west-2");
    assert_eq!(region(&[("AWS_REGION", "eu-west-1")]), "eu-west-1");
    assert_eq!(region(&[("AWS_REGION", "")]), "us-west-2");
    assert_eq!(
        region(&[("AWS_REGION", "eu-west-1"), ("AWS_REGION_NAME", "us-east-2")]),
        "us-east-2"
    );
    let found = problems(
        BARE,
        &with(&[("AWS_REGION", "Frankfurt")]),
        SecretPolicy::MustExist,
    );
    let [Problem::File(FileProblem::Unexpected { expected, .. })] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert!(expected.contains("AWS_REGION"), "{expected}");
}

#[test]
fn the_first_of_three_variables_that_is_set_is_the_region() {
    let names = ["AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"];
    let values = ["eu-north-1", "ap-south-1", "sa-east-1"];
    let all: Vec<(&str, &str)> = names.into_iter().zip(values).collect();
    for first in 0..names.len() {
        let mut environment = with(&all[first..]);
        environment.extend(names[..first].iter().map(|name| (*name, "")));
        for mode in [
            SecretPolicy::MustExist,
            SecretPolicy::MayComeLater,
            SecretPolicy::Demo,
        ] {
            let blueprint = read_text(BARE, &environment, mode).unwrap();
            assert_eq!(
                blueprint.settings.models[0].deployments[0].region, values[first],
                "{mode:?}"
            );
            assert!(
                !format!("{:?}", blueprint.notes).contains("us-west-2"),
                "{mode:?}"
            );
        }
        let wrong = with(&[(names[first], "eu_north_1")]);
        let found = problems(BARE, &wrong, SecretPolicy::MayComeLater);
        assert!(
            matches!(found.as_slice(), [Problem::File(FileProblem::Unexpected { expected, .. })] if expected.contains(names[first])),
            "{found:?}"
        );
    }
    let in_file = BARE.replace("v1:0}", "v1:0, aws_region_name: us-east-2}");
    assert_eq!(
        deployment(&in_file, &with(&all), SecretPolicy::MustExist).region,
        "us-east-2"
    );
    let by_file = format!("{BARE}environment_variables: {{AWS_DEFAULT_REGION: ca-central-1}}\n");
    assert_eq!(
        deployment(&by_file, &KEYS, SecretPolicy::MustExist).region,
        "ca-central-1"
    );
}

#[test]
fn the_environment_selects_one_of_awss_hosts_of_a_region() {
    let host = |more: &[_]| deployment(BARE, &with(more), SecretPolicy::MustExist).authority;
    let (fips, dual_stack) = ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT");
    assert_eq!(
        host(&[(fips, "true")]),
        "bedrock-runtime-fips.us-west-2.amazonaws.com"
    );
    assert_eq!(
        host(&[(fips, "True"), (dual_stack, "true")]),
        "bedrock-runtime-fips.us-west-2.api.aws"
    );
    assert_eq!(host(&[(dual_stack, "TRUE")]), "bedrock-runtime.us-west-2.api.aws");
    for off in ["false", "False", ""] {
        assert_eq!(host(&[(fips, off)]), "bedrock-runtime.us-west-2.amazonaws.com");
    }
    for neither in ["1", "yes", "tru"] {
        let found = problems(BARE, &with(&[(fips, neither)]), SecretPolicy::MustExist);
        assert!(
            matches!(found.as_slice(), [Problem::File(FileProblem::Unexpected { expected, .. })] if expected.contains(fips)),
            "{found:?}"
        );
    }
}

#[test]
fn a_configured_endpoint_without_fips_is_noted_if_the_environment_selects_fips() {
    let notes = |url: &str| {
        let text = BARE.replace("v1:0}", &format!("v1:0, api_base: \"{url}\"}}"));
        let environment = with(&[("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_REGION", "us-east-1")]);
        format!(
            "{:?}",
            read_text(&text, &environment, SecretPolicy::MustExist)
                .unwrap()
                .notes
        )
    };
    assert!(notes("https://bedrock-runtime.us-east-1.amazonaws.com").contains("AWS_USE_FIPS_ENDPOINT"));
    assert!(notes("https://proxy.example").contains("AWS_USE_FIPS_ENDPOINT"));
    for url in [
        "https://bedrock-runtime-fips.us-east-1.amazonaws.com",
        "https://vpce-1.bedrock-runtime-fips.us-east-1.vpce.amazonaws.com",
    ] {
        assert!(!notes(url).contains("AWS_USE_FIPS_ENDPOINT"), "{url}");
    }
}

#[test]
fn an_endpoint_variable_that_only_the_aws_sdks_read_is_noted() {
    let notes = |more: &[_]| {
        format!(
            "{:?}",
            read_text(BARE, &with(more), SecretPolicy::MustExist)
                .unwrap()
                .notes
        )
    };
    for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] {
        let found = notes(&[(name, "https://tops3cret.example")]);
        assert!(
            found.contains(&format!("{name} is ignored")) && !found.contains("tops3cret"),
            "{found}"
        );
        let own = ("AWS_BEDROCK_RUNTIME_ENDPOINT", "https://own.example");
        assert!(!notes(&[(name, "https://x.example"), own]).contains(name));
    }
}

#[test]
fn the_default_region_is_noted() {
    let notes = read_text(BARE, &KEYS, SecretPolicy::MustExist).unwrap().notes;
    let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        ["model_list[0].litellm_params (line 1): no region is set: us-west-2 is used"]
    );
}

#[test]
fn an_endpoint_in_the_file_takes_precedence_over_the_environments() {
    let environment = with(&[("AWS_BEDROCK_RUNTIME_ENDPOINT", "http://localhost:9101/x")]);
    let found = deployment(BARE, &environment, SecretPolicy::MustExist);
    assert_eq!(
        (found.authority.as_str(), found.base_path.as_str()),
        ("localhost:9101", "/x")
    );
    assert_eq!(found.cluster, "localhost-9101");
    let own = BARE.replace("v1:0}", "v1:0, api_base: \"https://own.example\"}");
    assert_eq!(
        deployment(&own, &environment, SecretPolicy::MustExist).authority,
        "own.example"
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
fn keys_come_from_the_environment_together_with_their_session_token() {
    let credentials = |more: &[_]| deployment(BARE, &with(more), SecretPolicy::MustExist).credentials;
    assert_eq!(
        credentials(&[]),
        sigv4("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", None)
    );
    assert_eq!(
        credentials(&[("AWS_SESSION_TOKEN", "t")]),
        sigv4(
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            Some("AWS_SESSION_TOKEN")
        )
    );
    assert_eq!(
        credentials(&[("AWS_BEARER_TOKEN_BEDROCK", "b")]),
        CredentialSettings::Bearer {
            api_key: name("AWS_BEARER_TOKEN_BEDROCK")
        }
    );
}

#[test]
fn a_deployment_with_its_own_keys_uses_no_token_of_the_environment() {
    let text = BARE.replace(
        "v1:0}",
        "v1:0, aws_access_key_id: os.environ/ID, aws_secret_access_key: os.environ/S}",
    );
    let environment = with(&[
        ("ID", "AKIA"),
        ("S", "s"),
        ("AWS_SESSION_TOKEN", "t"),
        ("AWS_BEARER_TOKEN_BEDROCK", "b"),
    ]);
    assert_eq!(
        deployment(&text, &environment, SecretPolicy::MustExist).credentials,
        sigv4("ID", "S", None)
    );
}

#[test]
fn no_credentials_and_half_a_pair_are_different_errors() {
    assert_eq!(
        problems(BARE, &[KEY], SecretPolicy::MustExist),
        [Problem::NoCredentials { unusable: Vec::new() }]
    );
    let half = [KEY, ("AWS_ACCESS_KEY_ID", "AKIA")];
    let unset = not_set("AWS_SECRET_ACCESS_KEY");
    assert_eq!(problems(BARE, &half, SecretPolicy::MustExist), [unset]);
}

#[test]
fn missing_credentials_name_the_unusable_variables_that_are_set() {
    for name in [
        "AWS_PROFILE",
        "AWS_ROLE_ARN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_SESSION_TOKEN",
        "AWS_SECRET_KEY",
    ] {
        let environment = [KEY, (name, "tops3cret")];
        let errors = read_text(BARE, &environment, SecretPolicy::MustExist).unwrap_err();
        let [error] = errors.as_slice() else {
            panic!("{errors:?}")
        };
        assert_eq!(error.problem, Problem::NoCredentials { unusable: vec![name] });
        let text = error.to_string();
        assert!(
            text.contains("aws configure export-credentials") && !text.contains("tops3cret"),
            "{text}"
        );
        // The demonstration starts instead, and says why.
        let notes = read_text(BARE, &environment, SecretPolicy::Demo).unwrap().notes;
        assert!(
            format!("{notes:?}").contains(&format!(
                "only {name}: credentials of this kind are not supported"
            )),
            "{notes:?}"
        );
        let quiet = read_text(BARE, &with(&[(name, "x")]), SecretPolicy::MustExist)
            .unwrap()
            .notes;
        assert!(!format!("{quiet:?}").contains(name), "{quiet:?}");
    }
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
fn secrets_that_may_come_later_are_named_without_an_environment() {
    let blueprint = read_text(BARE, &[], SecretPolicy::MayComeLater).unwrap();
    let credentials = &blueprint.settings.models[0].deployments[0].credentials;
    assert_eq!(
        *credentials,
        sigv4(
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            Some("AWS_SESSION_TOKEN")
        )
    );
    assert_eq!(blueprint.settings.master_key, name("LITELLM_MASTER_KEY"));
    let missing = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "LITELLM_MASTER_KEY"].map(name);
    assert_eq!(blueprint.missing, missing.into());
    assert!(blueprint.secrets.is_empty());
}

#[test]
fn secrets_that_may_come_later_do_not_depend_on_the_environment() {
    let without = read_text(BARE, &[], SecretPolicy::MayComeLater).unwrap();
    let with = read_text(
        BARE,
        &with(&[("AWS_SESSION_TOKEN", "t")]),
        SecretPolicy::MayComeLater,
    )
    .unwrap();
    assert_eq!(without.settings, with.settings);
}

#[test]
fn a_variable_that_is_not_a_secret_must_be_set_under_every_policy() {
    let text = BARE.replace("v1:0}", "v1:0, aws_region_name: os.environ/NO_REGION}");
    for mode in [
        SecretPolicy::MustExist,
        SecretPolicy::MayComeLater,
        SecretPolicy::Demo,
    ] {
        let unset = not_set("NO_REGION");
        assert_eq!(problems(&text, &KEYS, mode), [unset], "{mode:?}");
    }
}

#[test]
fn without_a_proxy_key_only_the_demonstration_starts() {
    let aws = &KEYS[1..];
    assert_eq!(
        problems(BARE, aws, SecretPolicy::MustExist),
        [Problem::NoMasterKey]
    );
    let demo = read_text(BARE, aws, SecretPolicy::Demo).unwrap();
    assert_eq!(demo.secrets[&demo.settings.master_key].0, "sk-1234");
    assert!(demo.missing.is_empty());
    let referring = format!("{BARE}general_settings: {{master_key: os.environ/MY_KEY}}\n");
    let demo = read_text(&referring, aws, SecretPolicy::Demo).unwrap();
    assert_eq!(demo.settings.master_key, name("MY_KEY"));
    assert_eq!(demo.secrets[&name("MY_KEY")].0, "sk-1234");
    let unset = not_set("MY_KEY");
    assert_eq!(problems(&referring, &KEYS, SecretPolicy::MustExist), [unset]);
}

#[test]
fn a_key_in_the_file_takes_precedence_over_the_environments() {
    let own = format!("{BARE}general_settings: {{master_key: sk-own}}\n");
    let blueprint = read_text(&own, &KEYS, SecretPolicy::Demo).unwrap();
    assert_eq!(blueprint.secrets[&blueprint.settings.master_key].0, "sk-own");
}

#[test]
fn the_publicly_known_key_is_noted_unless_that_is_permitted() {
    let warns = |settings: &str, mode| {
        let text = format!("{BARE}general_settings: {{master_key: sk-1234{settings}}}\n");
        let notes = read_text(&text, &KEYS, mode).unwrap().notes;
        notes.iter().any(|note| note.text.contains("publicly known"))
    };
    assert!(warns("", SecretPolicy::MustExist));
    assert!(!warns("", SecretPolicy::Demo));
    assert!(!warns(
        ", dangerously_permit_weak_or_unset_master_key: true",
        SecretPolicy::MustExist
    ));
}

#[test]
fn a_key_without_the_prefix_is_noted_and_works() {
    let noted = |text: &str, environment: &[_]| {
        let blueprint = read_text(text, environment, SecretPolicy::MustExist).unwrap();
        blueprint
            .notes
            .iter()
            .any(|note| note.text.contains("does not start with sk-"))
    };
    let environment = [("LITELLM_MASTER_KEY", "tops3cret"), KEYS[1], KEYS[2]];
    assert!(noted(BARE, &environment));
    assert!(noted(
        &format!("{BARE}general_settings: {{master_key: tops3cret}}\n"),
        &KEYS
    ));
    assert!(!noted(BARE, &KEYS));
}

#[test]
fn ignored_variables_for_other_rights_are_noted() {
    let notes = read_text(
        BARE,
        &with(&[("AWS_ROLE_NAME", "arn:tops3cret")]),
        SecretPolicy::MustExist,
    )
    .unwrap()
    .notes;
    let note = "the environment variable AWS_ROLE_NAME is ignored: it is not supported yet";
    assert!(notes.iter().any(|found| found.text == note), "{notes:?}");
}

#[test]
fn a_moved_secret_gets_an_unused_variable() {
    let text = BARE.replace("v1:0}", "v1:0, api_key: one}");
    let taken = with(&[("ENVOY_BEDROCK_MODEL_LIST_0_API_KEY", "another")]);
    let found = deployment(&text, &taken, SecretPolicy::MustExist).credentials;
    assert_eq!(
        found,
        CredentialSettings::Bearer {
            api_key: name("ENVOY_BEDROCK_MODEL_LIST_0_API_KEY_2")
        }
    );
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
    assert!(read_text(&retries(11), &KEYS, SecretPolicy::MustExist).is_err());
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
