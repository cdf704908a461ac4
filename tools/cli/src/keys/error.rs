//! Why a key cannot be made or changed.

use std::io;
use std::path::PathBuf;

use envoy_bedrock::sealing::SEALING_KEY;

use super::import::error::ImportError;

/// An error of `envoy-bedrock keys`.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeysError {
    #[error(
        "{}: envoy_bedrock.keys_file is missing: it names the file for the keys. Add these lines:\n\nenvoy_bedrock:\n  \
         keys_file: keys.json\n", config.display()
    )]
    NoKeysFile { config: PathBuf },
    #[error("cannot read {}: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{}: expected the keys of this program in JSON, but found an error: {error}", path.display())]
    Malformed { path: PathBuf, error: serde_json::Error },
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error("cannot write {}: {error}", path.display())]
    Unwritable { path: PathBuf, error: io::Error },
    #[error("the operating system has no random numbers: {0}")]
    NoRandomness(io::Error),
    #[error(
        "{SEALING_KEY} is not set: the secret of an AWS pair is stored sealed with it. Set it to 64 hexadecimal digits \
         (`openssl rand -hex 32`), the same for this command and the gateway"
    )]
    NoSealingKey,
    #[error("{SEALING_KEY} is not a key: expected 64 hexadecimal digits (`openssl rand -hex 32`)")]
    BadSealingKey,
    #[error(
        "the secret of the access key {0} was sealed with another key than the one in {SEALING_KEY}: set the same key as \
         before, or replace the pair (`envoy-bedrock keys list` shows whose it is, `keys rotate` replaces it)"
    )]
    OtherSealingKey(String),
    #[error("no key has the alias or token {0:?}: `envoy-bedrock keys list` shows all of them")]
    NotFound(String),
    #[error("{0:?} is the alias or the token of several keys: use more digits of the token")]
    Ambiguous(String),
    #[error("no team has the id {0:?}: `envoy-bedrock keys list` shows all of them")]
    NoTeam(String),
    #[error("a key with the alias {0:?} exists already: `envoy-bedrock keys info {0}` shows it")]
    AliasInUse(String),
    #[error("{name}: expected {expected}, but found {found:?}")]
    BadValue {
        name: &'static str,
        expected: &'static str,
        found: String,
    },
}
