//! The report as text, and the form of its JSON.

use super::*;

const CONFIG: &str = "\
model_list:
  - {model_name: claude, litellm_params: {model: bedrock/us.anthropic.claude-x, aws_region_name: us-west-2, weight: 3}}
  - {model_name: claude, litellm_params: {model: bedrock/us.anthropic.claude-x, aws_region_name: us-east-1, weight: 1}}
  - {model_name: claude, litellm_params: {model: bedrock/us.anthropic.claude-x, aws_region_name: us-east-2}}
  - {model_name: nova, litellm_params: {model: bedrock/amazon.nova-pro-v1:0, aws_region_name: eu-west-1, api_key: tops3cret}}
router_settings: {model_group_alias: {gpt-4: claude}}
litellm_settings: {drop_params: true}
";

fn outcome_of(text: &str, environment: &[(&str, &str)], mode: SecretPolicy, format: Format) -> CheckOutcome {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    std::fs::write(&path, text).unwrap();
    let mut outcome = outcome(&path, &environment.iter().copied().collect(), mode, format);
    outcome.output = outcome.output.replace(&path.display().to_string(), "config.yaml");
    outcome
}

fn plain(outcome: &CheckOutcome) -> String {
    anstream::adapter::strip_str(&outcome.output).to_string()
}

/// Compares with a file next to this one. `UPDATE_SNAPSHOTS=1` rewrites it.
fn assert_snapshot(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/check").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    assert_eq!(actual, std::fs::read_to_string(&path).unwrap(), "{name}");
}

#[test]
fn the_text_shows_what_the_configuration_means() {
    let outcome = outcome_of(
        CONFIG,
        &[],
        SecretPolicy::MayComeLater,
        Format::Text { columns: None },
    );
    assert!(outcome.valid);
    assert_snapshot("expected.txt", &plain(&outcome));
}

#[test]
fn a_file_with_a_hundred_settings_fits_on_a_screen() {
    let environment = [
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", "tops3cret"),
        ("LITELLM_MASTER_KEY", "sk-x"),
    ];
    let text = include_str!("hundred.yaml");
    let outcome = outcome_of(
        text,
        &environment,
        SecretPolicy::MustExist,
        Format::Text { columns: Some(120) },
    );
    assert_snapshot("hundred.txt", &plain(&outcome));
    assert!(plain(&outcome).lines().all(|line| line.chars().count() <= 120));
}

#[test]
fn deployments_that_look_alike_share_a_line_of_the_table() {
    let mut text = "model_list:\n".to_owned();
    for number in 0..300 {
        let region = ["us-east-1", "us-west-2", "us-east-2"][number % 3];
        text += &format!(
            "  - {{model_name: m, litellm_params: {{model: bedrock/amazon.nova-pro-v1:0, aws_region_name: {region}}}}}\n"
        );
    }
    let outcome = outcome_of(
        &text,
        &[],
        SecretPolicy::MayComeLater,
        Format::Text { columns: None },
    );
    let shown = plain(&outcome);
    let rows: Vec<&str> = shown.lines().filter(|line| line.contains("nova-pro")).collect();
    assert_eq!(rows.len(), 3, "{rows:#?}");
    assert!(
        rows[0].starts_with(" m      100 × 0.33 %  us-east-1 "),
        "{}",
        rows[0]
    );
    assert!(
        rows[1].starts_with("        100 × 0.33 %  us-west-2 "),
        "{}",
        rows[1]
    );
}

#[test]
fn the_text_shows_each_guardrail_once_with_its_models() {
    let guarded = |name: &str, version: &str| {
        format!(
            "  - {{model_name: {name}, litellm_params: {{model: bedrock/amazon.nova-pro-v1:0, aws_region_name: eu-west-1, \
             guardrailConfig: {{guardrailIdentifier: gr1, guardrailVersion: {version}}}}}}}\n"
        )
    };
    let text = format!(
        "model_list:\n{}{}{}{}",
        guarded("a", "1"),
        guarded("b", "DRAFT"),
        guarded("c", "1"),
        guarded("c", "'1'")
    );
    let outcome = outcome_of(
        &text,
        &[],
        SecretPolicy::MayComeLater,
        Format::Text { columns: None },
    );
    let shown = plain(&outcome);
    let lines: Vec<&str> = shown.lines().filter(|line| line.contains("gr1")).collect();
    assert_eq!(
        lines,
        [
            "guardrail     gr1 version 1 for a, c",
            "guardrail     gr1 version DRAFT for b"
        ]
    );
}

#[test]
fn a_narrow_terminal_gets_narrow_lines() {
    let outcome = outcome_of(
        CONFIG,
        &[],
        SecretPolicy::MayComeLater,
        Format::Text { columns: Some(100) },
    );
    let table = plain(&outcome);
    let table = table.split("limits").next().unwrap();
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    assert!(table.contains("us-west-2"), "{table}");
}

