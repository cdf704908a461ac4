//! Virtual keys: `envoy_bedrock.keys`, and those of the file that `envoy_bedrock.keys_file` names.
//! Their fields have the names and meanings of LiteLLM's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use envoy_bedrock::contract::keys::{KeySettings, TokenSettings};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::known;
use super::problem::Problem;
use super::report::Reader;
use crate::document::field::{Section, YamlField, quoted};
use crate::document::include::ConfigDocument;
use crate::document::reader::Read;

const KEYS: &str = "keys";
const KEYS_FILE: &str = "keys_file";
/// Settings that limit a key. They are refused: a key must not be admitted without its limit.
const LIMITS: [&str; 8] = [
    "max_budget",
    "soft_budget",
    "budget_duration",
    "rpm_limit",
    "tpm_limit",
    "model_rpm_limit",
    "model_tpm_limit",
    "max_parallel_requests",
];
/// Every other field, for messages.
const FIELDS: &str = "token, key, key_alias, models, aliases, expires, blocked, team_id, metadata, tags";
/// LiteLLM's names for sets of models that depend on teams.
const SETS_OF_MODELS: [&str; 2] = ["all-team-models", "no-default-models"];
const HASH_DIGITS: usize = 64;

/// The file that `envoy_bedrock.keys_file` names, relative to the configuration.
pub(super) fn keys_file(document: &ConfigDocument) -> Option<PathBuf> {
    let own = document.section(known::ENVOY_BEDROCK.name)?.section()?;
    let name = own.peek(KEYS_FILE)?.text()?.to_owned();
    let config = document.files.first()?;
    Some(config.parent().unwrap_or(Path::new("")).join(name))
}

