//! Roles, profiles, web identities and the default chain.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::credentials::{AssumedRole, BrokeredCredential, CredentialSource, WebIdentityToken};

const ROLE: &str = "arn:aws:iam::123456789012:role/bedrock";

/// One deployment with `parameters`.
fn config(parameters: &str) -> String {
    format!("model_list:\n{}", entry("m", parameters))
}

fn entry(name: &str, parameters: &str) -> String {
    format!(
        "  - {{model_name: {name}, litellm_params: {{model: bedrock/amazon.nova-pro-v1:0, {parameters}}}}}\n"
    )
}

fn read(text: &str, variables: &[(&str, &str)], policy: SecretPolicy) -> Blueprint {
    let variables: Vec<_> = variables.iter().copied().chain([KEY]).collect();
    read_text(text, &variables, policy).unwrap()
}

/// The only credential of the broker.
fn credential(text: &str, variables: &[(&str, &str)]) -> BrokeredCredential {
    let mut blueprint = read(text, variables, SecretPolicy::MustExist);
    assert_eq!(blueprint.brokered.len(), 1, "{:?}", blueprint.brokered);
    let credential = blueprint.brokered.remove(0);
    for deployment in blueprint.settings.deployments() {
        let CredentialSettings::Brokered { id, .. } = &deployment.credentials else {
            panic!("{:?}", deployment.credentials)
        };
        assert_eq!(*id, credential.id);
    }
    assert!(blueprint.settings.broker.is_some());
    credential
}

fn role() -> AssumedRole {
    AssumedRole {
        arn: ROLE.to_owned(),
        session_name: None,
        external_id: None,
        sts_endpoint: None,
        session_tags: BTreeMap::new(),
    }
}

fn assumed_with(base: CredentialSource) -> CredentialSource {
    CredentialSource::Role {
        role: role(),
        base: Box::new(base),
    }
}

#[test]
fn a_role_is_assumed_with_keys_with_a_profile_or_with_what_the_sdks_find() {
    let with_role = format!("aws_role_name: '{ROLE}'");
    let source = |more: &str| {
        credential(
            &config(&format!("{with_role}{more}")),
            &[("ID", "AKIA"), ("S", "s")],
        )
        .source
    };
    assert_eq!(source(""), assumed_with(CredentialSource::DefaultChain));
    let profile = CredentialSource::Profile("team".to_owned());
    assert_eq!(source(", aws_profile_name: team"), assumed_with(profile));
    let CredentialSettings::Sigv4(keys) = sigv4("ID", "S", None) else {
        panic!()
    };
    let with_keys = ", aws_access_key_id: os.environ/ID, aws_secret_access_key: os.environ/S";
    assert_eq!(source(with_keys), assumed_with(CredentialSource::Keys(keys)));
}

#[test]
fn a_role_has_all_its_parameters_from_the_file_or_from_its_variables() {
    let expected = AssumedRole {
        session_name: Some("apps".to_owned()),
        external_id: Some("x-1".to_owned()),
        sts_endpoint: Some("https://sts.example.com".to_owned()),
        session_tags: [("team".to_owned(), "search".to_owned())].into(),
        ..role()
    };
    let tags = "aws_session_tags: [{Key: team, Value: search}]";
    let in_file = format!(
        "aws_role_name: '{ROLE}', aws_session_name: apps, aws_external_id: os.environ/EXTERNAL, \
         aws_sts_endpoint: https://sts.example.com, {tags}"
    );
    let in_environment = [
        ("AWS_ROLE_NAME", ROLE),
        ("AWS_SESSION_NAME", "apps"),
        ("AWS_EXTERNAL_ID", "x-1"),
        ("AWS_STS_ENDPOINT", "https://sts.example.com"),
    ];
    for (text, variables) in [
        (in_file.as_str(), &[("EXTERNAL", "x-1")][..]),
        (tags, &in_environment),
    ] {
        let CredentialSource::Role { role, .. } = credential(&config(text), variables).source else {
            panic!("{text}")
        };
        assert_eq!(role, expected, "{text}");
    }
}

