//! `envoy-bedrock keys`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::NonEmptyStringValueParser;
use serde_json::json;

use super::aws_pair::{Mint, MintedPair};
use super::error::KeysError;
use super::import::{self, ImportOptions};
use super::lifetime::expiry;
use super::limit_options::LimitOptions;
use super::output;
use super::stored::{StoredFormer, StoredKey, StoredKeys, StoredTeam};
use super::token;
use crate::environment::Environment;
use crate::litellm;

/// Make, list and change virtual keys: a key for each application, with the models that it may call
/// and what it may use.
///
/// The keys are in the file that `envoy_bedrock.keys_file` of config.yaml names, with their SHA-256
/// only. A running gateway (`run`, or `watch`) uses a change within two seconds.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  envoy-bedrock keys new --alias app1 --models 'claude*' --max-budget 50 --budget-duration 30d --rpm-limit 600
  envoy-bedrock keys list
  envoy-bedrock keys update app1 --max-budget 80
  envoy-bedrock keys update app1 --rpm-limit none --models all
  envoy-bedrock keys rotate app1 --grace 24h
  envoy-bedrock keys block app1
  envoy-bedrock keys new --alias app2 --aws

A key is named by its alias, or by the first 8 or more digits of its token. In an update, `none` removes a limit, an
expiry, tags or a team, and `all` allows all models. What a key has spent: GET /key/info, or
`envoy-bedrock spend --by key`.

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
    /// List all keys and teams.
    List,
    /// Show a key.
    Info {
        /// Its alias, or 8 or more digits of its token.
        name: String,
    },
    /// Change what a key may do and use.
    Update(UpdatedKey),
    /// Refuse requests with a key, until it is unblocked.
    Block {
        /// Its alias, or 8 or more digits of its token.
        name: String,
    },
    /// Accept requests with a key again.
    Unblock {
        /// Its alias, or 8 or more digits of its token.
        name: String,
    },
    /// Replace a key by a new one with the same settings and spend, and print that.
    Rotate {
        /// Its alias, or 8 or more digits of its token.
        name: String,
        /// How long the old key remains valid, such as 30m, 12h or 7d; 0s ends it at once.
        #[arg(long, value_name = "TIME", default_value = "24h")]
        grace: String,
        /// Also make an AWS pair if the key has none. One that it has is replaced in any case.
        #[arg(long)]
        aws: bool,
    },
    /// Take over the keys of LiteLLM: applications keep the keys that they have.
    Import(ImportOptions),
    /// Delete a key.
    Delete {
        /// Its alias, or 8 or more digits of its token.
        name: String,
    },
    /// Make a team, or change what all its keys together may do and use.
    Team(TeamOptions),
}

/// What a key may do.
#[derive(Debug, clap::Args)]
struct KeyOptions {
    /// Models that it may call, separated by commas, possibly with *. The default is all models.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    models: Option<Vec<String>>,
    /// Names that only this key can use, as ALIAS=MODEL.
    #[arg(long = "model-alias", value_name = "ALIAS=MODEL")]
    aliases: Option<Vec<String>>,
    /// How long it lives from now on, such as 30m, 12h or 90d. The default is for ever.
    #[arg(long, value_name = "TIME")]
    duration: Option<String>,
    /// The team that it belongs to.
    #[arg(long, value_name = "TEAM", value_parser = NonEmptyStringValueParser::new())]
    team_id: Option<String>,
    /// Tags that its requests have in the spend log, separated by commas.
    #[arg(long, value_name = "TAG,…", value_delimiter = ',')]
    tags: Option<Vec<String>>,
    #[command(flatten)]
    limits: LimitOptions,
}

#[derive(Debug, clap::Args)]
struct NewKey {
    /// The name of the key in the spend log and in metrics.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    alias: Option<String>,
    /// Also make an AWS pair: an access key id and a secret access key, with which any AWS SDK signs
    /// as usual. Its secret is stored sealed with the key in ENVOY_BEDROCK_SEALING_KEY, which the
    /// gateway needs too.
    #[arg(long)]
    aws: bool,
    #[command(flatten)]
    options: KeyOptions,
}