impl Reader<'_> {
    /// The virtual keys of a configuration.
    pub(super) fn virtual_keys(&mut self, own: &Section, document: &ConfigDocument) -> Vec<KeySettings> {
        let mut elements = self.listed_keys(own);
        if let (Some(field), Some(path)) = (own.field(KEYS_FILE), keys_file(document)) {
            elements.extend(self.keys_of_file(&field, &path, document));
        }
        let mut keys = Vec::new();
        let mut firsts: BTreeMap<String, String> = BTreeMap::new();
        for element in elements {
            let Ok(key) = self.virtual_key(&element) else {
                continue;
            };
            let token = match &key.token {
                TokenSettings::Sha256(digits) => digits.clone(),
                TokenSettings::Variable(name) => name.0.clone(),
            };
            let alias = key
                .key_alias
                .iter()
                .map(|alias| format!("key_alias {}", quoted(alias)));
            for what in alias.chain([format!("the key with the token {}", short(&token))]) {
                let path = element.location.to_string();
                if let Some(first) = firsts.insert(what.clone(), path) {
                    self.error(&element.location, Problem::Duplicate { what, first });
                }
            }
            keys.push(key);
        }
        keys
    }

    fn listed_keys(&mut self, section: &Section) -> Vec<YamlField> {
        let Some(field) = section.field(KEYS) else {
            return Vec::new();
        };
        field.elements().unwrap_or_else(|| {
            self.file_error(&field.location, field.not("a list of keys"));
            Vec::new()
        })
    }

    fn keys_of_file(&mut self, field: &YamlField, path: &Path, document: &ConfigDocument) -> Vec<YamlField> {
        let file = document.further_file(path, &field.location, self);
        let Ok(section) = file.and_then(|file| self.section(&file)) else {
            return Vec::new();
        };
        let elements = self.listed_keys(&section);
        for (name, unknown) in section.unused() {
            self.unexpected(&unknown.location, "keys", quoted(&name));
        }
        elements
    }

    fn virtual_key(&mut self, element: &YamlField) -> Read<KeySettings> {
        let entry = self.section(element)?;
        let token = self.token(&entry);
        let key_alias = self.optional_text(entry.field("key_alias"));
        let models = self.texts(entry.field("models"));
        let aliases = self.aliases_of_key(entry.field("aliases"));
        let expires = entry.field("expires").map(|field| self.time(&field)).transpose();
        let blocked = entry.field("blocked").map(|field| self.flag(&field)).transpose();
        let team_id = self.optional_text(entry.field("team_id"));
        let tags = self.texts(entry.field("tags"));
        if let Some(field) = entry.field("metadata") {
            self.note(&field.location, "not used: it is for your own tools");
        }
        let refused = entry.unused().into_iter().map(|(name, field)| {
            let expected = if LIMITS.contains(&name.as_str()) {
                "no limit: budgets and rate limits of keys are not enforced yet".to_owned()
            } else {
                format!("one of these fields: {FIELDS}")
            };
            self.unexpected(&field.location, expected, quoted(&name))
        });
        let refused = refused.last();
        refused.map_or(Ok(()), Err)?;
        Ok(KeySettings {
            token: token?,
            key_alias: key_alias?,
            models: models?,
            aliases: aliases?,
            expires: expires?,
            blocked: blocked?.unwrap_or(false),
            team_id: team_id?,
            tags: tags?,
        })
    }

    /// `token`, the hash of the key, or `key`, a reference to the key itself.
    fn token(&mut self, entry: &Section) -> Read<TokenSettings> {
        let (token, key) = (entry.field("token"), entry.field("key"));
        match (token, key) {
            (Some(token), None) => {
                let digits = self.text(&token)?.to_ascii_lowercase();
                let is_hash =
                    digits.len() == HASH_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                if !is_hash {
                    let expected = "the SHA-256 of the key in 64 hexadecimal digits";
                    let found = if digits.starts_with("sk-") {
                        "a key"
                    } else {
                        "another string"
                    };
                    return Err(self.unexpected(&token.location, expected, found));
                }
                Ok(TokenSettings::Sha256(digits))
            }
            (None, Some(key)) => self.secret(&key).map(TokenSettings::Variable),
            (Some(token), Some(_)) => Err(self.unexpected(&token.location, "token or key", "both")),
            (None, None) => Err(self.missing_field(&entry.location, "token or key")),
        }
    }

    fn texts(&mut self, field: Option<YamlField>) -> Read<Vec<String>> {
        let Some(field) = field else { return Ok(Vec::new()) };
        let Some(elements) = field.elements() else {
            return Err(self.file_error(&field.location, field.not("a list of strings")));
        };
        let texts: Vec<_> = elements
            .iter()
            .map(|element| self.model_or_tag(element))
            .collect();
        texts.into_iter().collect()
    }

    fn model_or_tag(&mut self, element: &YamlField) -> Read<String> {
        let text = self.text(element)?;
        if SETS_OF_MODELS.contains(&text.as_str()) {
            let expected = "names of models: teams do not have models here";
            return Err(self.unexpected(&element.location, expected, quoted(&text)));
        }
        Ok(text)
    }

    fn aliases_of_key(&mut self, field: Option<YamlField>) -> Read<BTreeMap<String, String>> {
        let Some(field) = field else {
            return Ok(BTreeMap::new());
        };
        let section = self.section(&field)?;
        let fields = section.fields();
        let aliases: Vec<_> = fields
            .into_iter()
            .map(|(alias, target)| Ok((alias, self.text(&target)?)))
            .collect();
        aliases.into_iter().collect()
    }

    /// A time, in seconds since 1970.
    fn time(&mut self, field: &YamlField) -> Read<u64> {
        let text = self.text(field)?;
        let time = OffsetDateTime::parse(text.trim(), &Rfc3339).ok();
        let seconds = time.and_then(|time| u64::try_from(time.unix_timestamp()).ok());
        seconds.ok_or_else(|| {
            let expected = "a time such as 2027-01-31T00:00:00Z";
            self.unexpected(&field.location, expected, quoted(&text))
        })
    }
}

/// The start of a hash, or the whole name of a variable.
fn short(token: &str) -> &str {
    if token.len() == HASH_DIGITS {
        token.get(..8).unwrap_or(token)
    } else {
        token
    }
}