#[test]
fn a_web_identity_token_is_in_a_file_or_a_variable() {
    let variable = |name: &str| WebIdentityToken::Variable(EnvName(name.to_owned()));
    let file = |path: &str| WebIdentityToken::File(PathBuf::from(path));
    for (written, value, expected) in [
        ("/run/token", "", file("/run/token")),
        ("oidc/file//run/token", "", file("/run/token")),
        ("oidc/env/JWT", "ey.token", variable("JWT")),
        ("oidc/env_path/JWT", "/run/token", file("/run/token")),
        ("os.environ/JWT", "/run/token", file("/run/token")),
        ("os.environ/JWT", "oidc/file//run/token", file("/run/token")),
        ("os.environ/JWT", "ey.token", variable("JWT")),
    ] {
        let text = config(&format!(
            "aws_role_name: '{ROLE}', aws_web_identity_token: '{written}'"
        ));
        let source = credential(&text, &[("JWT", value)]).source;
        let role = role();
        assert_eq!(
            source,
            CredentialSource::WebIdentity {
                role,
                token: expected
            },
            "{written}"
        );
    }
}

#[test]
fn a_token_in_a_variable_must_be_set_here_or_in_the_file() {
    for written in ["oidc/env/JWT", "os.environ/JWT"] {
        let text = config(&format!(
            "aws_role_name: '{ROLE}', aws_web_identity_token: {written}"
        ));
        let errors = read_text(&text, &[KEY], SecretPolicy::MustExist).unwrap_err();
        let message = errors.iter().map(ToString::to_string).collect::<String>();
        assert!(message.contains("JWT is unset"), "{message}");
        let text = text + "environment_variables: {JWT: ey.token}\n";
        let blueprint = read(&text, &[], SecretPolicy::MustExist);
        assert!(blueprint.secrets.contains_key(&EnvName("JWT".to_owned())));
    }
}

#[test]
fn what_sts_would_refuse_is_refused_here() {
    for (setting, expected) in [
        ("aws_session_name: x", "2 to 64 letters"),
        ("aws_session_name: 'my apps'", "2 to 64 letters"),
        ("aws_external_id: ''", "2 to 1224 letters"),
        ("aws_external_id: x", "2 to 1224 letters"),
        ("aws_external_id: 'my id'", "2 to 1224 letters"),
        ("aws_sts_endpoint: sts.us-west-2.amazonaws.com", "the URL of STS"),
        ("aws_web_identity_token: oidc/env/", "oidc/env/NAME"),
        ("aws_web_identity_token: oidc/google/x", "which is not supported"),
    ] {
        let text = config(&format!("aws_role_name: '{ROLE}', {setting}"));
        let errors = read_text(&text, &[KEY], SecretPolicy::MustExist).unwrap_err();
        let [error] = &errors[..] else {
            panic!("{setting}: {errors:?}")
        };
        assert!(error.to_string().contains(expected), "{setting}: {error}");
    }
}

#[test]
fn settings_that_a_web_identity_does_not_take_are_noted() {
    let text = config(&format!(
        "aws_role_name: '{ROLE}', aws_web_identity_token: /t, aws_external_id: x-1"
    ));
    let notes = read(&text, &[], SecretPolicy::MustExist).notes;
    assert!(
        notes
            .iter()
            .any(|note| note.to_string().contains("together with aws_web_identity_token")),
        "{notes:?}"
    );
}

#[test]
fn a_web_identity_takes_precedence_over_a_profile_and_a_profile_over_keys() {
    let keys = "aws_access_key_id: os.environ/ID, aws_secret_access_key: os.environ/S";
    let variables = [("ID", "AKIA"), ("S", "s")];
    let profile = config(&format!("{keys}, aws_profile_name: team"));
    let source = credential(&profile, &variables).source;
    assert_eq!(source, CredentialSource::Profile("team".to_owned()));
    let all = format!("{keys}, aws_profile_name: team, aws_role_name: '{ROLE}', aws_web_identity_token: /t");
    let source = credential(&config(&all), &variables).source;
    assert!(
        matches!(source, CredentialSource::WebIdentity { .. }),
        "{source:?}"
    );
}

