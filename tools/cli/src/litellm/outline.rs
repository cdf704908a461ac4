//! What a configuration names, whether or not the gateway can run with it.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::known;
use super::report::{ReadReport, Reader};
use super::tolerance::Tolerance;
use crate::document::field::{Section, YamlField};
use crate::document::include::ConfigDocument;
use crate::environment::{Environment, SecretPolicy};

/// What a configuration names.
pub(crate) struct ConfigOutline {
    /// Names of models and of aliases.
    pub(crate) models: Vec<String>,
    /// The keys in the configuration itself, with the master key, which LiteLLM also has in its table.
    pub(crate) keys: Vec<OutlinedKey>,
}

/// A key in a configuration.
pub(crate) struct OutlinedKey {
    pub(crate) token: Option<String>,
    pub(crate) key_alias: Option<String>,
}

/// What the configuration at `path` names.
pub(crate) fn outline(path: &Path) -> ConfigOutline {
    let (environment, tolerance) = (Environment::default(), Tolerance::default());
    let report = ReadReport::new(&tolerance);
    let mut reader = Reader::new(&environment, SecretPolicy::MayComeLater, report);
    let document = ConfigDocument::read(path, &mut reader);
    let entries = sections(document.list("model_list", &mut reader));
    let names = entries.iter().filter_map(|entry| text(entry, "model_name"));
    let router = document
        .section("router_settings")
        .and_then(|field| field.section());
    let aliases = router.and_then(|section| section.peek("model_group_alias")?.section());
    let aliases = aliases.map(|section| section.fields()).unwrap_or_default();
    let own = document
        .section(known::ENVOY_BEDROCK.name)
        .and_then(|field| field.section());
    let listed = own
        .and_then(|section| section.peek("keys")?.elements())
        .unwrap_or_default();
    let listed = sections(listed);
    let keys = listed.iter().map(|entry| OutlinedKey {
        token: text(entry, "token").map(|token| token.to_ascii_lowercase()),
        key_alias: text(entry, "key_alias"),
    });
    let keys = keys.chain(master_key(&document).map(|key| OutlinedKey {
        token: Some(hex::encode(Sha256::digest(key.as_bytes()))),
        key_alias: None,
    }));
    ConfigOutline {
        models: names.chain(aliases.into_iter().map(|(name, _)| name)).collect(),
        keys: keys.collect(),
    }
}

/// The master key, if the configuration or the environment of this process has it.
fn master_key(document: &ConfigDocument) -> Option<String> {
    let environment = Environment::of_this_process();
    let general = document
        .section("general_settings")
        .and_then(|field| field.section());
    match general.and_then(|section| text(&section, "master_key")) {
        None => environment.value("LITELLM_MASTER_KEY").map(str::to_owned),
        Some(key) => match key.strip_prefix("os.environ/") {
            Some(name) => environment.value(name).map(str::to_owned),
            None => Some(key),
        },
    }
}

fn sections(fields: Vec<YamlField>) -> Vec<Section> {
    fields.iter().filter_map(YamlField::section).collect()
}

fn text(section: &Section, name: &str) -> Option<String> {
    section.peek(name)?.text().map(str::to_owned)
}
