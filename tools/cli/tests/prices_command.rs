//! `envoy-bedrock prices` as users run it.

use std::process::{Command, Output};

fn prices(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_envoy-bedrock"));
    command.arg("prices").args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

const SONNET: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

#[test]
fn a_model_is_shown_with_its_entry_and_all_its_rates() {
    let output = prices(&[SONNET, "--region", "us-east-1"]);
    assert_eq!(
        stdout(&output),
        "\
us.anthropic.claude-sonnet-4-5-20250929-v1:0 in us-east-1: entry us.anthropic.claude-sonnet-4-5-20250929-v1:0
 USD PER MILLION TOKENS  INPUT  OUTPUT  CACHE READ  CACHE WRITE  CACHE WRITE 1H
 standard                  3.3    16.5        0.33        4.125             6.6
   above 200000 tokens     6.6   24.75        0.66         8.25            13.2
"
    );
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

#[test]
fn an_arn_has_the_price_of_its_region_unless_another_is_given() {
    let arn = "arn:aws:bedrock:eu-west-2::foundation-model/meta.llama3-8b-instruct-v1:0";
    let entry = |arguments: &[&str]| {
        let json: serde_json::Value = serde_json::from_str(&stdout(&prices(arguments))).unwrap();
        json["models"][0]["entry"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        entry(&[arn, "--json"]),
        "bedrock/eu-west-2/meta.llama3-8b-instruct-v1:0"
    );
    assert_eq!(
        entry(&[arn, "--json", "--region", "us-east-9"]),
        "meta.llama3-8b-instruct-v1:0"
    );
}

#[test]
fn the_json_has_exact_numbers() {
    let text = stdout(&prices(&["amazon.nova-2-lite-v1:0", "--json"]));
    assert!(text.contains("\"cache_read\": 0.075,"), "{text}");
    assert!(
        text.contains("\"cache_read\": 0.13125,"),
        "the priority tier's: {text}"
    );
    assert!(text.contains("\"tier\": \"priority\""), "{text}");
}

#[test]
fn a_model_without_a_price_fails_and_the_others_are_shown() {
    let output = prices(&["no.such", SONNET, "amazon.nova-canvas-v1:0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).starts_with(SONNET), "{output:?}");
    assert_eq!(
        stderr(&output),
        "error: no.such: the price list has no entry for no.such\n\
         error: amazon.nova-canvas-v1:0: amazon.nova-canvas-v1:0 is priced by output_cost_per_image, which is not \
         measured\n"
    );
}

#[test]
fn the_list_has_every_entry() {
    let text = stdout(&prices(&[]));
    let json: serde_json::Value = serde_json::from_str(&stdout(&prices(&["--json"]))).unwrap();
    let entries = json["entries"].as_array().unwrap();
    assert!(entries.len() > 500, "{}", entries.len());
    for entry in entries {
        let key = entry["entry"].as_str().unwrap();
        assert!(
            text.lines()
                .any(|line| line.split_whitespace().next() == Some(key)),
            "{key}"
        );
    }
}

#[test]
fn an_imported_list_replaces_the_built_in_one() {
    let folder = tempfile::tempdir().unwrap();
    let [litellm, list, config] = ["litellm.json", "list.json", "config.yaml"]
        .map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    let theirs = r#"{
        "gpt-9": {"litellm_provider": "openai", "input_cost_per_token": 1},
        "amazon.new-v1:0": {"litellm_provider": "bedrock_converse", "mode": "chat",
                            "input_cost_per_token": 1.25e-06, "output_cost_per_token": 5e-06}
    }"#;
    std::fs::write(&litellm, theirs).unwrap();
    let imported = prices(&["--import", &litellm, "-o", &list]);
    assert_eq!(
        (imported.status.code(), stdout(&imported).as_str()),
        (Some(0), "")
    );
    assert_eq!(
        stdout(&prices(&["--import", &litellm])),
        std::fs::read_to_string(&list).unwrap()
    );
    for catalogue in [&litellm, &list] {
        let found = stdout(&prices(&["amazon.new-v1:0", "--catalogue", catalogue]));
        assert!(found.contains(" 1.25  "), "{found}");
        assert_eq!(prices(&[SONNET, "--catalogue", catalogue]).status.code(), Some(1));
    }
    std::fs::write(
        &config,
        "model_list: [{model_name: m, litellm_params: {model: bedrock/amazon.new-v1:0, aws_region_name: us-east-1}}]",
    )
    .unwrap();
    for (arguments, expected) in [
        (vec!["check", "--secrets-later", &config], "unknown"),
        (
            vec!["check", "--secrets-later", "--prices", &list, &config],
            "1.25, 5",
        ),
        (vec!["render", "--prices", &list, &config], "1250000"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_envoy-bedrock"))
            .args(&arguments)
            .output()
            .unwrap();
        assert!(stdout(&output).contains(expected), "{arguments:?}: {output:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.json");
    let file = path.to_str().unwrap();
    let missing = prices(&["--catalogue", file]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        stderr(&missing).starts_with(&format!("error: cannot read the price list {file}: ")),
        "{missing:?}"
    );
    std::fs::write(&path, "[]").unwrap();
    let wrong = stderr(&prices(&["--import", file]));
    assert!(
        wrong.starts_with(&format!("error: {file}: not a JSON object of models: ")),
        "{wrong}"
    );
    assert_eq!(prices(&["--region", "us-east-1"]).status.code(), Some(2));
    assert_eq!(prices(&["--import", file, SONNET]).status.code(), Some(2));
    assert_eq!(prices(&["-o", file]).status.code(), Some(2));
}
