//! What the operator can accept: protecting settings that do not work, and deployments that cannot
//! be served.

use super::*;

const TWO: &str = "\
model_list:
  - {model_name: a, litellm_params: {model: bedrock/amazon.nova-pro-v1:0, aws_region_name: us-east-1}}
  - {model_name: b, litellm_params: {model: bedrock/amazon.nova-pro-v1:0, aws_region_name: us-east-1}}
";

fn read_with(text: &str, tolerance: &Tolerance) -> Result<Blueprint, Vec<ReadError>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    std::fs::write(&path, text).unwrap();
    let environment = KEYS.into_iter().collect();
    read_tolerant(
        &path,
        &environment,
        SecretPolicy::MustExist,
        PriceList::built_in(),
        tolerance,
    )
}

fn accepting(names: &[&str]) -> Tolerance {
    Tolerance {
        accept_unprotected: names.iter().map(|name| (*name).to_owned()).collect(),
        leave_out_unsupported: false,
    }
}

fn leaving_out() -> Tolerance {
    Tolerance {
        leave_out_unsupported: true,
        ..Tolerance::default()
    }
}

/// The protecting settings for which the file is refused.
fn refused(text: &str) -> Vec<String> {
    let errors = read_with(text, &Tolerance::default()).map_or_else(|errors| errors, |_| Vec::new());
    let name = |error: &ReadError| match &error.problem {
        Problem::Unprotected { name, .. } => name.clone(),
        other => panic!("{other}"),
    };
    errors.iter().map(name).collect()
}

fn of_class(blueprint: &Blueprint, class: Class) -> Vec<String> {
    let notes = blueprint.notes.iter().filter(|note| note.class == class);
    notes.map(ToString::to_string).collect()
}

/// A file with `setting` in `section`: in a deployment's parameters, or in a section of the file.
fn with_setting(section: &str, setting: &str) -> String {
    match section {
        "" => format!("{TWO}{setting}\n"),
        "litellm_params" => TWO.replacen("us-east-1}", &format!("us-east-1, {setting}}}"), 1),
        "model_info" => TWO.replacen(
            "us-east-1}}",
            &format!("us-east-1}}, model_info: {{{setting}}}}}"),
            1,
        ),
        section => format!("{TWO}{section}: {{{setting}}}\n"),
    }
}

const PROTECTING: [(&str, &str, &str); 24] = [
    ("general_settings", "allowed_ips", "[10.1.2.3]"),
    ("general_settings", "max_parallel_requests", "7"),
    ("general_settings", "max_parallel_requests", "0"),
    ("general_settings", "max_response_size_mb", "5"),
    ("general_settings", "allowed_routes", "[/chat/completions]"),
    ("general_settings", "custom_auth", "my_auth.check"),
    ("general_settings", "enable_jwt_auth", "true"),
    ("general_settings", "enforce_user_param", "yes"),
    ("litellm_settings", "max_budget", "100"),
    ("litellm_settings", "max_budget", "0.01"),
    ("litellm_settings", "blocked_user_list", "[mallory]"),
    ("litellm_settings", "callbacks", "[otel, presidio]"),
    ("litellm_settings", "callbacks", "lakera_prompt_injection"),
    (
        "litellm_settings",
        "guardrails",
        "[{pii: {callbacks: [presidio], default_on: true}}]",
    ),
    (
        "router_settings",
        "provider_budget_config",
        "{bedrock: {budget_limit: 1, time_period: 1d}}",
    ),
    ("router_settings", "enable_tag_filtering", "true"),
    ("router_settings", "default_litellm_params", "{max_budget: 3}"),
    ("litellm_params", "max_budget", "0"),
    ("litellm_params", "guardrails", "[pii]"),
    ("model_info", "team_id", "blue"),
    ("model_info", "supported_environments", "[staging]"),
    (
        "",
        "guardrails",
        "[{guardrail_name: pii, litellm_params: {guardrail: bedrock, mode: pre_call, default_on: true}}]",
    ),
    (
        "",
        "guardrails",
        "[{guardrail_name: pii, litellm_params: {guardrail: bedrock, mode: [pre_call], default_on: 'True'}}]",
    ),
    ("", "policy_attachments", "[{policy: p, scope: '*'}]"),
];

#[test]
fn protecting_settings_are_refused_unless_accepted_by_name() {
    for (section, name, value) in PROTECTING {
        let text = with_setting(section, &format!("{name}: {value}"));
        let accepted = match name {
            "default_litellm_params" => "max_budget",
            name => name,
        };
        assert_eq!(refused(&text), [accepted], "{section}.{name}: {value}");
        let blueprint = read_with(&text, &accepting(&[accepted])).unwrap();
        assert_eq!(of_class(&blueprint, Class::Accepted).len(), 1, "{section}.{name}");
    }
}

