//! Compares the tables with the code that reads settings, with each other and with the
//! documentation.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use super::table::Fate::{ByValue, NoEffect, NotNeeded, Protects, Used};
use super::{TABLES, Table};
use crate::environment::{Environment, SecretPolicy};
use crate::litellm::read;

/// Every setting that is used, with a valid value.
const USED: &str = "
model_list:
  - model_name: m
    litellm_params:
      model: amazon.nova-pro-v1:0
      model_id: amazon.nova-pro-v1:0
      custom_llm_provider: bedrock
      aws_region_name: us-east-1
      aws_access_key_id: AKIA
      aws_secret_access_key: s
      aws_session_token: s
      aws_role_name: arn:aws:iam::123456789012:role/r
      aws_session_name: session
      aws_session_tags: [{Key: k, Value: v}]
      aws_external_id: x
      aws_sts_endpoint: https://sts
      aws_profile_name: p
      aws_web_identity_token: /token
      litellm_credential_name: c
      api_base: https://b
      aws_bedrock_runtime_endpoint: https://b
      api_key: k
      weight: 1
      rpm: 1
      tpm: 1
      order: 1
      max_parallel_requests: 1
      num_retries: 1
      max_retries: 1
      timeout: 1
      request_timeout: 1
      stream_timeout: 1
      cooldown_time: 1
      guardrailConfig: {guardrailIdentifier: gr1, guardrailVersion: 1}
      input_cost_per_token: 1e-6
      output_cost_per_token: 1e-6
      cache_read_input_token_cost: 1e-6
      cache_creation_input_token_cost: 1e-6
      input_cost_per_second: 0
      output_cost_per_second: 0
      input_cost_per_pixel: 0
      output_cost_per_pixel: 0
      input_cost_per_image: 0
      output_cost_per_image: 0
      input_cost_per_query: 0
    model_info:
      id: one
      envoy_bedrock: {bearer: true}
      base_model: amazon.nova-pro-v1:0
      blocked: false
      allowed_fails: 1
      allowed_fails_policy: {}
      input_cost_per_token: 1e-6
      output_cost_per_token: 1e-6
      cache_read_input_token_cost: 1e-6
      cache_creation_input_token_cost: 1e-6
      input_cost_per_second: 0
      output_cost_per_second: 0
      input_cost_per_pixel: 0
      output_cost_per_pixel: 0
      input_cost_per_image: 0
      output_cost_per_image: 0
      input_cost_per_query: 0
      input_cost_per_audio_token: 0
      output_cost_per_audio_token: 0
credential_list:
  - {credential_name: c, credential_values: {aws_region_name: us-east-1}, credential_info: {}}
environment_variables: {A: b}
include: []
general_settings:
  master_key: sk-x
  max_request_size_mb: 1
  global_max_parallel_requests: 1
  pass_through_request_timeout: 1
  dangerously_permit_weak_or_unset_master_key: true
envoy_bedrock: {max_buffered_body_mb: 1, bearer: false, keys: [], keys_file: null, teams: []}
litellm_settings:
  num_retries: 1
  request_timeout: 1
  budget_exceeded_status_code: 429
  fallbacks: []
  default_fallbacks: []
  context_window_fallbacks: []
  allowed_fails: 1
  cooldown_time: 1
  max_fallbacks: 1
router_settings:
  num_retries: 1
  timeout: 1
  stream_timeout: 1
  model_group_alias: {}
  routing_strategy: simple-shuffle
  routing_strategy_args: {}
  fallbacks: []
  default_fallbacks: []
  context_window_fallbacks: []
  max_fallbacks: 1
  cooldown_time: 1
  allowed_fails: 1
  allowed_fails_policy: {}
  disable_cooldowns: false
  retry_policy: {}
  model_group_retry_policy: {}
  retry_after: 1
  default_max_parallel_requests: 1
";

fn repository(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(file)
}

