//! What keys and teams have spent before an Envoy served its first request, from the spend log. The
//! filter counts on from there, so a budget survives a restart.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use envoy_bedrock::contract::keys::{BudgetSettings, KeySettings, OpeningSettings, TokenSettings};
use envoy_bedrock::contract::settings::Settings;
use envoy_bedrock::limits::period::BudgetWindow;
use envoy_bedrock::pricing::PicoUsd;
use envoy_bedrock::time::UnixTime;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::row::{BorrowedText, amount};
use super::source::read_all;
use crate::environment::Environment;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// What was spent, by the hash of a key or the id of a team.
#[derive(Debug)]
pub(crate) struct PastSpend {
    /// Until when.
    until: UnixTime,
    /// Since when budgets count. No sum has what was spent before and after one of these times.
    starts: BTreeSet<u64>,
    keys: HashMap<String, SpendOverTime>,
    teams: HashMap<String, SpendOverTime>,
}

/// Sums by the start of the time that they are for: seconds for the last hour, minutes for the last
/// two days, and hours before that. So the size depends on the time, not on the number of requests.
type SpendOverTime = BTreeMap<u64, PicoUsd>;

/// The fields of a row that matter here.
#[derive(Deserialize)]
struct SpentFields<'a> {
    #[serde(borrow)]
    api_key: Option<BorrowedText<'a>>,
    #[serde(borrow)]
    team_id: Option<BorrowedText<'a>>,
    #[serde(borrow, rename = "endTime")]
    end_time: Option<BorrowedText<'a>>,
    #[serde(borrow)]
    spend: Option<&'a RawValue>,
}

impl PastSpend {
    /// Reads what was spent before `until` from the spend log `log` and its rotated files, as far
    /// as the budgets of `settings` need it. A torn line has no effect, and a log that does not
    /// exist has no rows.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn read(
        log: &Path,
        settings: &Settings,
        until: UnixTime,
    ) -> Result<Self, (PathBuf, io::Error)> {
        let mut past = Self::nothing(until);
        let starts = starts(settings, until);
        let Some(since) = starts.first().copied().filter(|_| !settings.keys.is_empty()) else {
            return Ok(past);
        };
        past.starts = starts;
        for path in files(log, since) {
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err((path, error)),
            };
            let mut add = |line: &[u8]| past.add(line, since).is_some();
            read_all(file, &mut add).map_err(|error| (path, error))?;
        }
        Ok(past)
    }

    /// Nothing is known.
    pub(crate) fn nothing(until: UnixTime) -> Self {
        Self {
            until,
            starts: BTreeSet::new(),
            keys: HashMap::new(),
            teams: HashMap::new(),
        }
    }

    /// Until when this is known.
    pub(crate) const fn until(&self) -> UnixTime {
        self.until
    }

    /// Whether this is known for as long a time as the budgets of `settings` need.
    pub(crate) fn covers(&self, settings: &Settings) -> bool {
        settings.keys.is_empty() || self.starts.is_superset(&starts(settings, self.until))
    }

    fn add(&mut self, line: &[u8], since: u64) -> Option<()> {
        let row: SpentFields<'_> = serde_json::from_slice(line).ok()?;
        let end_time = row.end_time?.0;
        let ended = UnixTime::parse_rfc3339(&end_time)?.seconds();
        // All rows have the same format, whose texts are in the order of the times.
        let is_past = *end_time < *self.until.rfc3339().as_str();
        let spend = row.spend.and_then(|number| amount(number.get()))?;
        if spend == PicoUsd::ZERO || ended < since || !is_past {
            return Some(());
        }
        let start = self.start_of_sum(ended);
        if let Some(key) = row.api_key {
            add_to(self.keys.entry(key.0.into_owned()).or_default(), start, spend);
        }
        if let Some(team) = row.team_id {
            add_to(self.teams.entry(team.0.into_owned()).or_default(), start, spend);
        }
        Some(())
    }

    /// Adds the opening balances to `settings`. Variables are those of `environment`.
    pub(crate) fn apply(&self, settings: &mut Settings, environment: &Environment) {
        for key in &mut settings.keys {
            let tokens = tokens(key, environment);
            let sums = tokens.iter().filter_map(|token| self.keys.get(token)).collect();
            self.open(&mut key.limits.budget, sums);
        }
        for team in &mut settings.teams {
            let sums = self.teams.get(&team.team_id).into_iter().collect();
            self.open(&mut team.limits.budget, sums);
        }
    }

    fn open(&self, budget: &mut Option<Box<BudgetSettings>>, sums: Vec<&SpendOverTime>) {
        let BudgetStart {
            window_start,
            imported,
            since,
        } = BudgetStart::of(budget.as_deref(), self.until);
        let spent = sums.into_iter().flat_map(|sums| sums.range(since..));
        let spend = spent.fold(imported, |sum, (_, spend)| sum.checked_add(*spend).unwrap_or(sum));
        let opening = (spend != PicoUsd::ZERO).then_some(OpeningSettings {
            window_start,
            as_of: self.until.seconds(),
            spend,
        });
        if opening.is_some() || budget.is_some() {
            budget.get_or_insert_default().opening = opening;
        }
    }

    /// The start of the time whose sum has what was spent at `time`.
    fn start_of_sum(&self, time: u64) -> u64 {
        let unit = match self.until.seconds().saturating_sub(time) {
            age if age < HOUR => 1,
            age if age < 2 * DAY => MINUTE,
            _ => HOUR,
        };
        let start = time - time % unit;
        let within = self.starts.range(start..=time).next_back();
        within.copied().unwrap_or(start)
    }
}