#[test]
fn a_deployment_without_credentials_uses_keys_of_the_environment_or_the_default_chain() {
    let text = config("aws_region_name: us-east-1");
    assert_eq!(credential(&text, &[]).source, CredentialSource::DefaultChain);
    let keys = [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "s")];
    assert_eq!(read(&text, &keys, SecretPolicy::MustExist).brokered, []);
    assert_eq!(
        read(&text, &[], SecretPolicy::MustExist)
            .settings
            .deployments()
            .count(),
        1
    );
}

#[test]
fn a_rendered_deployment_without_credentials_permits_both() {
    let blueprint = read(
        &config("aws_region_name: us-east-1"),
        &[],
        SecretPolicy::MayComeLater,
    );
    let deployment = blueprint.settings.deployments().next().unwrap();
    let CredentialSettings::Brokered { environment, .. } = &deployment.credentials else {
        panic!("{:?}", deployment.credentials)
    };
    let CredentialSettings::Sigv4(keys) = sigv4(
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        Some("AWS_SESSION_TOKEN"),
    ) else {
        panic!()
    };
    assert_eq!(*environment, Some(keys));
}

#[test]
fn deployments_with_equal_settings_share_a_credential_whatever_their_region() {
    let role = format!("aws_role_name: '{ROLE}'");
    let text = config(&format!("aws_region_name: us-east-1, {role}"))
        + &entry("m", &format!("aws_region_name: us-west-2, {role}"))
        + &entry(
            "n",
            &format!("aws_region_name: us-west-2, {role}, aws_external_id: other"),
        );
    let blueprint = read(&text, &[], SecretPolicy::MustExist);
    let deployments: Vec<_> = blueprint
        .brokered
        .iter()
        .map(|known| known.deployments.clone())
        .collect();
    assert_eq!(
        deployments,
        [
            vec!["m in us-east-1".to_owned(), "m in us-west-2".to_owned()],
            vec!["n in us-west-2".to_owned()]
        ]
    );
    assert_ne!(blueprint.brokered[0].id, blueprint.brokered[1].id);
}

#[test]
fn render_and_the_broker_agree_on_the_name_of_a_credential() {
    let text = config("aws_role_name: os.environ/ROLE, aws_external_id: os.environ/EXTERNAL");
    let rendered = read(&text, &[], SecretPolicy::MayComeLater);
    let variables = [("ROLE", ROLE), ("EXTERNAL", "x-1")];
    let run = credential(&("# moved by a line\n".to_owned() + &text), &variables);
    assert_eq!(rendered.brokered[0].id, run.id);
}

#[test]
fn an_entry_of_credential_list_works_like_the_deployments_own_settings() {
    let own = credential(&config(&format!("aws_role_name: '{ROLE}'")), &[]);
    let list = format!(
        "credential_list: [{{credential_name: c, credential_values: {{aws_role_name: '{ROLE}'}}}}]\n"
    );
    let listed = credential(&(list + &config("litellm_credential_name: c")), &[]);
    assert_eq!(own, listed);
}

#[test]
fn an_api_key_takes_precedence_over_a_role() {
    let text = config(&format!("api_key: os.environ/K, aws_role_name: '{ROLE}'"));
    let blueprint = read(&text, &[("K", "key")], SecretPolicy::MustExist);
    assert_eq!(blueprint.brokered, []);
    assert!(format!("{:?}", blueprint.notes).contains("api_key takes precedence"));
}

#[test]
fn the_emulator_replaces_every_source_by_made_up_keys() {
    for parameters in [
        "aws_role_name: os.environ/ROLE",
        "aws_profile_name: team",
        "aws_region_name: us-east-1",
        "aws_role_name: os.environ/ROLE, aws_web_identity_token: os.environ/JWT",
    ] {
        let blueprint = read(&config(parameters), &[], SecretPolicy::Demo);
        let deployment = blueprint.settings.deployments().next().unwrap();
        let keys = sigv4("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", None);
        assert_eq!(deployment.credentials, keys, "{parameters}");
        assert_eq!(blueprint.settings.broker, None);
        assert_eq!(blueprint.brokered.len(), 1);
    }
}

