//! Randomly changed configurations: lines deleted, repeated, swapped, indented or cut, and values
//! replaced. The reader never panics, every error has a location and a message, and the filter
//! accepts whatever the reader accepts.

use std::fs;
use std::path::{Path, PathBuf};

use envoy_bedrock::routing::active_config::ActiveConfig;
use envoy_bedrock_cli::check::{self, Format};
use envoy_bedrock_cli::environment::{Environment, SecretPolicy};
use envoy_bedrock_cli::litellm;
use proptest::prelude::*;
use proptest::sample::Index;

const SAMPLES: &str = "tests/configs";
/// Part of every secret in the samples, in lower or upper case.
const MARK: &str = "tops3cret";
/// Values that YAML, LiteLLM or the reader could misread.
const VALUES: [&str; 32] = [
    "",
    "null",
    "~",
    "[]",
    "{}",
    "[[[[[[]]]]]]",
    "-1",
    "0",
    "1e400",
    ".nan",
    "0x10",
    "99999999999999999999",
    "1e-30",
    "true",
    "*",
    "\"*\"",
    "&a x",
    "*a",
    "!!binary eA==",
    "!custom x",
    "os.environ/NOT_SET",
    "os.environ/",
    "bedrock/",
    "bedrock/*",
    "bedrock/a*b*c",
    "\"\\0\"",
    "\"a\\nb\"",
    "|",
    ">-",
    "'",
    "\"",
    "arn:aws:bedrock:us-east-1::foundation-model/",
];

#[derive(Clone, Debug)]
enum Change {
    Delete,
    Repeat,
    Swap,
    Indent(usize),
    Outdent,
    Value(Index),
    Cut(Index),
}

fn change() -> impl Strategy<Value = (Index, Change)> {
    let change = prop_oneof![
        Just(Change::Delete),
        Just(Change::Repeat),
        Just(Change::Swap),
        (1usize..5).prop_map(Change::Indent),
        Just(Change::Outdent),
        any::<Index>().prop_map(Change::Value),
        any::<Index>().prop_map(Change::Cut),
    ];
    (any::<Index>(), change)
}

fn changed(text: &str, changes: &[(Index, Change)]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (index, change) in changes {
        if lines.is_empty() {
            break;
        }
        let at = index.index(lines.len());
        match change {
            Change::Delete => drop(lines.remove(at)),
            Change::Repeat => lines.insert(at, lines[at].clone()),
            Change::Swap => {
                let last = lines.len() - 1;
                lines.swap(at, last.min(at + 1));
            }
            Change::Indent(spaces) => lines[at].insert_str(0, &" ".repeat(*spaces)),
            Change::Outdent => lines[at] = lines[at].trim_start().to_owned(),
            Change::Value(value) => {
                let key = lines[at].split_once(':').map_or("", |(key, _)| key).to_owned();
                lines[at] = format!("{key}: {}", value.get(&VALUES));
            }
            // Cuts before the value, so that a secret never loses its name.
            Change::Cut(length) => {
                let key = lines[at].find(':').map_or(0, |colon| colon + 1);
                let keep: String = lines[at].chars().take(length.index(key + 1)).collect();
                lines[at] = keep;
            }
        }
    }
    lines.join("\n")
}

fn samples() -> Vec<PathBuf> {
    let paths = fs::read_dir(SAMPLES).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    paths.sort();
    assert!(paths.len() >= 14);
    paths
}

fn environment() -> Environment {
    let secrets = [
        ("AWS_ACCESS_KEY_ID", "AKIATOPS3CRETPROCESS"),
        ("AWS_SECRET_ACCESS_KEY", "tops3cret/process"),
        ("LITELLM_MASTER_KEY", "sk-tops3cret"),
    ];
    secrets.into_iter().collect()
}

/// Asserts what holds for every file.
fn holds(config: &Path, mode: SecretPolicy) {
    let text = fs::read_to_string(config).unwrap();
    let outcome = check::outcome(config, &environment(), mode, Format::Text { columns: Some(80) });
    assert!(
        !outcome.output.to_lowercase().contains(MARK),
        "{text}\n{}",
        outcome.output
    );
    match litellm::read(config, &environment(), mode) {
        Err(errors) => {
            assert!(!outcome.valid && !errors.is_empty(), "{text}");
            for error in errors {
                assert!(error.to_string().contains("config.yaml"), "{text}\n{error}");
                let message = error.problem.to_string();
                assert!(!message.is_empty() && !message.contains('\n'), "{text}\n{error}");
            }
        }
        Ok(blueprint) => {
            assert!(outcome.valid, "{text}\n{}", outcome.output);
            let settings = serde_json::to_vec(&blueprint.settings).unwrap();
            let gateway = ActiveConfig::new(&settings, |_| Some("AKIA0000000000000001".to_owned()));
            assert!(gateway.is_ok(), "{text}\n{gateway:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_configuration_causes_no_panic_and_is_accepted_only_if_the_filter_accepts_it(
        sample in any::<Index>(),
        changes in proptest::collection::vec(change(), 1..6),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.yaml");
        let sample = fs::read_to_string(sample.get(&samples())).unwrap();
        fs::write(&config, changed(&sample, &changes)).unwrap();
        for mode in [SecretPolicy::MustExist, SecretPolicy::Demo] {
            holds(&config, mode);
        }
    }
}