#[derive(Debug, clap::Args)]
struct UpdatedKey {
    /// Its alias, or 8 or more digits of its token.
    name: String,
    #[command(flatten)]
    options: KeyOptions,
}

#[derive(Debug, clap::Args)]
struct TeamOptions {
    /// The id by which keys name it.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    id: String,
    /// Its name for people.
    #[arg(long, value_name = "NAME")]
    alias: Option<String>,
    /// Models that its keys may call, separated by commas, possibly with *. The default is all models.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    models: Option<Vec<String>>,
    /// Whether its keys are refused.
    #[arg(long, value_name = "true|false")]
    blocked: Option<bool>,
    /// Remove the team. Its keys remain, without its limits.
    #[arg(long)]
    delete: bool,
    #[command(flatten)]
    limits: LimitOptions,
}

/// Runs the command. Its help documents the exit codes.
pub fn run(arguments: &KeysArguments, environment: &Environment) -> ExitCode {
    match executed(arguments, environment) {
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

fn executed(arguments: &KeysArguments, environment: &Environment) -> Result<String, KeysError> {
    let is_json = arguments.json;
    let path = litellm::keys_file(&arguments.config).ok_or_else(|| KeysError::NoKeysFile {
        config: arguments.config.clone(),
    })?;
    let changed = |name: &str, change: &dyn Fn(&mut StoredKey)| {
        let stored = StoredKeys::change(&path, |keys| {
            let stored = keys.find_mut(name)?;
            change(stored);
            Ok(stored.clone())
        })?;
        Ok(output::shown(&stored, is_json))
    };
    match &arguments.action {
        Action::New(new) => {
            let (key, pair, stored) = made(new, environment, &path)?;
            Ok(output::with_key(&key, pair.as_ref(), &stored, is_json))
        }
        Action::Rotate { name, grace, aws } => {
            let (key, pair, stored) = rotated(name, grace, *aws, environment, &path)?;
            Ok(output::with_key(&key, pair.as_ref(), &stored, is_json))
        }
        Action::Import(options) => import::run(options, &arguments.config, &path, is_json),
        Action::List => Ok(output::listed(&StoredKeys::read(&path)?, is_json)),
        Action::Info { name } => {
            let mut keys = StoredKeys::read(&path)?;
            Ok(output::shown(keys.find_mut(name)?, is_json))
        }
        Action::Update(UpdatedKey { name, options }) => {
            let stored = StoredKeys::change(&path, |keys| {
                let stored = keys.find_mut(name)?;
                options.apply(stored)?;
                Ok(stored.clone())
            })?;
            Ok(output::shown(&stored, is_json))
        }
        Action::Block { name } => changed(name, &|stored| stored.blocked = true),
        Action::Unblock { name } => changed(name, &|stored| stored.blocked = false),
        Action::Delete { name } => {
            let stored = StoredKeys::change(&path, |keys| {
                let index = keys.find(name)?;
                Ok(keys.keys.remove(index))
            })?;
            let name = stored.key_alias.as_ref().unwrap_or(&stored.token);
            Ok(if is_json {
                output::json_text(&json!({ "deleted": stored }))
            } else {
                format!("deleted: {name}\n")
            })
        }
        Action::Team(options) if options.delete => {
            let team = StoredKeys::change(&path, |keys| {
                let index = keys.teams.iter().position(|team| team.team_id == options.id);
                let index = index.ok_or_else(|| KeysError::NoTeam(options.id.clone()))?;
                Ok(keys.teams.remove(index))
            })?;
            Ok(if is_json {
                output::json_text(&json!({ "deleted": team }))
            } else {
                format!("deleted: {}\n", team.team_id)
            })
        }
        Action::Team(options) => {
            let team = StoredKeys::change(&path, |keys| Ok(options.apply(keys)))?;
            Ok(output::shown_team(&team, is_json))
        }
    }
}

/// A key that was just made: the key itself, its AWS pair, and what is stored.
type Made = (String, Option<MintedPair>, StoredKey);

fn made(new: &NewKey, environment: &Environment, path: &Path) -> Result<Made, KeysError> {
    let key = token::generate()?;
    let mint = new.aws.then(|| Mint::new(environment)).transpose()?;
    let pair = mint.as_ref().map(Mint::mint).transpose()?;
    let mut stored = StoredKey {
        token: token::hash(&key),
        key_alias: new.alias.clone(),
        aws_pairs: pair.iter().map(|pair| pair.stored.clone()).collect(),
        ..StoredKey::default()
    };
    new.options.apply(&mut stored)?;
    StoredKeys::change(path, |keys| {
        if let Some(mint) = &mint {
            mint.check(keys)?;
        }
        let alias = stored.key_alias.as_ref();
        if let Some(alias) = alias.filter(|_| keys.keys.iter().any(|key| key.key_alias.as_ref() == alias)) {
            return Err(KeysError::AliasInUse(alias.clone()));
        }
        keys.keys.push(stored.clone());
        Ok(())
    })?;
    Ok((key, pair, stored))
}

fn rotated(
    name: &str,
    grace: &str,
    aws: bool,
    environment: &Environment,
    path: &Path,
) -> Result<Made, KeysError> {
    let key = token::generate()?;
    let valid_until = expiry("--grace", grace)?;
    let (pair, stored) = StoredKeys::change(path, |keys| {
        let stored = keys.find_mut(name)?;
        let token = std::mem::replace(&mut stored.token, token::hash(&key));
        // A key that was replaced earlier does not outlive this rotation's grace time.
        for former in &mut stored.former_tokens {
            if former.valid_until > valid_until {
                former.valid_until.clone_from(&valid_until);
            }
        }
        let mut pair = None;
        if aws || !stored.aws_pairs.is_empty() {
            let mint = Mint::new(environment)?;
            let minted = mint.mint()?;
            mint.replace(&mut stored.aws_pairs, minted.stored.clone(), &valid_until);
            pair = Some(minted);
        }
        stored.former_tokens.push(StoredFormer { token, valid_until });
        Ok((pair, stored.clone()))
    })?;
    Ok((key, pair, stored))
}

impl KeyOptions {
    /// Changes what the options name.
    fn apply(&self, stored: &mut StoredKey) -> Result<(), KeysError> {
        if let Some(models) = &self.models {
            stored.models = named(models);
        }
        if let Some(aliases) = &self.aliases {
            let aliases = aliases.iter().map(|pair| model_alias(pair));
            stored.aliases = aliases.collect::<Result<BTreeMap<_, _>, _>>()?;
        }
        if let Some(duration) = &self.duration {
            stored.expires = match duration.as_str() {
                "none" => None,
                duration => Some(expiry("--duration", duration)?),
            };
        }
        if let Some(team) = &self.team_id {
            stored.team_id = (team != "none").then(|| team.clone());
        }
        if let Some(tags) = &self.tags {
            stored.tags = named(tags);
        }
        self.limits.apply(&mut stored.limits);
        Ok(())
    }
}

impl TeamOptions {
    fn apply(&self, keys: &mut StoredKeys) -> StoredTeam {
        let known = keys.teams.iter().position(|team| team.team_id == self.id);
        let mut team = match known {
            Some(index) => keys.teams.remove(index),
            None => StoredTeam {
                team_id: self.id.clone(),
                ..StoredTeam::default()
            },
        };
        if let Some(alias) = &self.alias {
            team.team_alias = Some(alias.clone());
        }
        if let Some(models) = &self.models {
            team.models = named(models);
        }
        team.blocked = self.blocked.unwrap_or(team.blocked);
        self.limits.apply(&mut team.limits);
        keys.teams.insert(known.unwrap_or(keys.teams.len()), team.clone());
        team
    }
}

/// The names of a list; `none`, `all` or nothing is an empty one.
fn named(names: &[String]) -> Vec<String> {
    let is_empty = |name: &&String| matches!(name.as_str(), "" | "none" | "all");
    names.iter().filter(|name| !is_empty(name)).cloned().collect()
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
