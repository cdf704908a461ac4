//! Notes, and how they are grouped.

use super::*;

fn notes(text: &str) -> Vec<String> {
    let blueprint = read_text(text, &KEYS, SecretPolicy::MustExist).unwrap();
    grouped(&blueprint.notes)
        .iter()
        .map(|group| format!("{}: {}", group.class.name(), group.line()))
        .collect()
}

#[test]
fn one_finding_at_fifty_deployments_is_one_line() {
    let mut text = "model_list:\n".to_owned();
    for number in 0..50 {
        text += &format!(
            "  - {{model_name: m{number}, litellm_params: {{model: bedrock/amazon.nova-{number}, aws_region_name: us-east-1, seed: 9}}}}\n"
        );
    }
    let notes = notes(&text);
    assert_eq!(
        notes,
        [
            "no_effect: seed (line 2 and 49 more): nothing is added to request bodies: clients send it",
            "note: model_list[0] (line 2), model_list[1] (line 3), model_list[2] (line 4) and 47 more: cost unknown: \
             the price list has no entry for amazon.nova-0; the price list has no entry for \
             amazon.nova-1; the price list has no entry for amazon.nova-2; and 47 more",
        ]
    );
}

#[test]
fn an_unknown_setting_gets_the_nearest_name_or_its_section() {
    for (setting, expected) in [
        (
            "litellm_settings: {fallback: [x]}",
            "unknown: fallback (line 2): did you mean fallbacks?",
        ),
        (
            "litellm_settings: {num_retires: 3}",
            "unknown: num_retires (line 2): did you mean num_retries?",
        ),
        (
            "litellm_settings: {routing_strategy: simple-shuffle}",
            "unknown: routing_strategy (line 2): LiteLLM does not read it here: it belongs in router_settings",
        ),
        (
            "num_retries: 3",
            "unknown: num_retries (line 2): LiteLLM does not read it here: it belongs in router_settings",
        ),
        (
            "general_settings: {timeout: 3}",
            "unknown: timeout (line 2): LiteLLM does not read it here: it belongs in router_settings",
        ),
        (
            "general_settings: {guardrails: [a]}",
            "unknown: guardrails (line 2): LiteLLM does not read it here: it belongs at the top of the file",
        ),
        (
            "callbacks: [x]",
            "unknown: callbacks (line 2): LiteLLM does not read it here: it belongs in litellm_settings",
        ),
        (
            "general_settings: {quux: 3}",
            "unknown: quux (line 2): LiteLLM has no such setting",
        ),
        (
            "general_setings: {}",
            "unknown: general_setings (line 2): did you mean general_settings?",
        ),
    ] {
        let text = BARE.replace("v1:0", "v1:0, aws_region_name: us-east-1") + setting + "\n";
        assert_eq!(notes(&text), [expected]);
    }
}

#[test]
fn an_unknown_parameter_would_be_part_of_the_request_body() {
    let text = BARE.replace("v1:0", "v1:0, aws_region_name: us-east-1, my_custom_param: 3");
    assert_eq!(
        notes(&text),
        ["unknown: my_custom_param (line 1): LiteLLM would add it to request bodies; nothing is added here"]
    );
}

