//! What an import prints.

use std::path::Path;

use comfy_table::{Table, presets};
use serde_json::{Value, json};

use super::losses::{LossOwners, LossesByName};
use super::merge::{MergeCounts, Merged};
use super::unprotected::Decisions;
use crate::keys::output::{json_text, trimmed};

/// Most names of keys or teams that a line of the text has.
const NAMES_MAX: usize = 3;

/// What an import has done, or would do.
pub(super) struct ImportReport<'a> {
    pub(super) path: &'a Path,
    pub(super) dry_run: bool,
    pub(super) merged: Merged,
    pub(super) losses: LossesByName,
    /// Keys and teams that are blocked because they would lose a protection.
    pub(super) blocked: usize,
    /// Keys for sessions in LiteLLM's dashboard.
    pub(super) sessions: usize,
    /// Rows with a token that no client can have.
    pub(super) without_token: usize,
    /// Keys that are in the configuration itself.
    pub(super) configured: usize,
}

impl ImportReport<'_> {
    /// The report as text or JSON.
    pub(super) fn shown(&self, decisions: &Decisions, is_json: bool) -> String {
        if is_json {
            json_text(&self.json())
        } else {
            self.text(decisions)
        }
    }

    fn json(&self) -> Value {
        let losses = self.losses.iter().map(|(setting, owners)| {
            let LossOwners {
                meaning,
                protects,
                keys,
                teams,
            } = owners;
            json!({"setting": setting, "meaning": meaning, "protects": protects, "keys": keys, "teams": teams})
        });
        json!({
            "keys_file": self.path,
            "dry_run": self.dry_run,
            "keys": self.merged.keys,
            "teams": self.merged.teams,
            "blocked_unprotected": self.blocked,
            "renamed": self.merged.renamed,
            "skipped": {
                "dashboard_sessions": self.sessions,
                "without_token": self.without_token,
                "rotated_here": self.merged.rotated,
                "in_configuration": self.configured,
            },
            "without_equal": losses.collect::<Vec<_>>(),
        })
    }

    fn text(&self, decisions: &Decisions) -> String {
        let verb = if self.dry_run { "would import" } else { "imported" };
        let mut text = format!("{verb} into {}\n", self.path.display());
        text += &counted("keys", &self.merged.keys);
        text += &counted("teams", &self.merged.teams);
        let lines = [
            (self.blocked, "blocked, because a protection has no equal here"),
            (self.sessions, "left out: sessions of LiteLLM's dashboard"),
            (
                self.without_token,
                "left out: no client can have a key with this token",
            ),
            (self.merged.rotated, "left as they are: they were rotated here"),
            (self.configured, "left out: they are in the configuration itself"),
        ];
        for (count, what) in lines.into_iter().filter(|(count, _)| *count > 0) {
            text += &format!("  {count} {what}\n");
        }
        if !self.merged.renamed.is_empty() {
            let names = self.merged.renamed.iter().map(|name| printable(name));
            let names = names.collect::<Vec<_>>().join(", ");
            text += &format!("  renamed, because another key has the alias: {names}\n");
        }
        if !self.losses.is_empty() {
            text += "\nwithout an equal here:\n\n";
            text += &table(&self.losses, |setting, owners| {
                match (owners.protects, decisions.accepts(setting)) {
                    (false, _) => "no effect",
                    (true, true) => "no effect, accepted",
                    (true, false) => "blocked",
                }
            });
        }
        text
    }
}

/// The settings without an equal, with what happens to each.
pub(super) fn table(losses: &LossesByName, outcome: impl Fn(&str, &LossOwners) -> &'static str) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["SETTING", "IN LITELLM", "HERE", "KEYS", "TEAMS", "WHOSE"]);
    for (setting, owners) in losses {
        table.add_row([
            printable(setting),
            owners.meaning.to_owned(),
            outcome(setting, owners).to_owned(),
            owners.keys.len().to_string(),
            owners.teams.len().to_string(),
            names(owners),
        ]);
    }
    trimmed(&table)
}

/// The first names, and how many there are besides.
fn names(owners: &LossOwners) -> String {
    let all = owners.keys.iter().chain(&owners.teams);
    let count = owners.keys.len() + owners.teams.len();
    // A token is long, and 16 digits are enough to name a key.
    let shorter = |name: &String| match name.len() {
        64 => name.chars().take(16).collect(),
        _ => printable(name),
    };
    let mut first = all.take(NAMES_MAX).map(shorter).collect::<Vec<_>>().join(", ");
    if count > NAMES_MAX {
        first += &format!(" and {} more", count - NAMES_MAX);
    }
    first
}

/// LiteLLM's users choose names. They do not control this terminal.
fn printable(name: &str) -> String {
    name.replace(char::is_control, "\u{fffd}")
}

fn counted(what: &str, counts: &MergeCounts) -> String {
    let MergeCounts {
        new,
        updated,
        unchanged,
    } = counts;
    format!("  {what}: {new} new, {updated} updated, {unchanged} unchanged\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_few_printable_names_and_the_number_of_the_others() {
        let keys = ["app\u{1b}[31m", &"ab".repeat(32), "c", "d", "e"].map(str::to_owned);
        let owners = LossOwners {
            meaning: "a limit",
            protects: true,
            keys: keys.to_vec(),
            teams: vec!["t".to_owned()],
        };
        let table = table(&[("tpd_limit".to_owned(), owners)].into(), |_, _| "blocked");
        let line = table.lines().nth(1).unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words[..6], ["tpd_limit", "a", "limit", "blocked", "5", "1"]);
        assert_eq!(
            words[6..].join(" "),
            "app\u{fffd}[31m, abababababababab, c and 3 more"
        );
    }
}
