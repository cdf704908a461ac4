//! What Envoy writes to its standard error.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// How Envoy has to write its lines for them to be read here: level, then logger and text.
pub(super) const FORMAT: &str = "[%l] [%n] %v";
/// Lines kept of a start that fails.
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

/// Passes Envoy's lines on. Errors before its start is over are returned instead: they are why there is none.
pub(super) async fn pass_on(stream: impl AsyncRead + Unpin, started: Started) -> Vec<String> {
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
        // A line without a level belongs to the one before.
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

/// The text of a line, without level and logger.
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
    async fn errors_of_a_start_are_collected_without_their_prefixes() {
        let errors = pass_on(LINES.as_bytes(), Started::default()).await;
        assert_eq!(errors, ["gateway: bad", "more"]);
    }

    #[tokio::test]
    async fn errors_after_the_start_are_passed_on() {
        let started = Started::default();
        started.set();
        assert!(pass_on(LINES.as_bytes(), started).await.is_empty());
    }
}
