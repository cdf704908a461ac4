//! `envoy-bedrock keys`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use comfy_table::{Table, presets};
use envoy_bedrock::time::UnixTime;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::error::KeysError;
use super::stored::{StoredKey, StoredKeys};
use super::token;
use crate::litellm;

/// Make, list and change virtual keys: a key for each application, with the models that it may call.
///
/// The keys are in the file that `envoy_bedrock.keys_file` of config.yaml names, with their SHA-256
/// only. A running gateway (`run`, or `watch`) uses a change within two seconds.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  envoy-bedrock keys new --alias app1 --models 'claude*' --duration 90d
  envoy-bedrock keys list
  envoy-bedrock keys block app1
  envoy-bedrock keys rotate app1

A key is named by its alias, or by the first 8 or more digits of its token.

Exit codes: 0 success, 1 a key or file cannot be used, 2 wrong usage.")]
pub struct KeysArguments {
    /// LiteLLM's configuration file.
    #[arg(long, value_name = "FILE", default_value = "config.yaml", global = true)]
    config: PathBuf,
    /// Print one JSON object instead of text. Later versions only add keys to it.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a key and print it, which is the only time that it can be seen.
    New(NewKey),
    /// List all keys.
    List,
    /// Show a key.
    Info { name: String },
    /// Refuse requests with a key, until it is unblocked.
    Block { name: String },
    /// Accept requests with a key again.
    Unblock { name: String },
    /// Replace a key by a new one with the same settings, and print that. The old one ends at once.
    Rotate { name: String },
    /// Delete a key.
    Delete { name: String },
}

#[derive(Debug, clap::Args)]
struct NewKey {
    /// The name of the key in the spend log and in metrics.
    #[arg(long, value_name = "NAME")]
    alias: Option<String>,
    /// Models that it may call, separated by commas, possibly with *. The default is all models.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    models: Vec<String>,
    /// Names that only this key can use, as ALIAS=MODEL.
    #[arg(long = "model-alias", value_name = "ALIAS=MODEL")]
    aliases: Vec<String>,
    /// How long it lives, such as 30m, 12h or 90d. The default is for ever.
    #[arg(long, value_name = "TIME")]
    duration: Option<String>,
    /// The team that it belongs to, for the spend log.
    #[arg(long, value_name = "TEAM")]
    team_id: Option<String>,
    /// Tags that its requests have in the spend log, separated by commas.
    #[arg(long, value_name = "TAG,…", value_delimiter = ',')]
    tags: Vec<String>,
}

/// The latest expiry, in seconds since 1970: the year 9999.
const EXPIRY_MAX: u64 = 253_370_764_800;

/// Runs the command. Its help documents the exit codes.
pub fn run(arguments: &KeysArguments) -> ExitCode {
    match output(arguments) {
        Ok(text) => {
            let _ = write!(anstream::stdout(), "{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(anstream::stderr(), "error: {error}");
            ExitCode::from(1)
        }
    }
}

fn output(arguments: &KeysArguments) -> Result<String, KeysError> {
    let path = litellm::keys_file(&arguments.config).ok_or_else(|| KeysError::NoKeysFile {
        config: arguments.config.clone(),
    })?;
    match &arguments.action {
        Action::New(new) => {
            let (key, stored) = made(new, &path)?;
            Ok(with_key(&key, &stored, arguments.json))
        }
        Action::Rotate { name } => {
            let key = token::generate()?;
            let stored = changed(&path, name, |stored| stored.token = token::hash(&key))?;
            Ok(with_key(&key, &stored, arguments.json))
        }
        Action::List => Ok(listed(&StoredKeys::read(&path)?, arguments.json)),
        Action::Info { name } => {
            let mut keys = StoredKeys::read(&path)?;
            Ok(shown(keys.find_mut(name)?, arguments.json))
        }
        Action::Block { name } => {
            let stored = changed(&path, name, |stored| stored.blocked = true)?;
            Ok(shown(&stored, arguments.json))
        }
        Action::Unblock { name } => {
            let stored = changed(&path, name, |stored| stored.blocked = false)?;
            Ok(shown(&stored, arguments.json))
        }
        Action::Delete { name } => {
            let stored = StoredKeys::change(&path, |keys| {
                let index = keys.find(name)?;
                Ok(keys.keys.remove(index))
            })?;
            Ok(if arguments.json {
                json_text(&json!({ "deleted": stored }))
            } else {
                format!("deleted: {}\n", name_of(&stored))
            })
        }
    }
}

fn made(new: &NewKey, path: &Path) -> Result<(String, StoredKey), KeysError> {
    let key = token::generate()?;
    let stored = StoredKey {
        token: token::hash(&key),
        key_alias: new.alias.clone(),
        models: new.models.clone(),
        aliases: new
            .aliases
            .iter()
            .map(|pair| model_alias(pair))
            .collect::<Result<BTreeMap<_, _>, _>>()?,
        expires: new.duration.as_deref().map(expiry).transpose()?,
        blocked: false,
        team_id: new.team_id.clone(),
        metadata: None,
        tags: new.tags.clone(),
    };
    StoredKeys::change(path, |keys| {
        let alias = stored.key_alias.as_ref();
        if let Some(alias) = alias.filter(|_| keys.keys.iter().any(|key| key.key_alias.as_ref() == alias)) {
            return Err(KeysError::AliasInUse(alias.clone()));
        }
        keys.keys.push(stored.clone());
        Ok(())
    })?;
    Ok((key, stored))
}

fn changed(path: &Path, name: &str, change: impl FnOnce(&mut StoredKey)) -> Result<StoredKey, KeysError> {
    StoredKeys::change(path, |keys| {
        let stored = keys.find_mut(name)?;
        change(stored);
        Ok(stored.clone())
    })
}

fn model_alias(pair: &str) -> Result<(String, String), KeysError> {
    let halves = pair
        .split_once('=')
        .filter(|(alias, model)| !alias.is_empty() && !model.is_empty());
    let (alias, model) = halves.ok_or_else(|| KeysError::BadValue {
        name: "--model-alias",
        expected: "ALIAS=MODEL",
        found: pair.to_owned(),
    })?;
    Ok((alias.to_owned(), model.to_owned()))
}

/// The time after a duration such as `30d`, in the words of LiteLLM's `duration`.
fn expiry(duration: &str) -> Result<String, KeysError> {
    let bad = || KeysError::BadValue {
        name: "--duration",
        expected: "a whole number with a unit, such as 30m, 12h or 90d",
        found: duration.to_owned(),
    };
    let (number, unit) = duration
        .split_at_checked(duration.len().saturating_sub(1))
        .ok_or_else(bad)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(bad()),
    };
    let number: u64 = number.parse().map_err(|_| bad())?;
    let life = number
        .checked_mul(seconds)
        .filter(|life| *life > 0)
        .ok_or_else(bad)?;
    let now = u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap_or_default();
    let expires = now
        .checked_add(life)
        .filter(|seconds| *seconds < EXPIRY_MAX)
        .ok_or_else(bad)?;
    Ok(UnixTime::from_seconds(expires).rfc3339().as_str().to_owned())
}

