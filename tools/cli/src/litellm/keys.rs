//! Virtual keys and teams: `envoy_bedrock.keys` and `teams`, and those of the file that
//! `envoy_bedrock.keys_file` names. Their fields have the names and meanings of LiteLLM's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use envoy_bedrock::contract::keys::{FormerToken, KeySettings, TeamSettings, TokenSettings};
use envoy_bedrock::contract::settings::EnvName;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::key_limits::{LIMIT_FIELDS, some_of};
use super::known;
use super::problem::Problem;
use super::report::Reader;
use crate::document::field::{Section, YamlField, quoted};
use crate::document::include::ConfigDocument;
use crate::document::location::Location;
use crate::document::reader::Read;

const KEYS: &str = "keys";
const TEAMS: &str = "teams";
const KEYS_FILE: &str = "keys_file";
/// The fields of a key that are no limits, for messages.
const KEY_FIELDS: &str = "token, key, key_alias, models, aliases, expires, blocked, team_id, metadata, tags, former_tokens, aws_pairs";
/// The same of a team.
const TEAM_FIELDS: &str = "team_id, team_alias, models, blocked, metadata";
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
    /// The virtual keys and the teams of a configuration.
    ///
    /// A file with 10,000 keys is read fast as JSON. If something in it is wrong, it is read again
    /// as YAML, for the line numbers.
    pub(super) fn virtual_keys(
        &mut self,
        own: &Section,
        document: &ConfigDocument,
    ) -> (Vec<KeySettings>, Vec<TeamSettings>) {
        let (mark, unset) = (self.findings.mark(), self.unset.clone());
        let keys = self.keys_and_teams(own, true, document);
        if !self.findings.has_errors_since(mark) {
            return keys;
        }
        self.findings.take_back(mark);
        self.unset = unset;
        self.keys_and_teams(own, false, document)
    }

    fn keys_and_teams(
        &mut self,
        own: &Section,
        as_json: bool,
        document: &ConfigDocument,
    ) -> (Vec<KeySettings>, Vec<TeamSettings>) {
        let mut elements = self.listed(own, KEYS);
        let mut teams = self.listed(own, TEAMS);
        if let (Some(field), Some(path)) = (own.field(KEYS_FILE), keys_file(document))
            && self.exists(&field, &path)
            && let Ok(file) = self.further_keys(&field, &path, as_json, document)
        {
            elements.extend(self.listed(&file, KEYS));
            teams.extend(self.listed(&file, TEAMS));
            for (name, unknown) in file.unused() {
                self.unexpected(&unknown.location, "keys or teams", quoted(&name));
            }
        }
        let (keys, teams) = (self.distinct_keys(elements), self.distinct_teams(teams));
        self.note_unknown_teams(&keys, &teams, &own.location);
        (keys, teams)
    }

    /// Notes teams that keys name and that are not listed, since no limit of a team applies.
    fn note_unknown_teams(&mut self, keys: &[KeySettings], teams: &[TeamSettings], location: &Location) {
        let named: BTreeSet<&str> = keys.iter().filter_map(|key| key.team_id.as_deref()).collect();
        let known: BTreeSet<&str> = teams.iter().map(|team| team.team_id.as_str()).collect();
        let unknown: Vec<_> = named.difference(&known).map(|name| quoted(name)).collect();
        if unknown.is_empty() {
            return;
        }
        let some = some_of(&unknown);
        let text =
            format!("keys name teams that are not in envoy_bedrock.teams, so these have no limits: {some}");
        self.note(&location.field(TEAMS), text);
    }

    fn distinct_teams(&mut self, elements: Vec<YamlField>) -> Vec<TeamSettings> {
        let mut teams: Vec<TeamSettings> = Vec::new();
        let mut firsts: BTreeMap<String, String> = BTreeMap::new();
        for element in elements {
            let Ok(team) = self.team(&element) else { continue };
            let what = format!("team_id {}", quoted(&team.team_id));
            if let Some(first) = firsts.insert(what.clone(), element.location.to_string()) {
                self.error(&element.location, Problem::Duplicate { what, first });
            }
            teams.push(team);
        }
        teams
    }

    fn team(&mut self, element: &YamlField) -> Read<TeamSettings> {
        let entry = self.section(element)?;
        let team_id = match entry.field("team_id") {
            Some(field) => self.text(&field),
            None => Err(self.missing_field(&entry.location, "team_id")),
        };
        let team_alias = self.optional_text(entry.field("team_alias"));
        let models = self.texts(entry.field("models"));
        let blocked = entry.field("blocked").map(|field| self.flag(&field)).transpose();
        let limits = self.limits(&entry);
        // `metadata` is for the tools of the user.
        let _ = entry.field("metadata");
        self.refuse_others(&entry, TEAM_FIELDS)?;
        Ok(TeamSettings {
            team_id: team_id?,
            team_alias: team_alias?,
            models: models?,
            blocked: blocked?.unwrap_or(false),
            limits: limits?,
        })
    }

    fn distinct_keys(&mut self, elements: Vec<YamlField>) -> Vec<KeySettings> {
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
            let former = key.former.iter().map(|former| &former.sha256);
            let tokens = former.chain([&token]);
            let tokens = tokens.map(|token| (format!("token {token}"), short(token)));
            let tokens = tokens.map(|(id, short)| (id, format!("the key with the token {short}")));
            for (id, what) in alias.map(|alias| (alias.clone(), alias)).chain(tokens) {
                let path = element.location.to_string();
                if let Some(first) = firsts.insert(id, path) {
                    self.error(&element.location, Problem::Duplicate { what, first });
                }
            }
            keys.push(key);
        }
        keys
    }

    /// Refuses the master key as a virtual key: it may do everything, so no limit would apply.
    pub(super) fn refuse_master_key(&mut self, keys: &[KeySettings], master: &EnvName, own: &Section) {
        let hash_of = |name: &EnvName| {
            let value = self.secret_value(name)?;
            Some(hex::encode(Sha256::digest(value.as_bytes())))
        };
        let master_hash = hash_of(master);
        let is_master = |key: &&KeySettings| match &key.token {
            TokenSettings::Sha256(digits) => Some(digits) == master_hash.as_ref(),
            TokenSettings::Variable(name) if name == master => true,
            TokenSettings::Variable(name) => master_hash.is_some() && hash_of(name) == master_hash,
        };
        if let Some(key) = keys.iter().find(is_master) {
            let alias = key.key_alias.as_deref().map(quoted);
            let alias = alias.map_or(String::new(), |alias| format!(" with the key_alias {alias}"));
            let expected = "keys other than the master key, which no limit applies to";
            self.unexpected(
                &own.location.field(KEYS),
                expected,
                format!("the master key{alias}"),
            );
        }
    }

    fn listed(&mut self, section: &Section, name: &str) -> Vec<YamlField> {
        let Some(field) = section.field(name) else {
            return Vec::new();
        };
        field.elements().unwrap_or_else(|| {
            self.file_error(&field.location, field.not("a list"));
            Vec::new()
        })
    }

    /// Whether there is a file with keys yet. A new gateway has none, and admits the master key only.
    fn exists(&mut self, field: &YamlField, path: &Path) -> bool {
        let exists = !matches!(path.try_exists(), Ok(false));
        if !exists {
            self.note(
                &field.location,
                "this file does not exist yet: `envoy-bedrock keys new` makes it",
            );
        }
        exists
    }

    fn further_keys(
        &mut self,
        field: &YamlField,
        path: &Path,
        as_json: bool,
        document: &ConfigDocument,
    ) -> Read<Section> {
        let file = document.further_file(path, as_json, &field.location, self)?;
        self.section(&file)
    }

    /// Refuses fields that were not read: a misspelt limit must not mean that there is none.
    fn refuse_others(&mut self, entry: &Section, fields: &str) -> Read<()> {
        let refused = entry.unused().into_iter().map(|(name, field)| {
            let expected = format!("one of these fields: {fields}, {LIMIT_FIELDS}");
            self.unexpected(&field.location, expected, quoted(&name))
        });
        refused.last().map_or(Ok(()), Err)
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
        let former = self.former_tokens(entry.field("former_tokens"));
        let aws_pairs = self.aws_pairs(entry.field("aws_pairs"));
        let limits = self.limits(&entry);
        // `metadata` is for the tools of the user.
        let _ = entry.field("metadata");
        self.refuse_others(&entry, KEY_FIELDS)?;
        let former = former?;
        Ok(KeySettings {
            limits: limits?,
            counted_as: former.first().map(|former| former.sha256.clone()),
            former,
            token: token?,
            key_alias: key_alias?,
            models: models?,
            aliases: aliases?,
            expires: expires?,
            blocked: blocked?.unwrap_or(false),
            team_id: team_id?,
            tags: tags?,
            aws_pairs: aws_pairs?,
        })
    }

    /// The keys that a key has replaced, the oldest first.
    fn former_tokens(&mut self, field: Option<YamlField>) -> Read<Vec<FormerToken>> {
        let Some(field) = field else { return Ok(Vec::new()) };
        let elements = field.elements();
        let elements = elements.ok_or_else(|| self.file_error(&field.location, field.not("a list")))?;
        let former = elements.iter().map(|element| {
            let entry = self.section(element)?;
            let (token, until) = (entry.field("token"), entry.field("valid_until"));
            let (Some(token), Some(until)) = (token, until) else {
                return Err(self.missing_field(&entry.location, "token and valid_until"));
            };
            Ok(FormerToken {
                sha256: self.hash(&token)?,
                valid_until: self.time(&until)?,
            })
        });
        let former: Vec<_> = former.collect();
        former.into_iter().collect()
    }

    fn hash(&mut self, field: &YamlField) -> Read<String> {
        let digits = self.text(field)?.to_ascii_lowercase();
        let is_hash = digits.len() == HASH_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hash {
            return Ok(digits);
        }
        let expected = "the SHA-256 of the key in 64 hexadecimal digits";
        let found = if digits.starts_with("sk-") {
            "a key"
        } else {
            "another string"
        };
        Err(self.unexpected(&field.location, expected, found))
    }

    /// `token`, the hash of the key, or `key`, a reference to the key itself.
    fn token(&mut self, entry: &Section) -> Read<TokenSettings> {
        let (token, key) = (entry.field("token"), entry.field("key"));
        match (token, key) {
            (Some(token), None) => self.hash(&token).map(TokenSettings::Sha256),
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
            let expected = "names of models, or no names for all models (of the team)";
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

    /// A time or a date, in seconds since 1970.
    pub(super) fn time(&mut self, field: &YamlField) -> Read<u64> {
        let text = self.text(field)?;
        let parse = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
        let text_or_date = text.trim();
        let time = parse(text_or_date).or_else(|| parse(&format!("{text_or_date}T00:00:00Z")));
        let seconds = time.and_then(|time| u64::try_from(time.unix_timestamp()).ok());
        seconds.ok_or_else(|| {
            let expected = "a time such as 2027-01-31T00:00:00Z, or a date";
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