/// What a budget begins with.
struct BudgetStart {
    window_start: u64,
    /// What another gateway has counted in this window.
    imported: PicoUsd,
    /// Since when the rows of this gateway count.
    since: u64,
}

impl BudgetStart {
    fn of(budget: Option<&BudgetSettings>, now: UnixTime) -> Self {
        let window = budget.map_or(BudgetWindow::FOREVER, |budget| budget.window(now));
        let imported = budget.and_then(|budget| budget.opening);
        let imported = imported.filter(|opening| opening.window_start >= window.start);
        Self {
            window_start: window.start,
            imported: imported.map_or(PicoUsd::ZERO, |opening| opening.spend),
            since: imported.map_or(window.start, |opening| opening.as_of.max(window.start)),
        }
    }
}

fn add_to(sums: &mut SpendOverTime, start: u64, spend: PicoUsd) {
    let sum = sums.entry(start).or_default();
    *sum = sum.checked_add(spend).unwrap_or(*sum);
}

/// Since when the budgets of `settings` count, if it is `now`.
fn starts(settings: &Settings, now: UnixTime) -> BTreeSet<u64> {
    let of_keys = settings.keys.iter().map(|key| &key.limits.budget);
    let budgets = of_keys.chain(settings.teams.iter().map(|team| &team.limits.budget));
    let starts = budgets.map(|budget| BudgetStart::of(budget.as_deref(), now).since);
    starts.collect()
}

/// The hashes under which a key, and those that it has replaced, are in the spend log.
fn tokens(key: &KeySettings, environment: &Environment) -> Vec<String> {
    let own = match &key.token {
        TokenSettings::Sha256(digits) => Some(digits.clone()),
        TokenSettings::Variable(name) => {
            let value = environment.value(&name.0);
            value.map(|value| hex::encode(Sha256::digest(value.as_bytes())))
        }
    };
    let former = key.former.iter().map(|former| former.sha256.clone());
    own.into_iter().chain(former).collect()
}

/// The log and its rotated files, such as `spend.jsonl.1` and `spend.jsonl-20261126.gz`, if they
/// were written to at or after `since`.
fn files(log: &Path, since: u64) -> Vec<PathBuf> {
    let name = log.file_name().unwrap_or_default().as_encoded_bytes();
    let is_rotated = |other: &OsStr| {
        let rest = other.as_encoded_bytes().strip_prefix(name);
        rest.is_some_and(|rest| matches!(rest.first(), Some(b'.' | b'-')))
    };
    let folder = log.parent().filter(|folder| !folder.as_os_str().is_empty());
    let entries = fs::read_dir(folder.unwrap_or(Path::new(".")))
        .into_iter()
        .flatten();
    let rotated = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let written = entry
            .metadata()
            .ok()
            .filter(fs::Metadata::is_file)?
            .modified()
            .ok()?;
        (is_rotated(&entry.file_name()) && unix_time(written).seconds() >= since).then(|| entry.path())
    });
    let mut files: Vec<_> = rotated.collect();
    files.sort();
    files.push(log.to_owned());
    files
}

