//! Passes Envoy's log on.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::Level;

use super::envoy_line::EnvoyLine;

/// Most error lines that are kept while Envoy starts for the first time.
const ERRORS_MAX: usize = 50;
/// Number of last lines that are kept for the report of Envoy's end.
const TAIL_LINES: usize = 10;
/// Further lines within this time belong to the message before, if they have no prefix.
const PAUSE: Duration = Duration::from_millis(50);
/// Longest line, in bytes; a longer one is split.
const LINE_MAX_BYTES: u64 = 64 * 1024;
/// A message without a prefix is split after this many bytes.
const MESSAGE_MAX_BYTES: usize = 64 * 1024;
/// Time limit for the rest of the log after Envoy has ended.
const REST_MAX: Duration = Duration::from_secs(1);

/// The log of one Envoy process.
pub(crate) struct Relay {
    kept: Arc<Mutex<Kept>>,
    task: Option<JoinHandle<()>>,
}

/// What is kept of the log.
#[derive(Default)]
struct Kept {
    /// Whether errors are kept instead of passed on, because they explain why the start failed.
    withholds_errors: bool,
    errors: Vec<String>,
    tail: VecDeque<String>,
}

impl Relay {
    /// Passes on what is read from `stream`. With `withholds_errors`, errors are kept until Envoy
    /// has started.
    pub(crate) fn start(
        stream: Option<impl AsyncRead + Unpin + Send + 'static>,
        withholds_errors: bool,
    ) -> Self {
        let kept = Arc::new(Mutex::new(Kept {
            withholds_errors,
            ..Kept::default()
        }));
        let task = stream.map(|stream| tokio::spawn(pass_on(stream, Arc::clone(&kept))));
        Self { kept, task }
    }

    /// Envoy has started, so errors no longer explain a failed start.
    pub(crate) fn started(&self) {
        self.kept().withholds_errors = false;
    }

    /// Waits until everything is passed on, after Envoy has ended. Cancelling it loses nothing.
    pub(crate) async fn finish(&mut self) {
        if let Some(task) = &mut self.task {
            let _ = timeout(REST_MAX, task).await;
            self.task = None;
        }
    }

    /// The errors of a start that failed, without level and logger.
    pub(crate) fn errors(&self) -> Vec<String> {
        let mut errors = std::mem::take(&mut self.kept().errors);
        errors.dedup();
        errors
    }

    /// The last lines.
    pub(crate) fn tail(&self) -> Vec<String> {
        std::mem::take(&mut self.kept().tail).into()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        lock(&self.kept)
    }
}

/// Reads lines until the end of the stream.
///
/// What is written without Envoy's logger does not mark where a message starts. Such lines are one
/// message if there is no pause between them.
async fn pass_on(stream: impl AsyncRead + Unpin, kept: Arc<Mutex<Kept>>) {
    let mut reader = BufReader::new(stream);
    let mut bytes = Vec::new();
    let mut unformatted = String::new();
    loop {
        let next = next_line(&mut reader, &mut bytes);
        let next = if unformatted.is_empty() {
            Ok(next.await)
        } else {
            timeout(PAUSE, next).await
        };
        if !matches!(&next, Ok(Some(text)) if is_continued(text, &unformatted)) {
            flush(&mut unformatted, &kept);
        }
        match next {
            Ok(Some(text)) => match EnvoyLine::parse(&text) {
                Some(line) => pass_line(line, &kept),
                None => unformatted += &(text + "\n"),
            },
            Ok(None) => return,
            Err(_) => {}
        }
    }
}

/// The next line without its end; `None` at the end of the stream. Cancelling it loses nothing if
/// `bytes` is kept.
async fn next_line(reader: &mut (impl AsyncBufRead + Unpin), bytes: &mut Vec<u8>) -> Option<String> {
    let room = LINE_MAX_BYTES.saturating_sub(bytes.len() as u64);
    let _ = reader.take(room).read_until(b'\n', bytes).await;
    let line = std::mem::take(bytes);
    (!line.is_empty()).then(|| String::from_utf8_lossy(&line).trim_end().to_owned())
}

fn is_continued(text: &str, before: &str) -> bool {
    before.len() < MESSAGE_MAX_BYTES && EnvoyLine::parse(text).is_none()
}

fn flush(unformatted: &mut String, kept: &Mutex<Kept>) {
    let message = std::mem::take(unformatted);
    if !message.trim().is_empty() {
        pass_line(EnvoyLine::unformatted(message.trim_end()), kept);
    }
}

fn pass_line(line: EnvoyLine, kept: &Mutex<Kept>) {
    let mut kept = lock(kept);
    if kept.tail.len() == TAIL_LINES {
        kept.tail.pop_front();
    }
    kept.tail.push_back(line.message.clone());
    if !kept.withholds_errors || line.level != Level::ERROR {
        drop(kept);
        line.emit();
    } else if kept.errors.len() < ERRORS_MAX {
        kept.errors.push(line.message);
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "[warning] [config] careful\n[error] [wasm] gateway: bad\\n  more\nnot\nformatted\n\
                         [info] [main] fine\n";

    async fn relayed(withholds_errors: bool) -> Relay {
        let mut relay = Relay::start(Some(LINES.as_bytes()), withholds_errors);
        relay.finish().await;
        relay
    }

    #[tokio::test]
    async fn errors_of_a_failed_start_are_kept_as_whole_messages() {
        assert_eq!(
            relayed(true).await.errors(),
            ["gateway: bad\n  more", "not\nformatted"]
        );
    }

    #[tokio::test]
    async fn errors_after_the_start_are_passed_on_and_the_last_lines_are_kept() {
        let relay = relayed(false).await;
        assert!(relay.errors().is_empty());
        let expected = ["careful", "gateway: bad\n  more", "not\nformatted", "fine"];
        assert_eq!(relay.tail(), expected);
    }

    #[tokio::test]
    async fn a_line_without_an_end_and_an_endless_line_are_passed_on() {
        let long = "x".repeat(LINE_MAX_BYTES as usize + 1);
        let mut relay = Relay::start(Some(std::io::Cursor::new(long)), false);
        relay.finish().await;
        let lengths: Vec<_> = relay.tail().iter().map(String::len).collect();
        assert_eq!(lengths, [LINE_MAX_BYTES as usize, 1]);
    }
}
