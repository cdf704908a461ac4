//! Errors about a configuration inside another file, placeholders and misplaced settings.

use super::*;

#[test]
fn a_configuration_inside_another_file_is_found() {
    let inner = BARE.trim_end();
    for (text, path, line) in [
        (
            format!("image: x\nproxy_config:\n  {inner}\n"),
            ".proxy_config",
            3,
        ),
        (
            format!("litellm:\n  config:\n    {inner}\n"),
            ".litellm.config",
            3,
        ),
        (
            format!("apiVersion: v1\nkind: ConfigMap\ndata:\n  config.yaml: |\n    # c\n    {inner}\n"),
            ".data.\"config.yaml\"",
            5,
        ),
        (
            format!("items:\n- {{kind: Pod}}\n- data: {{c: \"x: 1\\n{inner}\"}}\n"),
            ".items[1].data.c",
            3,
        ),
    ] {
        let errors = read_text(&text, &[], SecretPolicy::MustExist).unwrap_err();
        let [error] = errors.as_slice() else {
            panic!("{errors:?}")
        };
        let Problem::Nested { path: found, .. } = &error.problem else {
            panic!("{error}")
        };
        assert_eq!(found, path);
        assert_eq!(error.location.line, Some(line), "{path}");
    }
}

#[test]
fn a_template_and_a_manifest_of_several_documents_are_recognised() {
    let inner = BARE.trim_end();
    for (text, expected) in [
        (
            format!("general_settings:\n  master_key: {{{{ .Values.key }}}}\n{inner}\n"),
            "template engine such as Helm",
        ),
        (
            format!(
                "apiVersion: v1\nkind: Service\n---\napiVersion: v1\nkind: ConfigMap\ndata:\n  c: |\n    {inner}\n"
            ),
            "which is the text under data in its ConfigMap",
        ),
    ] {
        let errors = read_text(&text, &KEYS, SecretPolicy::MustExist).unwrap_err();
        assert!(errors[0].to_string().contains(expected), "{errors:?}");
    }
    let plain = read_text("a: b\n---\na: b\n", &KEYS, SecretPolicy::MustExist).unwrap_err();
    assert!(
        plain[0].to_string().ends_with("a second document (---)"),
        "{plain:?}"
    );
}

#[test]
fn a_file_with_a_model_list_is_not_searched() {
    let text = format!("{BARE}prompts: {{x: \"model_list:\\n\"}}\n");
    assert!(read_text(&text, &KEYS, SecretPolicy::MustExist).is_ok());
    let none = read_text(
        "general_settings: {master_key: sk-x}\n",
        &KEYS,
        SecretPolicy::MustExist,
    )
    .unwrap_err();
    assert!(
        matches!(none[0].problem, Problem::NoDeployments { .. }),
        "{none:?}"
    );
}

#[test]
fn a_placeholder_is_not_a_secret() {
    for (value, name) in [
        ("${MASTER}", "MASTER"),
        ("$THE_MASTER", "THE_MASTER"),
        ("$(MASTER)", "MASTER"),
        ("${MASTER:-sk-default}", "MASTER"),
        ("${MASTER_2?}", "MASTER_2"),
    ] {
        let text = BARE.replace("v1:0", "v1:0, aws_region_name: us-east-1")
            + &format!("general_settings: {{master_key: \"{value}\"}}\n");
        let errors = read_text(&text, &KEYS, SecretPolicy::MustExist).unwrap_err();
        assert_eq!(errors.len(), 1);
        assert!(
            errors[0].to_string().ends_with(&format!(
                ":2: general_settings.master_key: expected os.environ/{name}, but found a placeholder, which is not expanded \
                 here"
            )),
            "{}",
            errors[0]
        );
    }
    for value in [
        "sk-$MASTER_KEY",
        "$P4SSW0RD",
        "$master",
        "$",
        "${}",
        "$2y",
        "sk-${MASTER}-x",
        "$(MASTER",
    ] {
        let text = BARE.replace("v1:0", "v1:0, aws_region_name: us-east-1")
            + &format!("general_settings: {{master_key: \"{value}\"}}\n");
        assert!(
            read_text(&text, &KEYS, SecretPolicy::MustExist).is_ok(),
            "{value}"
        );
    }
}

#[test]
fn a_placeholder_for_a_region_is_refused() {
    let text = BARE.replace("v1:0", "v1:0, aws_region_name: '${AWS_REGION}'");
    let errors = read_text(&text, &KEYS, SecretPolicy::MustExist).unwrap_err();
    assert!(
        errors[0]
            .to_string()
            .contains("aws_region_name: expected os.environ/AWS_REGION, but found a placeholder"),
        "{}",
        errors[0]
    );
}

#[test]
fn unindented_settings_of_a_section_are_recognised() {
    let text =
        "model_list:\n  - model_name: m\n    litellm_params:\n    model: bedrock/amazon.nova-lite-v1:0\n";
    let errors = read_text(text, &KEYS, SecretPolicy::MustExist).unwrap_err();
    assert!(
        errors[0].to_string().ends_with(
            ":4: model_list[0].model: expected litellm_params with the settings of the deployment, but found \"model\" \
             next to model_name: indent it under litellm_params"
        ),
        "{}",
        errors[0]
    );
}

#[test]
fn a_callback_that_checks_requests_is_refused_at_its_element() {
    let text = BARE.replace("v1:0", "v1:0, aws_region_name: us-east-1")
        + "litellm_settings: {callbacks: [prometheus, presidio, parallel_request_limiter_v3, s3]}\n";
    let errors = read_text(&text, &KEYS, SecretPolicy::MustExist).unwrap_err();
    let locations: Vec<&str> = errors.iter().map(|error| error.location.path.as_str()).collect();
    assert_eq!(
        locations,
        ["litellm_settings.callbacks[1]", "litellm_settings.callbacks[2]"]
    );
}

#[test]
fn the_region_of_an_arn_is_checked_even_if_another_is_used() {
    let arn = "arn:aws:bedrock:YOUR_REGION:123456789012:inference-profile/us.amazon.nova-lite-v1:0";
    let text = BARE.replace(
        "v1:0}",
        &format!("v1:0, model_id: \"{arn}\", aws_region_name: us-east-1}}"),
    );
    let found = problems(&text, &KEYS, SecretPolicy::MustExist);
    assert!(
        matches!(found.as_slice(), [Problem::File(FileProblem::Unexpected { expected, found })]
            if expected.contains("in the ARN") && found.contains("YOUR_REGION")),
        "{found:?}"
    );
}
