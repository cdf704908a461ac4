//! The report for people. Colours are always in it; the stream takes them out where there is no terminal.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::report::{Credentials, Deployment, Meaning, Price, Report};
use crate::prices::per_million;

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const HEADING: Style = Style::new().bold();

/// The text, at most `width` columns wide where that is known.
pub(crate) fn render(report: &Report, width: Option<u16>) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = match &report.meaning {
        Some(meaning) => valid(&mut out, &report.file, meaning, width),
        None => invalid(&mut out, report),
    };
    out
}

fn invalid(out: &mut String, report: &Report) -> std::fmt::Result {
    for error in &report.errors {
        write!(out, "{BAD}error{BAD:#}: {}", error.file)?;
        if let Some(line) = error.line {
            write!(out, ":{line}")?;
        }
        if !error.path.is_empty() {
            write!(out, ": {}", error.path)?;
        }
        writeln!(out, ": {}", error.message)?;
    }
    let count = counted(report.errors.len(), "error");
    writeln!(out, "{}: {BAD}not valid{BAD:#}, {count}", report.file)
}

fn valid(out: &mut String, file: &str, meaning: &Meaning, width: Option<u16>) -> std::fmt::Result {
    let deployments = meaning.models.iter().map(|model| model.deployments.len()).sum();
    let counts = [
        counted(meaning.models.len(), "model"),
        counted(deployments, "deployment"),
        counted(meaning.endpoints.len(), "endpoint"),
    ];
    writeln!(out, "{file}: {GOOD}valid{GOOD:#}, {}\n", counts.join(", "))?;
    for row in table(meaning, width).lines() {
        writeln!(out, "{}", row.trim_end())?;
    }
    writeln!(out)?;
    line(
        out,
        "attempts",
        &format!("up to {} for a request", meaning.attempts),
    )?;
    line(
        out,
        "time limit",
        &format!("{} s", meaning.request_timeout_seconds),
    )?;
    line(
        out,
        "largest body",
        &format!("{} bytes", meaning.body_limit_bytes),
    )?;
    line(out, "clients' key", &format!("in {}", meaning.master_key))?;
    if !meaning.moved_secrets.is_empty() {
        line(out, "moved secrets", &meaning.moved_secrets.join(", "))?;
    }
    if !meaning.missing_secrets.is_empty() {
        line(out, "not set", &meaning.missing_secrets.join(", "))?;
    }
    if !meaning.notes.is_empty() {
        writeln!(out, "\n{HEADING}notes{HEADING:#}")?;
    }
    for note in &meaning.notes {
        writeln!(out, "  {note}")?;
    }
    Ok(())
}

fn table(meaning: &Meaning, width: Option<u16>) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = width {
        table.set_width(width);
    }
    table.set_header([
        "MODEL",
        "ORDER",
        "SHARE",
        "REGION",
        "BEDROCK MODEL",
        "SENT TO",
        "USD/M IN, OUT",
        "CREDENTIALS",
    ]);
    for model in &meaning.models {
        let mut name = model.name.clone();
        for alias in &model.aliases {
            let _ = write!(name, "\n= {alias}");
        }
        for deployment in &model.deployments {
            table.add_row([
                Cell::new(std::mem::take(&mut name)),
                Cell::new(deployment.order).set_alignment(CellAlignment::Right),
                Cell::new(share(deployment)).set_alignment(CellAlignment::Right),
                Cell::new(&deployment.region),
                Cell::new(&deployment.model),
                Cell::new(&deployment.url),
                Cell::new(price(&deployment.price)),
                Cell::new(credentials(&deployment.credentials)),
            ]);
        }
    }
    table
}

fn share(deployment: &Deployment) -> String {
    match deployment.weight {
        0 => "standby".to_owned(),
        _ => format!("{} %", deployment.share_percent),
    }
}

/// USD per million tokens of the prompt and of the answer.
fn price(price: &Price) -> String {
    let shown = |rate| per_million(rate).to_string();
    match price {
        Price::Known { rates, .. } => {
            let [input, output] =
                [rates.base.input, rates.base.output].map(|rate| rate.map_or("0".to_owned(), shown));
            format!("{input}, {output}")
        }
        Price::ByModel => "by model".to_owned(),
        Price::Unknown => "unknown".to_owned(),
    }
}

fn credentials(credentials: &Credentials) -> String {
    match credentials {
        Credentials::Bearer { api_key } => format!("API key in {api_key}"),
        Credentials::Sigv4 {
            access_key_id,
            secret_access_key,
            session_token,
        } => {
            let names = [
                Some(access_key_id),
                Some(secret_access_key),
                session_token.as_ref(),
            ];
            names
                .into_iter()
                .flatten()
                .cloned()
                .collect::<Vec<_>>()
                .join("\n")
        }
    }
}

fn line(out: &mut String, name: &str, value: &str) -> std::fmt::Result {
    writeln!(out, "{HEADING}{name:<13}{HEADING:#} {value}")
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
