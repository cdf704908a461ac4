//! The file with the keys: JSON that only this program writes, and the gateway reads.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use envoy_bedrock::limits::period::Period;
use serde::{Deserialize, Serialize};

use super::error::KeysError;
use crate::state::private_file;

/// A key, with LiteLLM's names of its fields. It has the hash of the key, never the key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredKey {
    pub(super) token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key_alias: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) models: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) aliases: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) blocked: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) team_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) metadata: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tags: Vec<String>,
    #[serde(flatten)]
    pub(super) limits: StoredLimits,
    /// The keys that it has replaced, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) former_tokens: Vec<StoredFormer>,
    /// Its AWS pairs, the oldest first. All but the last one were replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) aws_pairs: Vec<StoredAwsPair>,
}

/// An AWS pair, with its secret sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredAwsPair {
    pub(super) access_key_id: String,
    pub(super) sealed_secret: String,
    /// Until when it is valid, if it was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) valid_until: Option<String>,
}

/// A key that was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredFormer {
    pub(super) token: String,
    pub(super) valid_until: String,
}

/// A team.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredTeam {
    pub(super) team_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) team_alias: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) models: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) blocked: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) metadata: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(flatten)]
    pub(super) limits: StoredLimits,
}

/// The limits of a key or a team.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredLimits {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_budget: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) soft_budget: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) budget_duration: Option<Period>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) budget_reset_at: Option<String>,
    /// What another gateway has counted. What this one has counted since `spend_at` is added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) spend: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) spend_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rpm_limit: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tpm_limit: Option<u64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) model_rpm_limit: BTreeMap<String, u64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) model_tpm_limit: BTreeMap<String, u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_parallel_requests: Option<u64>,
}

/// The content of the file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredKeys {
    pub(super) keys: Vec<StoredKey>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) teams: Vec<StoredTeam>,
}

impl StoredKeys {
    /// Reads the keys. A file that does not exist has none.
    pub(super) fn read(path: &Path) -> Result<Self, KeysError> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => {
                let path = path.to_owned();
                return Err(KeysError::Unreadable { path, error });
            }
        };
        serde_json::from_slice(&text).map_err(|error| KeysError::Malformed {
            path: path.to_owned(),
            error,
        })
    }

    /// Changes the keys. Others that do the same wait, and readers see the old file or the new one.
    pub(super) fn change<T>(
        path: &Path,
        change: impl FnOnce(&mut Self) -> Result<T, KeysError>,
    ) -> Result<T, KeysError> {
        let unwritable = |error| KeysError::Unwritable {
            path: path.to_owned(),
            error,
        };
        let lock = File::create(lock_of(path)).map_err(unwritable)?;
        lock.lock().map_err(unwritable)?;
        let mut keys = Self::read(path)?;
        let result = change(&mut keys)?;
        let text = serde_json::to_string_pretty(&keys).map_err(|error| unwritable(error.into()))?;
        private_file(path, &(text + "\n")).map_err(unwritable)?;
        Ok(result)
    }

    /// The key with this alias, token or start of a token, if there is exactly one.
    pub(super) fn find(&self, name: &str) -> Result<usize, KeysError> {
        let by_alias = |key: &StoredKey| key.key_alias.as_deref() == Some(name);
        let by_token = |key: &StoredKey| name.len() >= TOKEN_DIGITS_MIN && key.token.starts_with(name);
        let keys = self.keys.iter().enumerate();
        let mut found = keys.filter(|(_, key)| by_alias(key) || by_token(key));
        match (found.next(), found.next()) {
            (Some((index, _)), None) => Ok(index),
            (None, _) => Err(KeysError::NotFound(name.to_owned())),
            (Some(_), Some(_)) => Err(KeysError::Ambiguous(name.to_owned())),
        }
    }

    pub(super) fn find_mut(&mut self, name: &str) -> Result<&mut StoredKey, KeysError> {
        let index = self.find(name)?;
        self.keys
            .get_mut(index)
            .ok_or_else(|| KeysError::NotFound(name.to_owned()))
    }
}

/// Least digits of a token by which a key can be named.
const TOKEN_DIGITS_MIN: usize = 8;

fn lock_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.lock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(alias: &str) -> StoredKey {
        StoredKey {
            token: super::super::token::hash(alias),
            key_alias: Some(alias.to_owned()),
            ..StoredKey::default()
        }
    }

    #[test]
    fn concurrent_changes_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        std::thread::scope(|scope| {
            for number in 0..16 {
                let path = &path;
                scope.spawn(move || {
                    let add = |keys: &mut StoredKeys| {
                        keys.keys.push(key(&format!("app-{number}")));
                        Ok(())
                    };
                    StoredKeys::change(path, add).unwrap();
                });
            }
        });
        let keys = StoredKeys::read(&path).unwrap();
        assert_eq!(keys.keys.len(), 16);
        assert_eq!(
            keys.find("app-7").unwrap(),
            keys.find(&keys.keys[keys.find("app-7").unwrap()].token[..8])
                .unwrap()
        );
        assert!(matches!(keys.find("app"), Err(KeysError::NotFound(_))));
    }

    #[test]
    fn a_name_that_could_be_two_keys_is_neither() {
        let first = key("app");
        let same = key(&first.token[..8]);
        let keys = StoredKeys {
            keys: vec![first.clone(), same.clone()],
            teams: Vec::new(),
        };
        assert!(matches!(
            keys.find(&first.token[..8]),
            Err(KeysError::Ambiguous(_))
        ));
        assert_eq!(keys.find(&first.token).unwrap(), 0);
        assert_eq!(keys.find(&same.token[..8]).unwrap(), 1);
    }

    #[test]
    fn a_failed_change_and_a_malformed_file_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let refuse = |_: &mut StoredKeys| Err::<(), _>(KeysError::NotFound("x".to_owned()));
        assert!(StoredKeys::change(&path, refuse).is_err());
        assert!(!path.exists());
        fs::write(&path, "{\"keys\": [{\"token\": \"a\", \"max_budgets\": 1}]}").unwrap();
        let error = StoredKeys::change(&path, |_| Ok(())).unwrap_err().to_string();
        assert!(
            error.contains("keys.json") && error.contains("max_budgets"),
            "{error}"
        );
        assert!(fs::read_to_string(&path).unwrap().contains("max_budget"));
    }
}