#[test]
fn a_name_can_be_accepted_in_one_section_or_at_one_location() {
    let text = with_setting("litellm_params", "max_budget: 1") + "litellm_settings: {max_budget: 9}\n";
    assert_eq!(refused(&text), ["max_budget", "max_budget"]);
    assert!(read_with(&text, &accepting(&["max_budget"])).is_ok());
    let left = |names: &[&str]| read_with(&text, &accepting(names)).unwrap_err().len();
    assert_eq!(left(&["litellm_settings.max_budget"]), 1);
    assert_eq!(left(&["model_list[0].litellm_params.max_budget"]), 1);
    assert!(
        read_with(
            &text,
            &accepting(&["litellm_settings.max_budget", "litellm_params.max_budget"])
        )
        .is_ok()
    );
}

#[test]
fn a_setting_that_is_switched_off_protects_nothing() {
    for (section, setting) in [
        ("general_settings", "allowed_ips: []"),
        ("general_settings", "allowed_ips: null"),
        ("general_settings", "max_parallel_requests: null"),
        ("general_settings", "enable_jwt_auth: false"),
        ("general_settings", "enable_jwt_auth: 'False'"),
        ("litellm_settings", "max_budget: 0"),
        ("litellm_settings", "max_budget: 0.0"),
        ("litellm_settings", "callbacks: []"),
        ("litellm_settings", "callbacks: [prometheus, langfuse]"),
        ("router_settings", "provider_budget_config: {}"),
        ("router_settings", "optional_pre_call_checks: [prompt_caching]"),
        ("model_info", "team_id: ''"),
        (
            "",
            "guardrails: [{guardrail_name: pii, litellm_params: {guardrail: bedrock, mode: pre_call}}]",
        ),
        (
            "",
            "guardrails: [{guardrail_name: pii, litellm_params: {guardrail: bedrock, mode: pre_call, default_on: false}}]",
        ),
        (
            "",
            "guardrails: [{guardrail_name: pii, litellm_params: {guardrail: presidio, mode: logging_only, default_on: true}}]",
        ),
    ] {
        assert!(
            refused(&with_setting(section, setting)).is_empty(),
            "{section}: {setting}"
        );
    }
}

#[test]
fn deciding_default_parameters_cannot_be_accepted() {
    let text = with_setting(
        "router_settings",
        "default_litellm_params: {aws_region_name: eu-west-1, temperature: 1}",
    );
    let errors = read_with(&text, &accepting(&["default_litellm_params"])).unwrap_err();
    let [error] = errors.as_slice() else {
        panic!("{errors:?}")
    };
    assert_eq!(
        error.location.path,
        "router_settings.default_litellm_params.aws_region_name"
    );
}

#[test]
fn an_accepted_name_that_protects_nothing_is_noted_and_an_unknown_one_is_an_error() {
    let blueprint = read_with(TWO, &accepting(&["allowed_ips", ""])).unwrap();
    assert_eq!(
        of_class(&blueprint, Class::General),
        [
            "--accept-unprotected: allowed_ips protects nothing in this file: remove it from --accept-unprotected"
        ]
    );
    let errors = read_with(TWO, &accepting(&["allowed_ip"])).unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "--accept-unprotected: expected the name of a protecting setting, but found \"allowed_ip\" (did you mean \
         allowed_ips?)"
    );
}

#[test]
fn deployments_that_cannot_be_served_are_left_out_with_a_reason() {
    for broken in [
        "aws_role_name: x",
        "weight: heavy",
        "max_budget: 3",
        "aws_access_key_id: os.environ/NOT_SET, aws_secret_access_key: os.environ/NOT_SET_EITHER",
        "litellm_credential_name: nobody",
        "api_base: not a url",
    ] {
        let text = with_setting("litellm_params", broken);
        assert!(read_with(&text, &Tolerance::default()).is_err(), "{broken}");
        let blueprint = read_with(&text, &leaving_out()).unwrap();
        let names: Vec<_> = blueprint
            .settings
            .models
            .iter()
            .map(|model| model.name.as_str())
            .collect();
        assert_eq!(names, ["b"], "{broken}");
        let notes: Vec<_> = blueprint
            .notes
            .iter()
            .filter(|note| note.class == Class::LeftOut)
            .collect();
        assert!(!notes.is_empty(), "{broken}");
        for note in notes {
            assert!(note.location.path.starts_with("model_list[0]"), "{note}");
            assert_eq!(note.location.line, Some(2), "{note}");
        }
    }
}

#[test]
fn deployments_with_the_same_missing_variable_each_have_a_reason() {
    let text = TWO.replace("us-east-1}", "us-east-1, api_key: os.environ/NOT_SET}")
        + "  - {model_name: c, litellm_params: {model: bedrock/amazon.nova-pro-v1:0}}\n";
    let blueprint = read_with(&text, &leaving_out()).unwrap();
    let left_out = blueprint.notes.iter().filter(|note| note.class == Class::LeftOut);
    let lines: Vec<_> = left_out.map(|note| note.location.line).collect();
    assert_eq!(lines, [Some(2), Some(3)]);
}