#[test]
fn callbacks_get_a_note_about_their_replacement() {
    let text = BARE.replace("v1:0", "v1:0, aws_region_name: us-east-1")
        + "litellm_settings: {callbacks: [prometheus, otel, s3, my.handler], success_callback: [langfuse]}\n";
    let shown = notes(&text).join("\n");
    for part in [
        "no_effect: callbacks (line 2): metrics are always kept: render --metrics-port",
        "no_effect: callbacks (line 2): OTEL_EXPORTER_OTLP_ENDPOINT sends the spend log",
        "no_effect: callbacks (line 2), success_callback (line 2): nothing is sent there: use the spend log, which has a \
         row for every request: \"s3\"; \"langfuse\"",
        "no_effect: callbacks (line 2): your own code does not run here",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    let collector = text + "environment_variables: {OTEL_ENDPOINT: 'http://collector:4318'}\n";
    let shown = notes(&collector).join("\n");
    assert!(
        shown.contains("not_needed: callbacks (line 2): OTEL_EXPORTER_OTLP_ENDPOINT"),
        "{shown}"
    );
}

#[test]
fn a_database_means_virtual_keys_that_do_not_work_here() {
    for setting in [
        "general_settings: {database_url: postgres}",
        "environment_variables: {DATABASE_URL: postgres}",
    ] {
        let text = BARE.replace("v1:0", "v1:0, aws_region_name: us-east-1") + setting + "\n";
        let shown = notes(&text);
        assert!(
            shown[0].starts_with("no_effect: ") && shown[0].contains("virtual keys"),
            "{shown:?}"
        );
    }
}

#[test]
fn many_settings_without_effect_have_short_lines() {
    let reasons = [
        "cache: true",
        "content_policy_fallbacks: [{a: [b]}]",
        "ssl_certificate: a",
        "success_callback: [langfuse]",
        "callbacks: [otel]",
        "ssl_verify: false",
        "budget_duration: 3d",
        "priority_reservation: {a: 1}",
        "log_raw_request_response: true",
        "disable_end_user_cost_tracking: true",
        "custom_prometheus_metadata_labels: [a]",
        "require_auth_for_metrics_endpoint: true",
    ];
    let shown = |more: &str| {
        let text = BARE.replace("v1:0", "v1:0, aws_region_name: us-east-1")
            + &format!("litellm_settings: {{{}{more}}}\n", reasons.join(", "));
        let blueprint = read_text(&text, &KEYS, SecretPolicy::MustExist).unwrap();
        note_lines(&blueprint.notes)
            .into_iter()
            .map(|(_, line)| line)
            .collect::<Vec<_>>()
    };
    let full = shown("");
    assert_eq!(full.len(), 12, "{full:#?}");
    assert!(full.iter().all(|line| line.contains(" (line 2): ")), "{full:#?}");
    let short = shown(", extra_spend_tag_headers: [a]");
    assert_eq!(short.len(), 13, "{short:#?}");
    assert!(short.iter().all(|line| line.contains(":2: ")), "{short:#?}");
}

#[test]
fn only_temporary_keys_need_their_session_token() {
    let text = "model_list: [{model_name: m, litellm_params: {model: bedrock/amazon.nova-lite-v1:0, aws_region_name: us-east-1, \
                aws_access_key_id: os.environ/ID, aws_secret_access_key: os.environ/SECRET, \
                aws_session_token: os.environ/TOKEN}}]\n";
    let read = |id: &'static str, mode| {
        let environment = [
            ("ID", id),
            ("SECRET", "tops3cret"),
            ("LITELLM_MASTER_KEY", "sk-x"),
        ];
        read_text(text, &environment, mode)
    };
    let token = |blueprint: &Blueprint| match &blueprint.settings.models[0].deployments[0].credentials {
        CredentialSettings::Sigv4(keys) => keys.session_token.clone(),
        other => panic!("{other:?}"),
    };
    let lasting = read("AKIAEXAMPLE", SecretPolicy::MustExist).unwrap();
    assert_eq!(token(&lasting), None);
    assert!(lasting.notes.iter().any(|note| {
        note.to_string()
            .starts_with("aws_session_token (line 1): TOKEN is not set")
    }));
    let errors = read("ASIAEXAMPLE", SecretPolicy::MustExist).unwrap_err();
    assert!(
        errors[0]
            .to_string()
            .contains("the environment variable TOKEN is unset or empty"),
        "{errors:?}"
    );
    let later = read("AKIAEXAMPLE", SecretPolicy::MayComeLater).unwrap();
    assert_eq!(token(&later).unwrap().0, "TOKEN");
}

