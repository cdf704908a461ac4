//! `envoy-bedrock spend`: the arguments, and where the result goes.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::by::By;
use super::summary::{GROUPS_MAX, SpendSummary};
use super::window::{UtcTime, Window};
use super::{report, source, text};

/// Add up spend logs: what each key, model, region, day or tag cost.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  envoy-bedrock spend spend.jsonl
  envoy-bedrock spend --by day --by model --since 2026-11-01 --until 2026-12-01 spend.jsonl spend.1.jsonl.gz
  docker compose logs --no-log-prefix envoy | envoy-bedrock spend --by tag --csv -

Groups always sum to the total, so a request with several tags is in the group of all of them together; --tag picks
the requests that have one. Amounts are exact USD. UNKNOWN counts requests whose cost is not known, and which are not in
the sums; ESTIMATED those whose tokens were estimated, as the client or the upstream went away before they were told.

Lines that are no rows of the spend log are counted on standard error, and are no failure.

Exit codes: 0 added up, 1 a file cannot be read, 2 wrong usage.")]
pub struct SpendArguments {
    /// Spend logs, gzipped or not; '-' for standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// What to group by; repeated, groups within groups.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "key")]
    by: Vec<By>,
    /// Only requests that began at this date or time (UTC unless it says otherwise) or later.
    #[arg(long, value_name = "TIME")]
    since: Option<UtcTime>,
    /// Only requests that began before this date or time.
    #[arg(long, value_name = "TIME")]
    until: Option<UtcTime>,
    /// Only requests that have this tag.
    #[arg(long)]
    tag: Option<String>,
    /// Print one JSON object instead of a table. Later versions only add keys to it.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print comma-separated values, a line for each group and no total. Labels that a spreadsheet would take for a formula
    /// (they begin with = + - @, a tab or a line break) get an apostrophe in front.
    #[arg(long)]
    csv: bool,
}

/// Runs the command; the exit codes are those of its help.
pub fn run(arguments: &SpendArguments) -> ExitCode {
    match summed(arguments) {
        Ok(output) => {
            print(&output, arguments);
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(anstream::stderr(), "error: {error}");
            ExitCode::from(1)
        }
    }
}

/// A reader that has seen enough (`| head`) is no failure.
fn print(output: &str, arguments: &SpendArguments) {
    let _ = if !arguments.json && !arguments.csv {
        anstream::stdout().write_all(output.as_bytes())
    } else if std::io::stdout().is_terminal() {
        // Clients choose some labels: none of them may steer the terminal.
        let steers = |char: char| char.is_control() && char != '\n';
        std::io::stdout().write_all(output.replace(steers, "\u{fffd}").as_bytes())
    } else {
        std::io::stdout().write_all(output.as_bytes())
    };
}

fn summed(arguments: &SpendArguments) -> Result<String, String> {
    let window = Window {
        since: arguments.since,
        until: arguments.until,
    };
    let mut summary = SpendSummary::new(&arguments.by, window, arguments.tag.as_deref());
    let files: Vec<&Path> = arguments.files.iter().map(PathBuf::as_path).collect();
    let bar = source::bar(&files);
    let (mut notes, mut foreign, mut torn) = (Vec::new(), 0, 0);
    for file in files {
        let name = source::name(file);
        let skipped = source::add(file, &bar, &mut summary).map_err(|error| {
            bar.finish_and_clear();
            format!("{name}: expected a readable file, but found: {error}")
        })?;
        if skipped.foreign > 0 {
            let (count, first) = (skipped.foreign, skipped.first_foreign);
            let (lines, are) = if count == 1 {
                ("line", "is")
            } else {
                ("lines", "are")
            };
            notes.push(format!(
                "{name}: {count} {lines} {are} passed over, as no rows of the spend log (line {first} first)"
            ));
        }
        if skipped.torn {
            notes.push(format!("{name}: the end is passed over, as it is torn"));
        }
        foreign += skipped.foreign;
        torn += u64::from(skipped.torn);
    }
    bar.finish_and_clear();
    if summary.others().is_some() {
        notes.push(format!(
            "only the first {GROUPS_MAX} groups are kept apart; the rest are shown as {}",
            report::OTHERS
        ));
    }
    for note in notes {
        let _ = writeln!(anstream::stderr(), "note: {note}");
    }
    Ok(if arguments.json {
        report::json(&summary, foreign, torn)
    } else if arguments.csv {
        report::csv(&summary)
    } else {
        text::table(&summary, columns())
    })
}

/// Width of the terminal that the table is for.
fn columns() -> Option<u16> {
    let width = terminal_size::terminal_size().map(|(terminal_size::Width(columns), _)| columns);
    width.filter(|_| std::io::stdout().is_terminal())
}