fn with_key(key: &str, stored: &StoredKey, is_json: bool) -> String {
    if is_json {
        let mut object = json!(stored);
        if let Value::Object(fields) = &mut object {
            fields.insert("key".to_owned(), key.into());
        }
        return json_text(&object);
    }
    format!(
        "{key}\n\nThis is the only time that the key is shown.\n\n{}",
        shown(stored, false)
    )
}

fn shown(stored: &StoredKey, is_json: bool) -> String {
    if is_json {
        return json_text(&json!(stored));
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for (name, value) in cells(stored) {
        table.add_row([name.to_owned(), value]);
    }
    trimmed(&table)
}

fn listed(keys: &StoredKeys, is_json: bool) -> String {
    if is_json {
        return json_text(&json!(keys));
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["ALIAS", "TOKEN", "MODELS", "EXPIRES", "STATE", "TEAM"]);
    for stored in &keys.keys {
        let [alias, token, models, expires, state, team] = cells(stored).map(|(_, value)| value);
        table.add_row([alias, token, models, expires, state, team]);
    }
    trimmed(&table)
}

fn cells(stored: &StoredKey) -> [(&'static str, String); 6] {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let models = if stored.models.is_empty() {
        "all".to_owned()
    } else {
        stored.models.join(", ")
    };
    let state = if stored.blocked { "blocked" } else { "active" };
    [
        ("alias", or_dash(&stored.key_alias)),
        (
            "token",
            stored.token.get(..16).unwrap_or(&stored.token).to_owned(),
        ),
        ("models", models),
        (
            "expires",
            stored.expires.clone().unwrap_or_else(|| "never".to_owned()),
        ),
        ("state", state.to_owned()),
        ("team", or_dash(&stored.team_id)),
    ]
}

fn name_of(stored: &StoredKey) -> String {
    stored.key_alias.clone().unwrap_or_else(|| stored.token.clone())
}

fn json_text(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

fn trimmed(table: &Table) -> String {
    let rows = table.to_string();
    rows.lines().map(|row| format!("{}\n", row.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_whole_number_with_a_unit() {
        for duration in ["30s", "5m", "12h", "90d"] {
            let expires = expiry(duration).unwrap();
            let expires = UnixTime::parse_rfc3339(&expires).unwrap().seconds();
            assert!(expires > u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap());
        }
        for duration in [
            "",
            "d",
            "0d",
            "1.5h",
            "-1d",
            "10",
            "3w",
            "99999999999999999999d",
            "é",
        ] {
            let error = expiry(duration).unwrap_err().to_string();
            assert!(
                error.starts_with("--duration: expected a whole number"),
                "{error}"
            );
        }
    }
}
