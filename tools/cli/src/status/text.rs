//! The report as a table.

use std::fmt::Write;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use envoy_bedrock::time::UnixTime;

use super::report::{Activity, DeploymentLine, StatusReport};

/// How much of a deployment's id is shown: enough to tell them apart.
const ID_SHOWN_CHARS: usize = 8;

/// The table, at most `columns` wide if that is known. `now` is compared with cooldowns.
pub(super) fn table(report: &StatusReport, columns: Option<u16>, now: UnixTime) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(columns) = columns {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(columns);
    }
    let has_in_flight = report.deployments.iter().any(|line| line.in_flight.is_some());
    let mut header = Vec::from(["MODEL", "DEPLOYMENT", "REGION", "STATE"].map(Cell::new));
    header.extend(has_in_flight.then(|| right("IN FLIGHT")));
    header.extend(["REQ/S", "REQUESTS", "ERRORS", "COOLDOWNS", "TOKENS", "SPEND USD"].map(right));
    table.set_header(header);
    for line in &report.deployments {
        let names = [
            line.model_group.clone(),
            short(&line.model_id),
            line.region.clone(),
            state(line, now),
        ];
        let mut row = Vec::from(names.map(Cell::new));
        let in_flight = || {
            line.in_flight
                .map_or_else(|| "-".to_owned(), |count| count.to_string())
        };
        row.extend(has_in_flight.then(|| right(in_flight())));
        row.extend(sums(&line.activity));
        table.add_row(row);
    }
    let mut row = Vec::from(["TOTAL", "", "", ""].map(Cell::new));
    row.extend(has_in_flight.then(|| right("")));
    row.extend(sums(&report.total));
    table.add_row(row);
    let mut out: String = table
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    if let Some(note) = &report.note {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "\nnote: the state of the deployments is not known: {note}");
    }
    out
}

fn sums(activity: &Activity) -> [Cell; 6] {
    let sums = &activity.sums;
    [
        right(format!("{:.1}", activity.requests_per_second)),
        right(sums.requests),
        right(sums.errors),
        right(sums.cooldowns),
        right(sums.tokens),
        right(format!("{:.4}", sums.spend)),
    ]
}

fn state(line: &DeploymentLine, now: UnixTime) -> String {
    let Some(state) = &line.state else {
        return "-".to_owned();
    };
    let cause = match line.last_status {
        Some(0) => "no response".to_owned(),
        Some(status) => status.to_string(),
        None => String::new(),
    };
    match (state.as_str(), line.cooldown_seconds(now)) {
        ("cooling", Some(seconds)) => format!("cooling {seconds} s ({cause})"),
        (other, _) => other.replace('_', " "),
    }
}

fn short(id: &str) -> String {
    match id.char_indices().nth(ID_SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &id[..end]),
        None => id.to_owned(),
    }
}

fn right(content: impl ToString) -> Cell {
    Cell::new(content).set_alignment(CellAlignment::Right)
}
