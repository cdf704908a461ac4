//! The observer of an answer that is an event stream.

use super::chunk::Chunk;
use super::estimate::estimate;
use super::fields::{CHUNK, CONVERSE_EVENT, Field};
use super::observe::Told;
use super::reading::{Counts, Reading};
use super::scan::Scanner;
use super::{Ending, HeaderUsage, Observation, StreamException, Unread, Usage, UsageSource};
use crate::eventstream::{DecodeError, Decoder, Head, MessageKind, Sink};

/// Which operation's stream it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamKind {
    /// ConverseStream.
    Converse,
    /// InvokeModelWithResponseStream.
    Invoke,
}

/// Reads an event stream. Memory: itself, under two kilobytes, and a message's headers where a chunk's end cuts them.
#[derive(Clone, Debug)]
pub struct StreamObserver {
    decoder: Decoder,
    broken: Option<DecodeError>,
    account: Account,
}

impl StreamObserver {
    /// An observer of a stream that begins.
    pub fn new(kind: StreamKind) -> Self {
        Self {
            decoder: Decoder::default(),
            broken: None,
            account: Account {
                kind,
                current: Current::Skipped,
                exception: None,
                metrics: Counts::default(),
                start: Counts::default(),
                usage: Counts::default(),
                told: Told::default(),
                unread: None,
                messages: 0,
            },
        }
    }

    /// Looks at the next bytes. Whether the first content of the answer (text, reasoning, tool input) was among them:
    /// true once at most, for the time to the first token.
    pub fn push(&mut self, chunk: &[u8]) -> bool {
        if self.broken.is_some() {
            return false;
        }
        let before = self.account.told.characters;
        self.broken = self.decoder.push(chunk, &mut self.account).err();
        before == 0 && self.account.told.characters > 0
    }

    /// What the stream said. `headers`: of the response. `request_bytes`: size of the request's body, for a guess.
    pub fn finish(&self, ending: Ending, headers: &HeaderUsage, request_bytes: u64) -> Observation {
        let account = &self.account;
        let unread = self.broken.map(Unread::Frame).or(account.unread);
        // A stream that has begun and ends cleanly, but without its account, was cut upstream of us.
        let begun = account.messages > 0 || !self.decoder.at_boundary();
        let cut = match account.exception {
            Some(_) => account.told.characters > 0,
            None => ending == Ending::Cut || begun,
        };
        let reported = account.reported();
        let numbers = if reported.is_some() {
            (UsageSource::Reported, reported)
        } else if unread.is_some() {
            (UsageSource::Unparsed, None)
        } else if cut {
            (UsageSource::Estimated, Some(account.guess(request_bytes)))
        } else {
            (UsageSource::Unknown, None)
        };
        Observation::new(numbers, unread, account.exception, account.told, headers)
    }

    /// Messages read whole so far.
    pub fn messages(&self) -> u64 {
        self.account.messages
    }
}

/// What the whole messages said, and the one being read.
#[derive(Clone, Debug)]
struct Account {
    kind: StreamKind,
    current: Current,
    exception: Option<StreamException>,
    metrics: Counts,
    start: Counts,
    usage: Counts,
    told: Told,
    /// The first message that could not be read.
    unread: Option<Unread>,
    messages: u64,
}

#[allow(
    clippy::large_enum_variant,
    reason = "one per stream, and no allocation per message; it is large on 64-bit targets only"
)]
#[derive(Clone, Debug)]
enum Current {
    Skipped,
    Event(Scanner<Field, Reading>),
    Chunk(Scanner<Field, Chunk>),
    Exception(StreamException),
}

impl Account {
    /// The account, once it is final. Bedrock's own metrics are what it bills; Anthropic's events add the lifetimes of
    /// cache writes, which the metrics do not tell apart.
    fn reported(&self) -> Option<Usage> {
        let events = self.usage.or(self.start);
        match (self.metrics.usage(), self.usage.output) {
            (Some(_), _) => self.metrics.or(events).usage(),
            (None, Some(_)) => events.usage(),
            (None, None) => None,
        }
    }

    fn guess(&self, request_bytes: u64) -> Usage {
        let events = self.metrics.or(self.usage).or(self.start);
        estimate(
            request_bytes,
            self.told.characters,
            events.prompt(),
            events.output,
        )
    }

    fn learn(&mut self, reading: &Reading) {
        self.metrics = reading.metrics.or(self.metrics);
        self.start = reading.start.or(self.start);
        self.usage = reading.usage().or(self.usage);
        self.told = reading.told.after(self.told);
        // Anthropic's first event has counts that are no account.
        if reading.usage() != Counts::default() && self.usage.or(self.start).usage().is_none() {
            self.unread = self.unread.or(Some(Unread::Counts));
        }
    }
}

impl Sink for Account {
    fn begin(&mut self, head: Head<'_>) {
        self.current = match (head.kind, self.kind, head.name) {
            (MessageKind::Event, StreamKind::Converse, "contentBlockDelta" | "messageStop" | "metadata") => {
                Current::Event(Scanner::new(&CONVERSE_EVENT, Reading::default()))
            }
            (MessageKind::Event, StreamKind::Invoke, "chunk") => {
                Current::Chunk(Scanner::new(&CHUNK, Chunk::default()))
            }
            (MessageKind::Exception | MessageKind::Error, _, name) => {
                Current::Exception(StreamException::from_word(name.as_bytes()))
            }
            _ => Current::Skipped,
        };
    }

    fn payload(&mut self, piece: &[u8]) {
        // A malformed document is noticed at its end: the scanner stays malformed.
        match &mut self.current {
            Current::Event(scanner) => _ = scanner.push(piece),
            Current::Chunk(scanner) => _ = scanner.push(piece),
            Current::Exception(_) | Current::Skipped => {}
        }
    }

    fn complete(&mut self) {
        self.messages = self.messages.saturating_add(1);
        let unread = match std::mem::replace(&mut self.current, Current::Skipped) {
            Current::Skipped => None,
            Current::Exception(exception) => {
                self.exception = self.exception.or(Some(exception));
                None
            }
            Current::Event(scanner) if scanner.is_complete() => {
                self.learn(scanner.visitor());
                None
            }
            Current::Chunk(scanner) if scanner.is_complete() => {
                let chunk = scanner.visitor();
                match chunk.content() {
                    Ok(Some(reading)) => {
                        self.learn(reading);
                        None
                    }
                    Ok(None) => None,
                    Err(unread) => Some(unread),
                }
            }
            Current::Event(_) | Current::Chunk(_) => Some(Unread::Json),
        };
        self.unread = self.unread.or(unread);
    }
}
