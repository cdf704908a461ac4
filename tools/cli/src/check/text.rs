//! The report as text. It always contains colours; the stream removes them if it is not a terminal.

use std::collections::HashMap;
use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::report::{CheckReport, CredentialReport, DeploymentReport, Meaning, PriceReport};
use crate::litellm::{Note, error_lines, note_lines};
use crate::prices::per_million;

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
/// Width of notes if the width of the terminal is unknown.
const REMARK_COLUMNS: usize = 120;
const HEADING: Style = Style::new().bold();

/// The text, at most `width` columns wide if that is known.
pub(crate) fn render(report: &CheckReport, width: Option<u16>) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = match &report.meaning {
        Some(meaning) => valid(&mut out, &report.file, meaning, width),
        None => invalid(&mut out, report),
    };
    out
}

fn invalid(out: &mut String, report: &CheckReport) -> std::fmt::Result {
    for error in error_lines(&report.faults) {
        writeln!(out, "{BAD}error{BAD:#}: {error}")?;
    }
    let count = counted(report.errors.len(), "error");
    writeln!(out, "{}: {BAD}not valid{BAD:#}, {count}", report.file)?;
    for remedy in &report.remedies {
        writeln!(out, "{remedy}")?;
    }
    Ok(())
}

fn valid(out: &mut String, file: &str, meaning: &Meaning, width: Option<u16>) -> std::fmt::Result {
    let deployments = meaning.deployments().count();
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
    let limits = format!(
        "up to {}, {} s for a request, {} bytes for its body",
        counted(usize::try_from(meaning.attempts).unwrap_or(usize::MAX), "attempt"),
        meaning.request_timeout_seconds,
        meaning.body_limit_bytes
    );
    line(out, "limits", &limits)?;
    line(out, "proxy key", &format!("in {}", meaning.master_key))?;
    if let Some(names) = shared_credentials(meaning) {
        line(out, "credentials", &names.join(", "))?;
    }
    for (guardrail, models) in guardrails(meaning) {
        let models = models.join(", ");
        line(out, "guardrail", &format!("{guardrail} for {models}"))?;
    }
    if !meaning.moved_secrets.is_empty() {
        line(out, "moved secrets", &meaning.moved_secrets.join(", "))?;
    }
    if !meaning.missing_secrets.is_empty() {
        line(out, "not set", &meaning.missing_secrets.join(", "))?;
    }
    remarks(out, &meaning.remarks, width)
}

/// The notes under the headings of their classes.
fn remarks(out: &mut String, notes: &[Note], width: Option<u16>) -> std::fmt::Result {
    let width = width.map_or(REMARK_COLUMNS, usize::from);
    let mut heading = None;
    for (class, line) in note_lines(notes) {
        if heading != Some(class) {
            heading = Some(class);
            writeln!(out, "\n{HEADING}{}{HEADING:#}", class.heading())?;
        }
        writeln!(out, "{}", wrapped(&line, width))?;
    }
    Ok(())
}

/// `text` with an indentation, wrapped into further lines with a deeper one. A word longer than a
/// line is not split.
fn wrapped(text: &str, width: usize) -> String {
    let mut lines = vec!["  ".to_owned()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { continue };
        if line.trim().is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(format!("      {word}"));
        }
    }
    lines.join("\n")
}

fn table(meaning: &Meaning, width: Option<u16>) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = width {
        table.set_width(width);
    }
    let has_orders = meaning.deployments().any(|deployment| deployment.order != 0);
    let has_addresses = meaning.deployments().any(|deployment| !is_regional(deployment));
    let has_credentials = shared_credentials(meaning).is_none();
    let mut header = vec!["MODEL"];
    header.extend(has_orders.then_some("ORDER"));
    header.extend(["SHARE", "REGION", "BEDROCK MODEL"]);
    header.extend(has_addresses.then_some("SENT TO"));
    header.push("USD/M IN, OUT");
    header.extend(has_credentials.then_some("CREDENTIALS"));
    table.set_header(header);
    for model in &meaning.models {
        let mut name = model.name.clone();
        for alias in &model.aliases {
            let _ = write!(name, "\n= {alias}");
        }
        for (deployment, count) in alike(&model.deployments) {
            let right = |cell: Cell| cell.set_alignment(CellAlignment::Right);
            let mut row = vec![Cell::new(std::mem::take(&mut name))];
            row.extend(has_orders.then(|| right(Cell::new(deployment.order))));
            let times = if count > 1 {
                format!("{count} × ")
            } else {
                String::new()
            };
            row.push(right(Cell::new(times + &share(deployment))));
            row.push(Cell::new(&deployment.region));
            row.push(Cell::new(&deployment.model));
            row.extend(has_addresses.then(|| Cell::new(&deployment.url)));
            row.push(Cell::new(price(&deployment.price)));
            row.extend(has_credentials.then(|| Cell::new(credentials(&deployment.credentials).join("\n"))));
            table.add_row(row);
        }
    }
    table
}

