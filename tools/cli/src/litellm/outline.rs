//! What a configuration names, whether or not the gateway can run with it.

use std::path::Path;

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
    /// The keys in the configuration itself.
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
    ConfigOutline {
        models: names.chain(aliases.into_iter().map(|(name, _)| name)).collect(),
        keys: keys.collect(),
    }
}

fn sections(fields: Vec<YamlField>) -> Vec<Section> {
    fields.iter().filter_map(YamlField::section).collect()
}

fn text(section: &Section, name: &str) -> Option<String> {
    section.peek(name)?.text().map(str::to_owned)
}
