//! The sums as JSON and as CSV.

use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::summary::{SpendGroup, SpendSummary};
use super::totals::{COLUMNS, Sum, Totals};
use crate::json::{number, pretty};

/// Label of the groups beyond the limit.
pub(super) const OTHERS: &str = "(others)";

/// The groups, followed by one group for all beyond the limit.
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

#[derive(serde::Serialize)]
struct Json {
    by: Vec<&'static str>,
    groups: Vec<GroupJson>,
    total: TotalsJson,
    /// Lines that are not rows.
    foreign_lines: u64,
    /// Files with an incomplete end.
    torn_files: u64,
}

#[derive(serde::Serialize)]
struct GroupJson {
    group: BTreeMap<&'static str, Option<String>>,
    #[serde(flatten)]
    totals: TotalsJson,
}

/// The sums as members of an object.
struct TotalsJson(Totals);

impl Serialize for TotalsJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(COLUMNS.len()))?;
        for column in COLUMNS {
            match (column.sum)(&self.0) {
                Sum::Count(count) => map.serialize_entry(column.name, &count)?,
                Sum::Cost(cost) => map.serialize_entry(column.name, &cost.map(number))?,
            }
        }
        map.end()
    }
}

/// One object. Amounts are numbers with all their decimals.
pub(super) fn json(summary: &SpendSummary, foreign_lines: u64, torn_files: u64) -> String {
    let names: Vec<&str> = summary.by().iter().map(|by| by.name()).collect();
    let groups = all_groups(summary).into_iter().map(|group| GroupJson {
        group: names.iter().copied().zip(group.labels).collect(),
        totals: TotalsJson(group.totals),
    });
    let json = Json {
        groups: groups.collect(),
        by: names.clone(),
        total: TotalsJson(*summary.total()),
        foreign_lines,
        torn_files,
    };
    pretty(&json)
}

/// A heading and one line per group (RFC 4180, but with LF line breaks). There is no total, so that
/// columns can be added up. Clients choose some labels, so no label may be a formula.
pub(super) fn csv(summary: &SpendSummary) -> String {
    let names = summary.by().iter().map(|by| by.name());
    let mut out = names
        .chain(COLUMNS.iter().map(|column| column.name))
        .collect::<Vec<_>>()
        .join(",")
        + "\n";
    for group in all_groups(summary) {
        let labels = group
            .labels
            .into_iter()
            .map(|label| quoted(inert(label.unwrap_or_default())));
        out += &labels
            .chain(COLUMNS.iter().map(|column| shown(&(column.sum)(&group.totals))))
            .collect::<Vec<_>>()
            .join(",");
        out.push('\n');
    }
    out
}

/// Puts an apostrophe before a label that a spreadsheet would run: OWASP's list of first characters
/// ("CSV Injection").
fn inert(label: String) -> String {
    if label.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        format!("'{label}")
    } else {
        label
    }
}

/// An unknown cost is empty.
fn shown(sum: &Sum) -> String {
    match sum {
        Sum::Count(count) => count.to_string(),
        Sum::Cost(cost) => cost.map_or_else(String::new, |cost| cost.to_string()),
    }
}

fn quoted(label: String) -> String {
    if label.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", label.replace('"', "\"\""))
    } else {
        label
    }
}