#[test]
fn errors_come_with_their_class_and_the_options_that_help() {
    let text = CONFIG.replace("weight: 3", "max_budget: 3") + "general_settings: {allowed_ips: [10.0.0.1]}\n";
    let outcome = outcome_of(&text, &[], SecretPolicy::MayComeLater, Format::Json);
    let json: serde_json::Value = serde_json::from_str(&outcome.output).unwrap();
    let part =
        |error: &serde_json::Value| (error["line"].as_u64(), error["class"].as_str().map(str::to_owned));
    let errors: Vec<_> = json["errors"].as_array().unwrap().iter().map(part).collect();
    let protects = Some("protects".to_owned());
    assert_eq!(errors, [(Some(2), protects.clone()), (Some(8), protects)]);
    assert_eq!(
        json["remedies"],
        serde_json::json!([
            "to start without these protections: --accept-unprotected allowed_ips,max_budget",
            "to start without the deployments that cannot be served: --leave-out-unsupported --accept-unprotected allowed_ips",
        ])
    );
}

#[test]
fn notes_have_file_line_field_class_and_message() {
    let text = format!("{CONFIG}general_settings: {{alerting: [slack]}}\n");
    let outcome = outcome_of(&text, &[], SecretPolicy::MayComeLater, Format::Json);
    let json: serde_json::Value = serde_json::from_str(&outcome.output).unwrap();
    let mut notes = json["notes"].as_array().unwrap().clone();
    notes.retain(|note| note["class"] == "no_effect");
    for note in &mut notes {
        note["file"] = "config.yaml".into();
    }
    let expected = serde_json::json!([{
        "file": "config.yaml",
        "line": 8,
        "field": "general_settings.alerting",
        "class": "no_effect",
        "message": "no alerts are sent: use Prometheus (deploy/observability)",
        "also": [],
    }]);
    assert_eq!(serde_json::Value::from(notes), expected);
}

#[test]
fn missing_secrets_are_distinguished_from_other_errors() {
    let format = Format::Text { columns: None };
    let unset = outcome_of(CONFIG, &[], SecretPolicy::MustExist, format);
    assert!(!unset.valid && unset.only_secrets_missing, "{}", unset.output);
    let wrong = outcome_of(
        &CONFIG.replace("weight: 3", "weight: x"),
        &[],
        SecretPolicy::MustExist,
        format,
    );
    assert!(!wrong.valid && !wrong.only_secrets_missing, "{}", wrong.output);
    let valid = outcome_of(CONFIG, &[], SecretPolicy::MayComeLater, format);
    assert!(valid.valid && !valid.only_secrets_missing);
}

#[test]
fn errors_have_their_parts_in_the_json() {
    let outcome = outcome_of(
        "model_list: 3\n",
        &[("LITELLM_MASTER_KEY", "sk-x")],
        SecretPolicy::MustExist,
        Format::Json,
    );
    let json: serde_json::Value = serde_json::from_str(&outcome.output).unwrap();
    let expected = serde_json::json!({
        "file": "config.yaml",
        "valid": false,
        "errors": [{
            "file": "config.yaml",
            "line": 1,
            "path": "model_list",
            "class": "error",
            "message": "expected a list, but found a number",
        }],
    });
    assert_eq!(json, expected);
}

#[test]
fn the_suggested_options_are_sufficient() {
    let remedies = |first: &str, more: &str| {
        let text = CONFIG.replace("weight: 3", first) + more;
        let outcome = outcome_of(
            &text,
            &[],
            SecretPolicy::MayComeLater,
            Format::Text { columns: None },
        );
        let shown = plain(&outcome);
        let lines = shown.lines().filter(|line| line.starts_with("to start"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let allowed = "general_settings: {allowed_ips: [10.0.0.1]}\n";
    assert_eq!(
        remedies("aws_role_name: x", allowed),
        [
            "to start without the deployments that cannot be served: --leave-out-unsupported \
             --accept-unprotected allowed_ips"
        ]
    );
    assert_eq!(
        remedies("aws_role_name: x", ""),
        ["to start without the deployments that cannot be served: --leave-out-unsupported"]
    );
    let only_one = |parameters: &str| {
        format!(
            "model_list:\n  - {{model_name: a, litellm_params: {{model: bedrock/amazon.nova-pro-v1:0, {parameters}}}}}\n  \
             - {{model_name: b, litellm_params: {{model: bedrock/amazon.nova-pro-v1:0, aws_role_name: x}}}}\n"
        )
    };
    let outcome = outcome_of(
        &only_one("max_budget: 3"),
        &[],
        SecretPolicy::MayComeLater,
        Format::Text { columns: None },
    );
    let shown = plain(&outcome);
    assert_eq!(
        shown.lines().last(),
        Some(
            "to start without these protections and without the deployments that cannot be served: \
             --leave-out-unsupported --accept-unprotected max_budget"
        )
    );
    // A wrong value elsewhere: no option is sufficient, but the settings are named.
    assert_eq!(
        remedies(
            "weight: 3",
            "general_settings: {allowed_ips: [10.0.0.1], master_key: 3}\n"
        ),
        ["to start without these protections: --accept-unprotected allowed_ips"]
    );
}

#[test]
fn leaving_deployments_out_is_not_suggested_if_it_does_not_help() {
    let text = CONFIG.to_owned() + "general_settings: {allowed_ips: [10.0.0.1]}\n";
    let outcome = outcome_of(
        &text,
        &[],
        SecretPolicy::MayComeLater,
        Format::Text { columns: None },
    );
    let shown = plain(&outcome);
    let remedies: Vec<&str> = shown
        .lines()
        .filter(|line| line.starts_with("to start"))
        .collect();
    assert_eq!(
        remedies,
        ["to start without these protections: --accept-unprotected allowed_ips"]
    );
}