/// Deployments that look different in the table, in the order of the file, each with the number
/// that look like it.
fn alike(deployments: &[DeploymentReport]) -> Vec<(&DeploymentReport, usize)> {
    let look = |of: &DeploymentReport| {
        (
            of.order,
            share(of),
            of.region.clone(),
            of.model.clone(),
            of.url.clone(),
            price(&of.price),
            credentials(&of.credentials),
        )
    };
    let mut positions = HashMap::new();
    let mut all: Vec<(&DeploymentReport, usize)> = Vec::new();
    for deployment in deployments {
        let position = *positions.entry(look(deployment)).or_insert(all.len());
        match all.get_mut(position) {
            Some((_, count)) => *count += 1,
            None => all.push((deployment, 1)),
        }
    }
    all
}

/// Whether requests go to AWS's host of the region, which need not be shown.
fn is_regional(deployment: &DeploymentReport) -> bool {
    let has_path = deployment
        .url
        .split("://")
        .nth(1)
        .is_some_and(|rest| rest.contains('/'));
    deployment.cluster == deployment.region && !has_path
}

/// The credentials, if all deployments have the same.
fn shared_credentials(meaning: &Meaning) -> Option<Vec<String>> {
    let mut all = meaning.deployments();
    let first = credentials(&all.next()?.credentials);
    all.all(|deployment| credentials(&deployment.credentials) == first)
        .then_some(first)
}

/// Each guardrail with its model groups, in the order of the file.
fn guardrails(meaning: &Meaning) -> Vec<(String, Vec<&str>)> {
    let mut all: Vec<(String, Vec<&str>)> = Vec::new();
    for model in &meaning.models {
        let Some(guardrail) = &model.guardrail else {
            continue;
        };
        let text = format!("{} version {}", guardrail.identifier, guardrail.version);
        match all.iter_mut().find(|(known, _)| *known == text) {
            Some((_, models)) => models.push(&model.name),
            None => all.push((text, vec![&model.name])),
        }
    }
    all
}

fn share(deployment: &DeploymentReport) -> String {
    match deployment.weight {
        0 => "backup".to_owned(),
        _ => format!("{} %", deployment.share_percent),
    }
}

/// USD per million tokens of the prompt and of the response.
fn price(price: &PriceReport) -> String {
    let shown = |rate| per_million(rate).to_string();
    match price {
        PriceReport::Known { rates, .. } => {
            let [input, output] =
                [rates.base.input, rates.base.output].map(|rate| rate.map_or("?".to_owned(), shown));
            format!("{input}, {output}")
        }
        PriceReport::ByModel => "by model".to_owned(),
        PriceReport::Unknown => "unknown".to_owned(),
    }
}

fn credentials(credentials: &CredentialReport) -> Vec<String> {
    match credentials {
        CredentialReport::Bearer { api_key } => vec![format!("API key in {api_key}")],
        CredentialReport::Brokered { source, bearer, .. } => {
            let bearer = bearer.then(|| "short-term API keys".to_owned());
            std::iter::once(source.clone()).chain(bearer).collect()
        }
        CredentialReport::Sigv4 {
            access_key_id,
            secret_access_key,
            session_token,
        } => {
            let names = [
                Some(access_key_id),
                Some(secret_access_key),
                session_token.as_ref(),
            ];
            names.into_iter().flatten().cloned().collect()
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
