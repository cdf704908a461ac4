//! The observer of an answer that is an event stream.

use crate::eventstream::{DecodeError, Decoder, Head, MessageKind, Sink};
use crate::usage::chunk::Chunk;
use crate::usage::estimate::estimate;
use crate::usage::fields::{CHUNK, CONVERSE_EVENT, Field};
use crate::usage::headers::HeaderUsage;
use crate::usage::observe::{Ending, Observation, Told, Unread};
use crate::usage::reading::{Counts, Reading};
use crate::usage::scan::Scanner;
use crate::usage::tokens::{Usage, UsageSource};
use crate::usage::words::StreamException;

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
    messages: Messages,
}

impl StreamObserver {
    /// An observer of a stream that begins.
    pub fn new(kind: StreamKind) -> Self {
        Self {
            decoder: Decoder::default(),
            broken: None,
            messages: Messages {
                current: Current::Skipped,
                document: match kind {
                    StreamKind::Converse => {
                        Document::Event(Scanner::new(&CONVERSE_EVENT, Reading::default()))
                    }
                    StreamKind::Invoke => Document::Chunk(Scanner::new(&CHUNK, Chunk::default())),
                },
                account: Account::default(),
            },
        }
    }

    /// Looks at the next bytes. Whether the first content of the answer (text, reasoning, tool input) was among them:
    /// true once at most, for the time to the first token.
    pub fn push(&mut self, chunk: &[u8]) -> bool {
        if self.broken.is_some() {
            return false;
        }
        let before = self.messages.account.told.characters;
        self.broken = self.decoder.push(chunk, &mut self.messages).err();
        before == 0 && self.messages.account.told.characters > 0
    }

    /// What the stream said. `headers`: of the response. `request_bytes`: size of the request's body, for a guess.
    pub fn finish(&self, ending: Ending, headers: &HeaderUsage, request_bytes: u64) -> Observation {
        let account = &self.messages.account;
        let unread = self.broken.map(Unread::Frame).or(account.unread);
        // A stream that has begun and ends cleanly, but without its account, was cut upstream of us.
        let begun = account.whole > 0 || !self.decoder.at_boundary();
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
        self.messages.account.whole
    }
}

/// The messages of a stream, one after the other.
#[derive(Clone, Debug)]
struct Messages {
    current: Current,
    document: Document,
    account: Account,
}

/// What the message is that is being read.
#[derive(Clone, Copy, Debug)]
enum Current {
    Skipped,
    Document,
    Exception(StreamException),
}

/// The payload that is being read, in the place of the one before.
#[allow(
    clippy::large_enum_variant,
    reason = "one per stream, never moved; it is large on 64-bit targets only"
)]
#[derive(Clone, Debug)]
enum Document {
    Event(Scanner<Field, Reading>),
    Chunk(Scanner<Field, Chunk>),
}

/// What the whole messages said.
#[derive(Clone, Debug, Default)]
struct Account {
    exception: Option<StreamException>,
    metrics: Counts,
    start: Counts,
    usage: Counts,
    told: Told,
    /// The first message that could not be read.
    unread: Option<Unread>,
    /// How many there were.
    whole: u64,
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
        self.told = reading.told.after(self.told);
        if !reading.counted {
            return;
        }
        self.metrics = reading.metrics.or(self.metrics);
        self.start = reading.start.or(self.start);
        self.usage = reading.usage().or(self.usage);
        // Anthropic's first event has counts that are no account.
        if reading.usage() != Counts::default() && self.usage.or(self.start).usage().is_none() {
            self.unread = self.unread.or(Some(Unread::Counts));
        }
    }
}

impl Document {
    /// Begins the next message, if it is one whose payload is read.
    fn begin(&mut self, name: &str) -> Current {
        match (self, name) {
            (Self::Event(scanner), "contentBlockDelta" | "messageStop" | "metadata") => scanner.restart(),
            (Self::Chunk(scanner), "chunk") => scanner.restart(),
            _ => return Current::Skipped,
        }
        Current::Document
    }

    /// What the payload said, now that it is whole; `None` if nothing.
    fn reading(&self) -> Result<Option<&Reading>, Unread> {
        match self {
            Self::Event(scanner) if scanner.is_complete() => Ok(Some(scanner.visitor())),
            Self::Chunk(scanner) if scanner.is_complete() => scanner.visitor().content(),
            Self::Event(_) | Self::Chunk(_) => Err(Unread::Json),
        }
    }
}

impl Sink for Messages {
    fn begin(&mut self, head: Head<'_>) {
        self.current = match head.kind {
            MessageKind::Event => self.document.begin(head.name),
            MessageKind::Exception | MessageKind::Error => {
                Current::Exception(StreamException::from_word(head.name.as_bytes()))
            }
            MessageKind::Other => Current::Skipped,
        };
    }

    fn payload(&mut self, piece: &[u8]) {
        // A malformed document is noticed at its end: the scanner stays malformed.
        match (self.current, &mut self.document) {
            (Current::Document, Document::Event(scanner)) => _ = scanner.push(piece),
            (Current::Document, Document::Chunk(scanner)) => _ = scanner.push(piece),
            (Current::Exception(_) | Current::Skipped, _) => {}
        }
    }

    fn complete(&mut self) {
        let account = &mut self.account;
        account.whole = account.whole.saturating_add(1);
        match self.current {
            Current::Skipped => {}
            Current::Exception(exception) => account.exception = account.exception.or(Some(exception)),
            Current::Document => match self.document.reading() {
                Ok(Some(reading)) => account.learn(reading),
                Ok(None) => {}
                Err(unread) => account.unread = account.unread.or(Some(unread)),
            },
        }
        self.current = Current::Skipped;
    }
}
