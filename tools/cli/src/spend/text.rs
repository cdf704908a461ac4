//! The sums as a table.

use std::fmt::Write;

use anstyle::Style;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use envoy_bedrock::pricing::PicoUsd;

use super::report::all_groups;
use super::summary::SpendSummary;
use super::totals::{COLUMNS, Sum, Totals};

const HEADING: Style = Style::new().bold();
/// Cells of a full bar.
const BAR_CELLS: u128 = 20;
/// Eighths of a cell.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
/// Longest label that is shown in full.
const LABEL_MAX_CHARS: usize = 64;
/// Length of a key's hash, which labels keys without an alias, and how much of it is shown: enough
/// to tell keys apart. JSON and CSV have the whole hash.
const HASH_CHARS: usize = 64;
const HASH_SHOWN_CHARS: usize = 12;

/// A table. With the width of a terminal it has bars and fits the terminal.
pub(super) fn table(summary: &SpendSummary, columns: Option<u16>) -> String {
    let total = summary.total();
    let groups = all_groups(summary);
    // A sum needs no more decimals than its parts.
    let decimals = groups
        .iter()
        .map(|group| decimals(group.totals.spend))
        .max()
        .unwrap_or(0);
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(columns) = columns {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(columns);
    }
    table.set_header(headings(summary));
    let numbers = |totals: &Totals| {
        let cell = |sum: Sum| match sum {
            Sum::Count(count) => right(count),
            Sum::Cost(Some(cost)) => right(format!("{cost:.decimals$}")),
            Sum::Cost(None) => right("unknown"),
        };
        COLUMNS
            .iter()
            .map(|column| cell((column.sum)(totals)))
            .collect::<Vec<_>>()
    };
    let mut above: Vec<Option<String>> = Vec::new();
    for group in &groups {
        let same = group
            .labels
            .iter()
            .zip(&above)
            .take_while(|(a, b)| a == b)
            .count();
        let labels = group.labels.iter().enumerate().map(|(level, label)| {
            if level < same {
                String::new()
            } else {
                shown(label.as_deref())
            }
        });
        let mut row: Vec<Cell> = labels.map(Cell::new).chain(numbers(&group.totals)).collect();
        let share = group.totals.known_spend();
        let share = share.map_or_else(String::new, |spend| percent(spend, total.spend));
        row.push(right(share));
        if columns.is_some() {
            row.push(Cell::new(bar(group.totals.spend, total.spend)));
        }
        table.add_row(row);
        above.clone_from(&group.labels);
    }
    let mut names = vec![String::new(); summary.by().len()];
    if let Some(first) = names.first_mut() {
        *first = "TOTAL".to_owned();
    }
    table.add_row(names.into_iter().map(Cell::new).chain(numbers(total)));
    let mut out: String = table
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    if total.unknown_spend > 0 {
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "\n{HEADING}note{HEADING:#}: the cost of {} of these requests is unknown and not included",
            total.unknown_spend
        );
    }
    out
}

fn headings(summary: &SpendSummary) -> Vec<Cell> {
    let names = summary
        .by()
        .iter()
        .map(|by| Cell::new(by.name().to_uppercase().replace('_', " ")));
    let sums = COLUMNS.iter().map(|column| right(column.heading));
    names.chain(sums).chain([right("SHARE")]).collect()
}

fn right(content: impl ToString) -> Cell {
    Cell::new(content).set_alignment(CellAlignment::Right)
}

/// A label that is safe for a terminal: clients choose some of them.
fn shown(label: Option<&str>) -> String {
    let Some(label) = label else {
        return "-".to_owned();
    };
    if label.len() == HASH_CHARS && label.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return format!("{}…", &label[..HASH_SHOWN_CHARS]);
    }
    let mut shown = String::new();
    for (count, char) in label.chars().enumerate() {
        if count == LABEL_MAX_CHARS {
            shown.push('…');
            break;
        }
        // Formatting characters can reverse the direction of the following text.
        if char.is_control()
            || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            shown.extend(char.escape_unicode());
        } else {
            shown.push(char);
        }
    }
    shown
}

/// The number of decimals that shows `amount` exactly.
fn decimals(amount: PicoUsd) -> usize {
    let shown = amount.to_string();
    shown.split_once('.').map_or(0, |(_, fraction)| fraction.len())
}

/// A percentage rounded to one decimal; empty if the whole is zero.
fn percent(part: PicoUsd, whole: PicoUsd) -> String {
    match ratio(part, whole, 2000) {
        Some(halves) => {
            let tenths = halves.div_ceil(2);
            format!("{}.{} %", tenths / 10, tenths % 10)
        }
        None => String::new(),
    }
}

fn bar(part: PicoUsd, whole: PicoUsd) -> String {
    let eighths = ratio(part, whole, BAR_CELLS * 8).unwrap_or(0);
    let full = usize::try_from(eighths / 8).unwrap_or(0);
    let rest = usize::try_from(eighths % 8).unwrap_or(0);
    "█".repeat(full) + EIGHTHS[rest]
}

/// `part` / `whole` in units of 1 / `units`, rounded down.
fn ratio(part: PicoUsd, whole: PicoUsd, units: u128) -> Option<u128> {
    match part.pico().checked_mul(units) {
        Some(scaled) => scaled.checked_div(whole.pico()),
        // An unrealistic amount, for which the last digits do not matter.
        None => part.pico().checked_div(whole.pico() / units),
    }
}
