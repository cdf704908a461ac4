//! The sums as JSON and as CSV.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::summary::{SpendGroup, SpendSummary};
use super::totals::Totals;
use crate::prices::number;

/// Names of the sums, in the order of [`values`].
pub(super) const COLUMNS: [&str; 9] = [
    "requests",
    "failures",
    "prompt_tokens",
    "completion_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "spend",
    "unknown_spend",
    "estimated",
];

/// Label of the groups beyond the limit.
pub(super) const OTHERS: &str = "(others)";

pub(super) fn values(totals: &Totals) -> [String; 9] {
    [
        totals.requests.to_string(),
        totals.failures.to_string(),
        totals.prompt_tokens.to_string(),
        totals.completion_tokens.to_string(),
        totals.cache_read_input_tokens.to_string(),
        totals.cache_creation_input_tokens.to_string(),
        totals
            .known_spend()
            .map_or_else(String::new, |spend| spend.to_string()),
        totals.unknown_spend.to_string(),
        totals.estimated.to_string(),
    ]
}

/// The groups, and behind them those beyond the limit as one.
pub(super) fn all_groups(summary: &SpendSummary) -> Vec<SpendGroup> {
    let mut groups = summary.groups();
    if let Some(totals) = summary.others() {
        groups.push(SpendGroup {
            labels: vec![Some(OTHERS.to_owned()); summary.by().len()],
            totals: *totals,
        });
    }
    groups
}

#[derive(Serialize)]
struct Json {
    by: Vec<&'static str>,
    groups: Vec<GroupJson>,
    total: TotalsJson,
    /// Lines that are no rows.
    foreign_lines: u64,
    /// Files whose end is torn.
    torn_files: u64,
}

#[derive(Serialize)]
struct GroupJson {
    group: BTreeMap<&'static str, Option<String>>,
    #[serde(flatten)]
    totals: TotalsJson,
}

#[derive(Serialize)]
struct TotalsJson {
    requests: u64,
    failures: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    cache_read_input_tokens: u64,
    cache_creation_input_tokens: u64,
    /// Null if none of it is known.
    spend: Option<Box<RawValue>>,
    unknown_spend: u64,
    estimated: u64,
}

impl TotalsJson {
    fn of(totals: &Totals) -> Self {
        Self {
            requests: totals.requests,
            failures: totals.failures,
            prompt_tokens: totals.prompt_tokens,
            completion_tokens: totals.completion_tokens,
            cache_read_input_tokens: totals.cache_read_input_tokens,
            cache_creation_input_tokens: totals.cache_creation_input_tokens,
            spend: totals.known_spend().map(number),
            unknown_spend: totals.unknown_spend,
            estimated: totals.estimated,
        }
    }
}

/// One object. The amounts are numbers with all their decimals.
pub(super) fn json(summary: &SpendSummary, foreign_lines: u64, torn_files: u64) -> String {
    let names: Vec<&str> = summary.by().iter().map(|by| by.name()).collect();
    let groups = all_groups(summary).into_iter().map(|group| GroupJson {
        group: names.iter().copied().zip(group.labels).collect(),
        totals: TotalsJson::of(&group.totals),
    });
    let json = Json {
        groups: groups.collect(),
        by: names.clone(),
        total: TotalsJson::of(summary.total()),
        foreign_lines,
        torn_files,
    };
    serde_json::to_string_pretty(&json).expect("strings and numbers are JSON") + "\n"
}

/// A heading and a line for each group (RFC 4180, with plain line breaks); no total, so that columns can be added up.
/// Clients choose some labels, so none of them is left to be a formula.
pub(super) fn csv(summary: &SpendSummary) -> String {
    let names = summary.by().iter().map(|by| by.name());
    let mut out = names.chain(COLUMNS).collect::<Vec<_>>().join(",") + "\n";
    for group in all_groups(summary) {
        let labels = group
            .labels
            .into_iter()
            .map(|label| quoted(inert(label.unwrap_or_default())));
        out += &labels.chain(values(&group.totals)).collect::<Vec<_>>().join(",");
        out.push('\n');
    }
    out
}

/// With an apostrophe in front of what a spreadsheet would run: OWASP's list of first characters ("CSV Injection").
fn inert(label: String) -> String {
    if label.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        format!("'{label}")
    } else {
        label
    }
}

fn quoted(label: String) -> String {
    if label.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", label.replace('"', "\"\""))
    } else {
        label
    }
}