/// The time of a clock of the system.
pub(crate) fn unix_time(time: SystemTime) -> UnixTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    let nanoseconds = since.unwrap_or(Duration::ZERO).as_nanos();
    UnixTime::from_nanoseconds(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(budget: &str) -> Settings {
        let json = format!(
            r#"{{"master_key": "K", "attempts": 1, "body_limit_bytes": 1, "models": [], "keys": [
                {{"token": {{"sha256": "new"}}, "limits": {{"budget": {budget}}},
                  "former": [{{"sha256": "old", "valid_until": 1}}]}}],
                "teams": [{{"team_id": "red"}}]}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    fn row(key: &str, end: &str, spend: &str) -> String {
        format!(
            r#"{{"api_key":"{key}","team_id":"red","startTime":"{end}","endTime":"{end}","spend":{spend}}}"#
        )
    }

    fn until() -> UnixTime {
        UnixTime::parse_rfc3339("2026-11-26T12:30:30Z").unwrap()
    }

    fn opening(settings: &Settings) -> Option<(String, u64)> {
        let opening = settings.keys[0].limits.budget.as_ref()?.opening?;
        Some((opening.spend.to_string(), opening.window_start))
    }

    fn opened(budget: &str, folder: &Path) -> Settings {
        let mut settings = settings(budget);
        let past = PastSpend::read(&folder.join("spend.jsonl"), &settings, until()).unwrap();
        past.apply(&mut settings, &Environment::default());
        settings
    }

    #[test]
    fn the_rows_of_the_window_are_added_for_a_key_and_those_that_it_has_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let rows = [
            row("new", "2026-10-31T23:59:59.999Z", "100"),
            row("old", "2026-11-01T00:00:00.000Z", "1"),
            row("new", "2026-11-26T00:00:00.000Z", "0.5"),
            row("other", "2026-11-26T00:00:00.000Z", "7"),
            row("new", "2026-11-26T12:30:05.000Z", "0.25"),
            row("new", "2026-11-26T12:30:29.999Z", "null"),
            row("new", "2026-11-26T12:30:30.000Z", "40"),
        ];
        fs::write(folder.join("spend.jsonl.1"), rows[..3].join("\n") + "\n").unwrap();
        let log = rows[3..].join("\n") + "\nno row\n{\"api_key\":\"new\",\"spe";
        fs::write(folder.join("spend.jsonl"), log).unwrap();
        fs::write(
            folder.join("spend.jsonlx"),
            row("new", "2026-11-26T12:00:00.000Z", "9"),
        )
        .unwrap();
        let start = |text: &str| UnixTime::parse_rfc3339(text).unwrap().seconds();
        for (budget, spend, window) in [
            ("{}", "101.75", 0),
            (
                r#"{"budget_duration": "1mo"}"#,
                "1.75",
                start("2026-11-01T00:00:00Z"),
            ),
            (
                r#"{"budget_duration": "1d"}"#,
                "0.75",
                start("2026-11-26T00:00:00Z"),
            ),
            (r#"{"budget_duration": "30s"}"#, "0", 0),
            (
                r#"{"budget_duration": "1m"}"#,
                "0.25",
                start("2026-11-26T12:30:00Z"),
            ),
        ] {
            let expected = (spend != "0").then(|| (spend.to_owned(), window));
            let settings = opened(budget, folder);
            assert_eq!(opening(&settings), expected, "{budget}");
            let team = settings.teams[0].limits.budget.as_ref().unwrap().opening.unwrap();
            assert_eq!(team.spend.to_string(), "108.75");
        }
    }

    #[test]
    fn what_another_gateway_has_counted_is_continued_in_its_window() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let rows = [
            row("new", "2026-11-26T09:59:59.000Z", "1"),
            row("new", "2026-11-26T10:00:00.000Z", "0.5"),
        ];
        fs::write(folder.join("spend.jsonl"), rows.join("\n")).unwrap();
        let as_of = UnixTime::parse_rfc3339("2026-11-26T10:00:00Z").unwrap().seconds();
        let today = UnixTime::parse_rfc3339("2026-11-26T00:00:00Z").unwrap().seconds();
        let with = |window_start: u64| {
            format!(
                r#"{{"budget_duration": "1d",
                    "opening": {{"window_start": {window_start}, "as_of": {as_of}, "spend": "20"}}}}"#
            )
        };
        assert_eq!(opening(&opened(&with(today), folder)).unwrap().0, "20.5");
        assert_eq!(opening(&opened(&with(today - DAY), folder)).unwrap().0, "1.5");
    }

    #[test]
    fn a_window_that_begins_at_any_second_has_exactly_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let rows = [
            row("new", "2026-11-20T10:30:06.000Z", "1"),
            row("new", "2026-11-20T10:30:07.000Z", "0.5"),
            row("new", "2026-11-20T10:59:59.000Z", "0.25"),
            row("new", "2026-11-20T11:30:00.000Z", "0.125"),
        ];
        fs::write(folder.join("spend.jsonl"), rows.join("\n")).unwrap();
        let reset = UnixTime::parse_rfc3339("2026-11-20T10:30:07Z").unwrap().seconds();
        let budget = format!(r#"{{"budget_duration": "30d", "budget_reset_at": {reset}}}"#);
        assert_eq!(
            opening(&opened(&budget, folder)),
            Some(("0.875".to_owned(), reset))
        );
    }

    #[test]
    fn keys_that_come_after_teams_need_the_log() {
        let mut teams_only = settings("{}");
        teams_only.keys.clear();
        let past = PastSpend::read(Path::new("/nothing/spend.jsonl"), &teams_only, until()).unwrap();
        assert!(past.covers(&teams_only) && !past.covers(&settings("{}")));
    }

    #[test]
    fn without_a_log_there_is_no_opening_balance() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(opening(&opened("{}", folder.path())), None);
    }

    #[test]
    fn a_longer_window_must_be_read() {
        let (day, month) = (
            settings(r#"{"budget_duration": "1d"}"#),
            settings(r#"{"budget_duration": "1mo"}"#),
        );
        let mut without_team = day.clone();
        without_team.teams.clear();
        let log = Path::new("/nothing/spend.jsonl");
        let past = PastSpend::read(log, &without_team, until()).unwrap();
        assert!(past.covers(&without_team) && !past.covers(&month));
        assert!(!past.covers(&day), "the team's budget never ends");
    }
}