#[test]
fn short_term_api_keys_are_for_all_deployments_or_for_some() {
    let keys = [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let bearers = |text: &str| -> Vec<bool> {
        let blueprint = read(text, &keys, SecretPolicy::MustExist);
        let is_bearer = |credentials: &CredentialSettings| {
            matches!(credentials, CredentialSettings::Brokered { bearer: true, .. })
        };
        let deployments = blueprint.settings.deployments();
        deployments
            .map(|deployment| is_bearer(&deployment.credentials))
            .collect()
    };
    let plain = entry("a", "aws_region_name: us-east-1");
    let own = |bearer: bool| {
        plain.replace(
            "}}\n",
            &format!("}}, model_info: {{envoy_bedrock: {{bearer: {bearer}}}}}}}\n"),
        )
    };
    let list = |everywhere: &str, entries: &[&str]| format!("{everywhere}model_list:\n{}", entries.concat());
    let everywhere = "envoy_bedrock: {bearer: true}\n";
    assert_eq!(bearers(&list("", &[&plain, &own(true)])), [false, true]);
    assert_eq!(bearers(&list(everywhere, &[&plain, &own(false)])), [true, false]);

    let text = list(everywhere, &[&plain, &plain.replace("us-east-1", "eu-west-1")]);
    let blueprint = read(&text, &keys, SecretPolicy::MustExist);
    let [credential] = &blueprint.brokered[..] else {
        panic!("{:?}", blueprint.brokered)
    };
    let regions: Vec<_> = credential.bearer_regions.iter().map(String::as_str).collect();
    assert_eq!(regions, ["eu-west-1", "us-east-1"]);
    assert!(matches!(credential.source, CredentialSource::Keys(_)));
}

#[test]
fn literal_keys_of_a_role_stay_secret_and_reach_the_broker() {
    let text = config(&format!(
        "aws_role_name: '{ROLE}', aws_access_key_id: AKIALITERAL, aws_secret_access_key: tops3cret"
    ));
    let blueprint = read(&text, &[], SecretPolicy::MustExist);
    assert!(!format!("{blueprint:?}").contains("tops3cret"));
    let names: Vec<_> = blueprint.brokered[0].secret_names().collect();
    assert!(
        names.iter().all(|name| blueprint.secrets.contains_key(name)),
        "{names:?}"
    );
    assert_eq!(names.len(), 2);
}

#[test]
fn variables_of_the_sdks_that_the_file_assigns_are_followed() {
    let source = |variables: &str| {
        let text = config("") + &format!("environment_variables: {{{variables}}}\n");
        let rendered = read(&text, &[], SecretPolicy::MayComeLater);
        let run = credential(&text, &[]);
        assert_eq!(rendered.brokered[0].id, run.id, "`render` and the broker agree");
        (run.source, run.id)
    };
    let (profile, profile_id) = source("AWS_PROFILE: team");
    assert_eq!(profile, CredentialSource::Profile("team".to_owned()));
    let (identity, identity_id) = source(&format!(
        "AWS_ROLE_ARN: '{ROLE}', AWS_WEB_IDENTITY_TOKEN_FILE: /token, AWS_ROLE_SESSION_NAME: apps"
    ));
    let expected = CredentialSource::WebIdentity {
        role: AssumedRole {
            session_name: Some("apps".to_owned()),
            ..role()
        },
        token: WebIdentityToken::File(PathBuf::from("/token")),
    };
    assert_eq!(identity, expected);
    let (chain, chain_id) = source("AWS_WEB_IDENTITY_TOKEN_FILE: /token");
    assert_eq!(chain, CredentialSource::DefaultChain);
    assert_eq!(
        std::collections::BTreeSet::from([profile_id, identity_id, chain_id]).len(),
        3
    );
    let with_role = config(&format!("aws_role_name: '{ROLE}'"));
    let text = with_role + "environment_variables: {AWS_PROFILE: team}\n";
    let profile = CredentialSource::Profile("team".to_owned());
    assert_eq!(credential(&text, &[]).source, assumed_with(profile));
}

#[test]
fn a_variable_that_only_the_sdk_reads_belongs_in_the_environment() {
    let text = config("") + "environment_variables: {AWS_CONFIG_FILE: /aws/config}\n";
    let notes = read(&text, &[], SecretPolicy::MustExist).notes;
    let notes: Vec<_> = notes.iter().map(ToString::to_string).collect();
    assert!(
        notes.iter().any(|note| note.contains("environment only")),
        "{notes:?}"
    );
}
