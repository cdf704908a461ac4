//! `envoy-bedrock keys import`: takes over LiteLLM's keys, teams and budgets.

mod budget;
mod columns;
mod csv_table;
mod database;
mod database_url;
pub(super) mod error;
mod files;
mod key;
mod losses;
mod merge;
mod metadata;
mod models;
mod record;
mod report;
mod rows;
mod team;
mod tls;
mod unprotected;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use envoy_bedrock::time::UnixTime;
use time::OffsetDateTime;

use self::budget::BudgetRows;
use self::error::ImportError;
use self::files::{BUDGET_TABLE, KEY_TABLE, TEAM_TABLE};
use self::key::NoClientKey;
use self::losses::Loss;
use self::merge::merge;
use self::models::ModelNames;
use self::report::{ImportReport, table};
use self::rows::LiteLlmTables;
use self::unprotected::Decisions;
use super::error::KeysError;
use super::stored::{StoredKey, StoredKeys, StoredTeam};
use crate::litellm::{self, ConfigOutline};

/// Where the keys are, and what to do with settings that have no equal here.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  envoy-bedrock keys import --database-url os.environ/DATABASE_URL --dry-run

The same with files:
  psql \"$DATABASE_URL\" -c '\\copy \"LiteLLM_VerificationToken\" to keys.csv csv header' \\
    -c '\\copy \"LiteLLM_TeamTable\" to teams.csv csv header' \\
    -c '\\copy \"LiteLLM_BudgetTable\" to budgets.csv csv header'
  envoy-bedrock keys import keys.csv --teams teams.csv --budgets budgets.csv

An import replaces what is here of the same keys and teams, and leaves the others as they are. If a setting that
protects something has no equal here, nothing is imported until you decide about it.")]
pub(super) struct ImportOptions {
    /// LiteLLM's table LiteLLM_VerificationToken, as CSV of `psql` or as JSON.
    #[arg(value_name = "FILE", required_unless_present = "database_url")]
    file: Option<PathBuf>,
    /// The table LiteLLM_TeamTable.
    #[arg(long, value_name = "FILE", requires = "file")]
    teams: Option<PathBuf>,
    /// The table LiteLLM_BudgetTable.
    #[arg(long, value_name = "FILE", requires = "file")]
    budgets: Option<PathBuf>,
    /// LiteLLM's database, which is only read: postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or
    /// os.environ/NAME for the URL in an environment variable.
    #[arg(long, value_name = "URL", conflicts_with = "file")]
    database_url: Option<String>,
    /// Settings that protect something and may be lost, separated by commas.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    accept_unprotected: Vec<String>,
    /// Import keys and teams as blocked if they would lose a protection that is not accepted.
    #[arg(long)]
    block_unprotected: bool,
    /// Only say what would be imported.
    #[arg(long)]
    dry_run: bool,
}

/// The keys and teams in the rows, with what has no equal here.
#[derive(Default)]
struct Converted {
    keys: Vec<(StoredKey, Vec<Loss>)>,
    teams: Vec<(StoredTeam, Vec<Loss>)>,
    sessions: usize,
    without_token: usize,
    configured: usize,
}

/// Imports keys into the file at `path`.
pub(super) fn run(
    options: &ImportOptions,
    config: &Path,
    path: &Path,
    is_json: bool,
) -> Result<String, KeysError> {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let now = UnixTime::from_seconds(u64::try_from(now).unwrap_or_default());
    let outline = litellm::outline(config);
    let mut converted = converted(options.rows()?, &outline, now);
    let decisions = Decisions {
        accepted: options.accept_unprotected.clone(),
        blocks: options.block_unprotected,
    };
    let mut import = |stored: &mut StoredKeys| {
        let mut keys = std::mem::take(&mut converted.keys);
        let teams = std::mem::take(&mut converted.teams);
        mark_teamless(&mut keys, &teams, stored);
        let decided = decisions.apply(keys, teams);
        if !decided.undecided.is_empty() {
            return Err(unprotected(&decided.losses, &decided.undecided));
        }
        let taken = outline.keys.iter().filter_map(|key| key.key_alias.as_deref());
        let merged = merge(stored, decided.keys, decided.teams, &taken.collect());
        let report = ImportReport {
            path,
            dry_run: options.dry_run,
            merged,
            losses: decided.losses,
            blocked: decided.blocked,
            sessions: converted.sessions,
            without_token: converted.without_token,
            configured: converted.configured,
        };
        Ok(report.shown(&decisions, is_json))
    };
    if options.dry_run {
        import(&mut StoredKeys::read(path)?)
    } else {
        StoredKeys::change(path, import)
    }
}

impl ImportOptions {
    fn rows(&self) -> Result<LiteLlmTables, ImportError> {
        if let Some(url) = &self.database_url {
            return database::read(url);
        }
        let optional = |path: &Option<PathBuf>, table| match path {
            Some(path) => files::read(path, table),
            None => Ok(Vec::new()),
        };
        Ok(LiteLlmTables {
            keys: optional(&self.file, &KEY_TABLE)?,
            teams: optional(&self.teams, &TEAM_TABLE)?,
            budgets: optional(&self.budgets, &BUDGET_TABLE)?,
        })
    }
}

fn converted(rows: LiteLlmTables, outline: &ConfigOutline, now: UnixTime) -> Converted {
    let models = ModelNames::new(outline.models.clone());
    let configured: BTreeSet<_> = outline.keys.iter().filter_map(|key| key.token.as_ref()).collect();
    let budgets: BudgetRows = rows
        .budgets
        .into_iter()
        .filter_map(|row| Some((row.get("budget_id")?.as_str()?.to_owned(), row)))
        .collect();
    let mut converted = Converted::default();
    for row in rows.keys {
        match key::key(row, &budgets, now) {
            Err(NoClientKey::Session) => converted.sessions += 1,
            Err(NoClientKey::Token) => converted.without_token += 1,
            Ok((key, _)) if configured.contains(&key.token) => converted.configured += 1,
            Ok((key, mut losses)) => {
                let own = |name: &&String| !key.aliases.contains_key(*name);
                let others: Vec<_> = key.models.iter().filter(own).cloned().collect();
                losses.extend(models.unknown(&others));
                converted.keys.push((key, losses));
            }
        }
    }
    for row in rows.teams {
        if let Some((team, mut losses)) = team::team(row, now) {
            losses.extend(models.unknown(&team.models));
            converted.teams.push((team, losses));
        }
    }
    converted
}

/// A key whose team is unknown would be without the limits of the team.
fn mark_teamless(
    keys: &mut [(StoredKey, Vec<Loss>)],
    teams: &[(StoredTeam, Vec<Loss>)],
    stored: &StoredKeys,
) {
    let imported = teams.iter().map(|(team, _)| team.team_id.clone());
    let stored = stored.teams.iter().map(|team| team.team_id.clone());
    let known: BTreeSet<_> = imported.chain(stored).collect();
    for (key, losses) in keys {
        if key.team_id.as_ref().is_some_and(|team| !known.contains(team)) {
            let meaning = "a team that is missing here, with its models, budget and limits: add --teams";
            losses.push(Loss::protecting("team_id", meaning));
        }
    }
}

fn unprotected(losses: &losses::LossesByName, undecided: &[String]) -> KeysError {
    let table = table(losses, |setting, _| {
        match undecided.iter().any(|name| name == setting) {
            true => "protects",
            false => "no effect",
        }
    });
    let names = undecided.join(",");
    ImportError::Unprotected { table, names }.into()
}