#[test]
fn no_table_contains_a_setting_twice() {
    for table in TABLES {
        let mut seen = BTreeSet::new();
        for name in table.names() {
            assert!(seen.insert(name), "{}.{name}", table.name);
        }
    }
}

#[test]
fn every_used_setting_of_a_table_is_read() {
    for table in TABLES {
        for row in table.rows.iter().filter(|row| matches!(row.1, Used(_))) {
            for name in row.names() {
                assert!(
                    USED.contains(&format!("{name}:")),
                    "{}.{name} is not in the test",
                    table.name
                );
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    std::fs::write(&path, USED).unwrap();
    let blueprint = read(&path, &Environment::default(), SecretPolicy::MayComeLater).unwrap();
    let notes: Vec<String> = blueprint.notes.iter().map(ToString::to_string).collect();
    assert!(
        !notes.iter().any(|note| note.contains("nothing reads it")),
        "{notes:#?}"
    );
}

/// The documentation of the tables.
fn documentation() -> String {
    let mut out = "\
# What happens to LiteLLM's settings

Generated from the tables in tools/cli/src/litellm/known, which `envoy-bedrock check` uses
(`UPDATE_SNAPSHOTS=1 cargo test -p envoy-bedrock-cli known`). A setting that no table contains is reported as unknown, with
the nearest known name.

- **used**: it works.
- **not needed**: this gateway works without it.
- **no effect**: it is ignored; what you lose.
- **protects**: it limits what clients can do, and does not work here. The file is refused unless you accept that with
  `--accept-unprotected NAME` (for `make run`: `ACCEPT_UNPROTECTED=NAME`). A setting that is switched off (`false`, an empty
  list, null) is never refused.
- **refused**: it would change whose rights are used. No option accepts it.
"
    .to_owned();
    for table in TABLES {
        let title = match table.name {
            "" => "Sections of the file".to_owned(),
            "model_list" => "An entry of `model_list`".to_owned(),
            "credential_list" => "An entry of `credential_list`".to_owned(),
            name => format!("`{name}`"),
        };
        let _ = write!(
            out,
            "\n## {title}\n\n| setting | what happens to it |\n| --- | --- |\n"
        );
        for row in table.rows {
            let names: Vec<String> = row.names().map(|name| format!("`{name}`")).collect();
            let (class, text) = match row.1 {
                Used(text) => ("used", text),
                NotNeeded(text) => ("not needed", text),
                NoEffect(text) => ("no effect", text),
                Protects(text) => ("protects", text),
                ByValue(text) => ("depends on its value", text),
            };
            let _ = writeln!(out, "| {} | **{class}**: {text} |", names.join(" "));
        }
    }
    out
}

#[test]
fn the_documentation_is_generated_from_the_tables() {
    let path = repository("docs/litellm-settings.md");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, documentation()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert_eq!(written, documentation(), "update it with UPDATE_SNAPSHOTS=1");
}

#[test]
fn the_readme_agrees_with_the_tables() {
    let readme = std::fs::read_to_string(repository("README.md")).unwrap();
    let (_, section) = readme
        .split_once("### Settings of LiteLLM that do not work here")
        .unwrap();
    let section = section.split("\n#").next().unwrap();
    let mut seen = 0;
    for line in section.lines().filter(|line| line.starts_with("| **")) {
        let class = line.split("**").nth(1).unwrap();
        for cell in line.split('|').skip(2) {
            let is_name =
                |quoted: &&str| !quoted.contains([':', ' ']) && *quoted != "enforce_model_rate_limits";
            for name in cell.split('`').skip(1).step_by(2).filter(is_name) {
                let fits = |table: &Table| {
                    matches!(
                        (table.fate(name), class),
                        (Some(NotNeeded(_)), "not needed")
                            | (Some(NoEffect(_) | ByValue(_)), "no effect")
                            | (Some(Protects(_) | ByValue(_)), "protects")
                    )
                };
                assert!(TABLES.iter().any(fits), "README.md calls {name} {class}");
                seen += 1;
            }
        }
    }
    assert!(seen > 30, "{seen}");
}