#[test]
fn if_nothing_is_left_to_serve_the_reasons_are_errors() {
    let text = TWO.replace("us-east-1}", "us-east-1, aws_role_name: p}");
    let errors = read_with(&text, &leaving_out()).unwrap_err();
    let kinds: Vec<bool> = errors
        .iter()
        .map(|error| error.problem.to_string().contains("the ARN of a role"))
        .collect();
    assert_eq!(kinds.iter().filter(|refused| **refused).count(), 2);
    assert!(
        errors
            .iter()
            .any(|error| matches!(error.problem, Problem::NoDeployments { .. }))
    );
}

#[test]
fn errors_outside_deployments_are_still_errors() {
    let text =
        with_setting("litellm_params", "weight: heavy") + "general_settings: {max_request_size_mb: big}\n";
    let errors = read_with(&text, &leaving_out()).unwrap_err();
    let [error] = errors.as_slice() else {
        panic!("{errors:?}")
    };
    assert_eq!(error.location.path, "general_settings.max_request_size_mb");
}

/// Otherwise the wildcard would serve the name with other credentials or in another region.
#[test]
fn wildcards_do_not_serve_the_name_of_a_left_out_group() {
    let wildcard = "  - {model_name: '*', litellm_params: {model: bedrock/*, aws_region_name: eu-west-1}}\n";
    let aliases = "router_settings: {model_group_alias: {x: a, y: b, z: nobody}}\n";
    let text = with_setting("litellm_params", "aws_role_name: r") + wildcard + aliases;
    let settings = read_with(&text, &leaving_out()).unwrap().settings;
    assert_eq!(settings.withheld.iter().collect::<Vec<_>>(), ["a", "x", "z"]);
    assert_eq!(settings.aliases.keys().collect::<Vec<_>>(), ["y"]);

    let blocked = with_setting("model_info", "blocked: true") + wildcard;
    let settings = read_with(&blocked, &Tolerance::default()).unwrap().settings;
    assert_eq!(settings.withheld.iter().collect::<Vec<_>>(), ["a"]);

    let without_wildcard = with_setting("litellm_params", "aws_role_name: r") + aliases;
    assert!(
        read_with(&without_wildcard, &leaving_out())
            .unwrap()
            .settings
            .withheld
            .is_empty()
    );
}

fn group(parameters: &[&str]) -> String {
    let mut text = "model_list:\n".to_owned();
    for own in parameters {
        text += &format!(
            "  - {{model_name: m, litellm_params: {{model: bedrock/amazon.nova-pro-v1:0, aws_region_name: us-east-1, {own}}}}}\n"
        );
    }
    text
}

#[test]
fn siblings_of_a_left_out_deployment_keep_the_shares_that_the_file_gives_them() {
    let weights = |parameters: &[&str]| {
        let read = read_with(&group(parameters), &leaving_out());
        let deployments = read.unwrap().settings.models.remove(0).deployments;
        deployments.iter().map(|one| one.weight).collect::<Vec<_>>()
    };
    let broken = "aws_role_name: r";
    // A drained deployment stays drained, and a backup takes over.
    assert_eq!(
        weights(&["weight: 1, aws_role_name: r", "weight: 0", "api_key: backup"]),
        [1]
    );
    assert_eq!(
        weights(&["weight: 1, aws_role_name: r", "weight: 2", "weight: 0"]),
        [2]
    );
    assert_eq!(weights(&["weight: heavy", "weight: 0", "api_key: backup"]), [1]);
    assert_eq!(weights(&[broken, "weight: 0", "weight: 3"]), [3]);
    assert_eq!(
        weights(&[
            "order: 1, weight: 1, aws_role_name: r",
            "order: 2, weight: 0, api_key: k"
        ]),
        [1]
    );
    let drained = read_with(
        &group(&["weight: 1, aws_role_name: r", "weight: 0"]),
        &leaving_out(),
    );
    assert!(drained.is_err());
}

#[test]
fn an_alias_without_a_model_is_left_out_with_the_nearest_name() {
    let text = format!("{TWO}router_settings: {{model_group_alias: {{x: a, y: nobody}}}}\n")
        .replace("name: a,", "name: claude,");
    let text = text.replace("x: a,", "x: cluade,");
    let blueprint = read_with(&text, &Tolerance::default()).unwrap();
    assert!(blueprint.settings.aliases.is_empty());
    let notes = of_class(&blueprint, Class::General);
    assert_eq!(
        notes,
        [
            "model_group_alias.x (line 4): left out: no deployment has this model_name: \"cluade\" (did you mean \"claude\"?)",
            "model_group_alias.y (line 4): left out: no deployment has this model_name: \"nobody\"",
        ]
    );
}