#[test]
fn many_skipped_or_left_out_deployments_have_few_lines() {
    let mut text = BARE.replace("v1:0", "v1:0, aws_region_name: us-east-1");
    text = text
        .replace("model_list: [", "model_list:\n  - ")
        .replace("}}]", "}}");
    for number in 0..12 {
        text += &format!(
            "  - {{model_name: p{number}, litellm_params: {{model: provider{}/x}}}}\n",
            number % 6
        );
    }
    for number in 0..4 {
        text += &format!(
            "  - {{model_name: r{number}, litellm_params: {{model: bedrock/amazon.nova-lite-v1:0, aws_role_name: x}}}}\n"
        );
    }
    text += "router_settings: {model_group_alias: {a: nobody, b: noone}}\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    std::fs::write(&path, &text).unwrap();
    let tolerance = Tolerance {
        leave_out_unsupported: true,
        ..Tolerance::default()
    };
    let environment = KEYS.into_iter().collect();
    let blueprint = read_tolerant(
        &path,
        &environment,
        SecretPolicy::MustExist,
        PriceList::built_in(),
        &tolerance,
    )
    .unwrap();
    let lines: Vec<String> = note_lines(&blueprint.notes)
        .into_iter()
        .map(|(_, line)| line)
        .collect();
    assert_eq!(
        lines,
        [
            "litellm_params.aws_role_name of model_list[13] (line 15), model_list[14] (line 16), model_list[15] (line 17), \
             model_list[16] (line 18): expected the ARN of a role, such as arn:aws:iam::123456789012:role/bedrock, but \
             found \"x\"",
            "not for Bedrock's runtime: provider0:3…, provider1:4…, provider2:5…, provider3:6…, provider4:7…, provider5:8…",
            "model_group_alias.a (line 19), model_group_alias.b (line 19): left out: no deployment has this model_name: \
             \"nobody\"; \"noone\"",
        ]
    );
}

#[test]
fn an_alias_of_itself_is_harmless() {
    let text = BARE.replace("v1:0", "v1:0, aws_region_name: us-east-1");
    let name = read_text(&text, &KEYS, SecretPolicy::MustExist)
        .unwrap()
        .settings
        .models[0]
        .name
        .clone();
    let text = format!("{text}router_settings: {{model_group_alias: {{{name}: {name}}}}}\n");
    let blueprint = read_text(&text, &KEYS, SecretPolicy::MustExist).unwrap();
    assert!(blueprint.settings.aliases.is_empty());
    assert_eq!(blueprint.notes.len(), 0, "{:?}", blueprint.notes);
}

#[test]
fn a_callback_that_runs_tools_is_not_a_log() {
    for callbacks in [
        "websearch_interception",
        "{code_interpreter_interception: {sandbox: x}}",
    ] {
        let notes = notes(&format!("{BARE}litellm_settings: {{callbacks: [{callbacks}]}}\n"));
        assert!(
            notes.iter().any(|note| note.contains("no tool runs here")),
            "{notes:?}"
        );
    }
}

#[test]
fn a_setting_without_effect_in_its_section_is_not_recommended() {
    let notes = notes(&format!(
        "{BARE}litellm_settings: {{alerting_config: {{a: 1}}}}\n"
    ));
    assert!(
        notes
            .iter()
            .any(|note| note.contains("in router_settings, where it has no effect in this gateway either")),
        "{notes:?}"
    );
}

#[test]
fn a_long_name_with_the_same_beginning_is_not_a_misspelling() {
    let notes = notes(&format!(
        "{BARE}general_settings: {{allow_user_api_routes: true, master_key: sk-x}}\n"
    ));
    assert!(
        notes
            .iter()
            .any(|note| note.contains("LiteLLM has no such setting")),
        "{notes:?}"
    );
}

#[test]
fn a_section_for_anchors_is_not_unknown() {
    for name in ["x-defaults", ".defaults", "_defaults"] {
        let notes = notes(&format!("{name}: &defaults {{rpm: 5}}\n{BARE}"));
        assert!(
            notes.iter().any(|note| note.starts_with("not_needed: ")),
            "{notes:?}"
        );
        assert!(
            !notes.iter().any(|note| note.starts_with("unknown: ")),
            "{notes:?}"
        );
    }
}
