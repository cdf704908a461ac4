//! Reads spend logs: files and standard input, gzipped or not.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressStyle};

use super::lines::{Lines, RawLine};
use super::summary::{LineOutcome, SpendSummary};

const BUFFER_BYTES: usize = 256 * 1024;
/// The first bytes of every gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Smaller files are read before a progress bar would be noticed.
const BAR_FROM_BYTES: u64 = 64 * 1024 * 1024;

/// What was skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Skipped {
    /// Number of lines that are not spend-log rows.
    pub foreign: u64,
    /// Number of the first of them, from 1.
    pub first_foreign: u64,
    /// Whether the last line or the compressed data is incomplete.
    pub torn: bool,
}

/// A progress bar for these files, on standard error if that is a terminal. The length of standard
/// input is unknown.
pub(super) fn bar(files: &[&Path]) -> ProgressBar {
    let sizes = files
        .iter()
        .map(|file| std::fs::metadata(file).map(|file| file.len()));
    let bytes: u64 = sizes.map(|size| size.unwrap_or(0)).sum();
    if bytes < BAR_FROM_BYTES {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left");
    ProgressBar::new(bytes).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The name of `path` in messages.
pub(super) fn name(path: &Path) -> String {
    if is_standard_input(path) {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    }
}

fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// Adds the lines of `path`, `-` for standard input.
///
/// # Errors
/// If the file cannot be opened or read.
pub(super) fn add(path: &Path, bar: &ProgressBar, summary: &mut SpendSummary) -> io::Result<Skipped> {
    let mut is_row = |line: &[u8]| summary.add(line) != LineOutcome::Foreign;
    if is_standard_input(path) {
        return read_all(io::stdin().lock(), &mut is_row);
    }
    read_all(bar.wrap_read(File::open(path)?), &mut is_row)
}

/// Passes each line of `reader` to `is_row`, which says whether it is a row.
pub(super) fn read_all(mut reader: impl Read, is_row: &mut impl FnMut(&[u8]) -> bool) -> io::Result<Skipped> {
    let mut start = Vec::new();
    (&mut reader).take(GZIP.len() as u64).read_to_end(&mut start)?;
    let is_gzip = start == GZIP;
    let reader = BufReader::with_capacity(BUFFER_BYTES, Cursor::new(start).chain(reader));
    if is_gzip {
        let decoder = MultiGzDecoder::new(reader);
        read_lines(BufReader::with_capacity(BUFFER_BYTES, decoder), true, is_row)
    } else {
        read_lines(reader, false, is_row)
    }
}

fn read_lines(
    reader: impl BufRead,
    is_gzip: bool,
    is_row: &mut impl FnMut(&[u8]) -> bool,
) -> io::Result<Skipped> {
    let mut skipped = Skipped::default();
    let mut lines = Lines::new(reader);
    for number in 1.. {
        let (is_last, counts) = match lines.next() {
            Ok(Some(RawLine::Whole(line))) if line.trim_ascii().is_empty() => continue,
            Ok(Some(RawLine::Whole(line))) => (false, is_row(line)),
            Ok(Some(RawLine::Last(line))) => (true, is_row(line)),
            Ok(Some(RawLine::TooLong)) => (false, false),
            Ok(None) => break,
            // Incomplete compressed data: the log is still being written.
            Err(error) if is_gzip && is_broken(&error) => {
                skipped.torn = true;
                break;
            }
            Err(error) => return Err(error),
        };
        if counts {
            continue;
        }
        if is_last {
            skipped.torn = true;
        } else {
            skipped.foreign += 1;
            if skipped.foreign == 1 {
                skipped.first_foreign = number;
            }
        }
    }
    Ok(skipped)
}

fn is_broken(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | InvalidData | InvalidInput)
}
