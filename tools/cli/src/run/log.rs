//! Envoy's log, which it writes to standard error.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// The log format that this module parses: level, logger, text.
pub(super) const FORMAT: &str = "[%l] [%n] %v";
/// Most error lines that are kept while Envoy starts.
const LINES_MAX: usize = 50;

/// Whether Envoy has started.
#[derive(Clone, Default)]
pub(super) struct Started(Arc<AtomicBool>);

impl Started {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Prints Envoy's log. Errors that occur while it starts are returned instead, because they explain
/// why it failed.
pub(super) async fn print(stream: impl AsyncRead + Unpin, started: Started) -> Vec<String> {
    let mut reader = BufReader::new(stream);
    let mut errors = Vec::new();
    let mut is_error = false;
    let mut line = Vec::new();
    while reader
        .read_until(b'\n', &mut line)
        .await
        .is_ok_and(|read| read > 0)
    {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        // A line without a level continues the previous one.
        if text.starts_with('[') {
            is_error = text.starts_with("[error]") || text.starts_with("[critical]");
        }
        if started.get() || !is_error {
            let _ = writeln!(anstream::stderr(), "envoy: {text}");
        } else if errors.len() < LINES_MAX && !text.trim().is_empty() {
            errors.push(message(&text).to_owned());
        }
    }
    errors
}

/// The text of a line without level and logger.
fn message(line: &str) -> &str {
    let after = |text: &str| {
        text.strip_prefix('[')
            .and_then(|text| text.find("] "))
            .map(|end| end + 3)
    };
    let mut text = line;
    for _ in 0..2 {
        text = after(text).and_then(|start| text.get(start..)).unwrap_or(text);
    }
    text.trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str =
        "[warning] [config] careful\n[error] [wasm] gateway: bad\n  more\n[info] [main] fine\n";

    #[tokio::test]
    async fn errors_while_starting_are_collected_without_their_prefixes() {
        let errors = print(LINES.as_bytes(), Started::default()).await;
        assert_eq!(errors, ["gateway: bad", "more"]);
    }

    #[tokio::test]
    async fn errors_after_the_start_are_printed() {
        let started = Started::default();
        started.set();
        assert!(print(LINES.as_bytes(), started).await.is_empty());
    }
}
