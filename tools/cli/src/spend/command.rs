//! `envoy-bedrock spend`: the arguments and the output.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::by::By;
use super::error::UnreadableLog;
use super::summary::{GROUPS_MAX, SpendSummary};
use super::window::{UtcTime, Window};
use super::{report, source, text};

/// Add up spend logs: the cost per key, model, region, day or tag.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  envoy-bedrock spend spend.jsonl
  envoy-bedrock spend --by day --by model --since 2026-11-01 --until 2026-12-01 spend.jsonl spend.1.jsonl.gz
  docker compose logs --no-log-prefix envoy | envoy-bedrock spend --by tag --csv -

Groups always sum to the total: a request with several tags belongs to one group, that of all its tags together. --tag
selects the requests with a tag. Amounts are exact, in USD. UNKNOWN counts requests whose cost is unknown; SPEND does not
include them. ESTIMATED counts requests whose tokens are estimated because the client or the upstream disconnected before
the response reported them.

Lines that are not spend-log rows are skipped and reported on standard error; they are not an error.

Exit codes: 0 success, 1 a file cannot be read, 2 wrong usage.")]
pub struct SpendArguments {
    /// Spend logs, gzipped or not; '-' is standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Property to group by; repeat it for groups within groups.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "key")]
    by: Vec<By>,
    /// Only requests that started at or after this date or time (UTC by default).
    #[arg(long, value_name = "TIME")]
    since: Option<UtcTime>,
    /// Only requests that started before this date or time.
    #[arg(long, value_name = "TIME")]
    until: Option<UtcTime>,
    /// Only requests with this tag.
    #[arg(long)]
    tag: Option<String>,
    /// Print one JSON object instead of a table. Later versions only add keys to it.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print comma-separated values, one line per group and no total. A label that a spreadsheet
    /// would run as a formula (it starts with = + - @, a tab or a line break) gets a leading
    /// apostrophe.
    #[arg(long)]
    csv: bool,
}

/// Runs the command. Its help documents the exit codes.
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

/// A reader that stops early (`| head`) is not an error.
fn print(output: &str, arguments: &SpendArguments) {
    let _ = if !arguments.json && !arguments.csv {
        anstream::stdout().write_all(output.as_bytes())
    } else if std::io::stdout().is_terminal() {
        // Clients choose some labels, which must not control the terminal.
        let is_control = |char: char| char.is_control() && char != '\n';
        std::io::stdout().write_all(output.replace(is_control, "\u{fffd}").as_bytes())
    } else {
        std::io::stdout().write_all(output.as_bytes())
    };
}

fn summed(arguments: &SpendArguments) -> Result<String, UnreadableLog> {
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
            UnreadableLog {
                name: name.clone(),
                error,
            }
        })?;
        if skipped.foreign > 0 {
            let (count, first) = (skipped.foreign, skipped.first_foreign);
            notes.push(match count {
                1 => format!("{name}: skipped line {first}, which is not a spend-log row"),
                _ => format!("{name}: skipped {count} lines that are not spend-log rows, first line {first}"),
            });
        }
        if skipped.torn {
            notes.push(format!("{name}: skipped the end, which is incomplete"));
        }
        foreign += skipped.foreign;
        torn += u64::from(skipped.torn);
    }
    bar.finish_and_clear();
    if summary.others().is_some() {
        notes.push(format!(
            "only the first {GROUPS_MAX} groups are separate; the others are combined as {}",
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

/// Width of the terminal, if standard output is one.
fn columns() -> Option<u16> {
    let width = terminal_size::terminal_size().map(|(terminal_size::Width(columns), _)| columns);
    width.filter(|_| std::io::stdout().is_terminal())
}
