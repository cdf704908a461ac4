//! Compares the output of `check` for every file in `configs/` with the snapshot beside it. A file
//! without a snapshot fails, and so does a snapshot without a file. `UPDATE_SNAPSHOTS=1` updates
//! them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use envoy_bedrock::contract::settings::EnvName;
use envoy_bedrock::routing::active_config::ActiveConfig;
use envoy_bedrock_cli::check::{self, Format};
use envoy_bedrock_cli::environment::{Environment, SecretPolicy};
use envoy_bedrock_cli::litellm;

const VALID: &str = "tests/configs";
const INVALID: &str = "tests/configs/invalid";
/// Part of every secret in the fixtures and in the environment, in lower or upper case.
const MARK: &str = "tops3cret";
const MODES: [SecretPolicy; 3] = [
    SecretPolicy::MustExist,
    SecretPolicy::MayComeLater,
    SecretPolicy::Demo,
];

const VARIABLES: [(&str, &str); 13] = [
    ("AWS_ACCESS_KEY_ID", "AKIATOPS3CRETPROCESS"),
    ("AWS_SECRET_ACCESS_KEY", "tops3cret/process"),
    ("AWS_SESSION_TOKEN", "tops3cret-token=="),
    ("LITELLM_MASTER_KEY", "sk-tops3cret"),
    ("PROD_KEY_ID", "AKIATOPS3CRETPROD000"),
    ("PROD_SECRET", "tops3cret/prod"),
    ("BEDROCK_API_KEY", "ABSKtops3cret"),
    ("WITH_LINE_BREAK", "tops3cret\nInjected: header"),
    ("EMPTY", ""),
    ("MY_REGION", "eu-central-1"),
    ("GUARDRAIL", "gr3v0wd5zz81"),
    ("GUARDRAIL_VERSION", "DRAFT"),
    ("V6_ENDPOINT", "https://[2001:db8::17]:8443"),
];

fn environment() -> Environment {
    VARIABLES.into_iter().collect()
}

/// The configurations in a directory, sorted.
fn configs(folder: &str) -> Vec<PathBuf> {
    with_extension(folder, "yaml")
}

fn with_extension(folder: &str, extension: &str) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    paths.sort();
    paths
}

/// Compares the `output` for each configuration in `folder` with the snapshot beside it.
fn compare(folder: &str, extension: &str, output: impl Fn(&Path) -> String) {
    let update = std::env::var_os("UPDATE_SNAPSHOTS").is_some();
    let mut wrong = Vec::new();
    for config in configs(folder) {
        let (snapshot, actual) = (config.with_extension(extension), output(&config));
        if update {
            fs::write(&snapshot, &actual).unwrap();
        }
        match fs::read_to_string(&snapshot) {
            Ok(expected) if expected == actual => {}
            Ok(expected) => wrong.push(format!(
                "{}:\n{}",
                snapshot.display(),
                difference(&expected, &actual)
            )),
            Err(error) => wrong.push(format!(
                "{}: {error}; the output is:\n{actual}",
                snapshot.display()
            )),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let expected: BTreeSet<_> = configs(folder)
        .iter()
        .map(|config| config.with_extension(extension))
        .collect();
    let present: BTreeSet<_> = with_extension(folder, extension).into_iter().collect();
    assert_eq!(present, expected, "snapshots without a configuration");
}

/// The lines that differ, compared by line number.
fn difference(expected: &str, actual: &str) -> String {
    let (mut expected, mut actual) = (expected.lines(), actual.lines());
    let mut out = String::new();
    loop {
        match (expected.next(), actual.next()) {
            (None, None) => return out,
            (before, after) if before == after => {}
            (before, after) => {
                out += &format!(
                    "  - {}\n  + {}\n",
                    before.unwrap_or("(end)"),
                    after.unwrap_or("(end)")
                );
            }
        }
    }
}

#[test]
fn every_valid_configuration_has_the_meaning_in_its_snapshot() {
    assert!(configs(VALID).len() >= 14);
    compare(VALID, "json", |config| {
        let outcome = check::outcome(config, &environment(), SecretPolicy::MustExist, Format::Json);
        assert!(outcome.valid, "{}: {}", config.display(), outcome.output);
        outcome.output
    });
}

#[test]
fn every_invalid_configuration_fails_with_the_errors_of_its_snapshot() {
    assert!(configs(INVALID).len() >= 14);
    compare(INVALID, "txt", |config| {
        let outcome = check::outcome(
            config,
            &environment(),
            SecretPolicy::MustExist,
            Format::Text { columns: None },
        );
        assert!(!outcome.valid, "{}: {}", config.display(), outcome.output);
        anstream::adapter::strip_str(&outcome.output).to_string()
    });
}

#[test]
fn no_output_about_any_configuration_contains_a_secret() {
    let environment = environment();
    let mut seen = 0;
    for config in configs(VALID).into_iter().chain(configs(INVALID)) {
        for mode in MODES {
            let read = litellm::read(&config, &environment, mode);
            seen += read.as_ref().map_or(0, |blueprint| blueprint.secrets.len());
            let mut outputs = vec![format!("{read:?}"), format!("{read:#?}")];
            if let Ok(blueprint) = &read {
                outputs.push(serde_json::to_string(&blueprint.settings).unwrap());
                outputs.extend(blueprint.notes.iter().map(ToString::to_string));
            }
            if let Err(errors) = &read {
                outputs.extend(errors.iter().map(ToString::to_string));
            }
            for format in [
                Format::Json,
                Format::Text { columns: None },
                Format::Text { columns: Some(60) },
            ] {
                outputs.push(check::outcome(&config, &environment, mode, format).output);
            }
            for output in outputs {
                let found = output.to_lowercase().contains(MARK);
                assert!(!found, "{} in mode {mode:?}: {output}", config.display());
            }
        }
    }
    assert!(!format!("{environment:?}").to_lowercase().contains(MARK));
    assert!(
        seen > 20,
        "the fixtures have too few secrets for this test: {seen}"
    );
}

#[test]
fn the_filter_accepts_every_valid_configuration() {
    for config in configs(VALID) {
        let blueprint = litellm::read(&config, &environment(), SecretPolicy::MustExist).unwrap();
        let json = serde_json::to_vec(&blueprint.settings).unwrap();
        let variable = |name: &str| {
            let moved = blueprint
                .secrets
                .get(&EnvName(name.to_owned()))
                .map(|secret| secret.expose().to_owned());
            let set = VARIABLES.iter().find(|(known, _)| *known == name);
            moved.or_else(|| set.map(|(_, value)| (*value).to_owned()))
        };
        if let Err(error) = ActiveConfig::new(&json, variable) {
            panic!("{}: {error}", config.display());
        }
    }
}

#[test]
fn reading_twice_gives_the_same() {
    for config in configs(VALID) {
        let json =
            || check::outcome(&config, &environment(), SecretPolicy::MayComeLater, Format::Json).output;
        assert_eq!(json(), json(), "{}", config.display());
    }
}
