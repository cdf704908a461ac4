//! The observer of an answer that is an event stream.

use crate::eventstream::{DecodeError, Decoder, Head, MessageKind, MessageSink};
use crate::usage::chunk::Chunk;
use crate::usage::estimate::estimate;
use crate::usage::fields::{CHUNK, CONVERSE_EVENT, UsageField};
use crate::usage::headers::HeaderUsage;
use crate::usage::observe::{Ending, Observation, ResponseMetadata, UnreadableReason};
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
                        EventDocument::Event(Scanner::new(&CONVERSE_EVENT, Reading::default()))
                    }
                    StreamKind::Invoke => EventDocument::Chunk(Scanner::new(&CHUNK, Chunk::default())),
                },
                tally: StreamTally::default(),
            },
        }
    }

    /// Looks at the next bytes. Whether the first content of the answer (text, reasoning, tool input) was among them:
    /// true once at most, for the time to the first token.
    pub fn push(&mut self, chunk: &[u8]) -> bool {
        if self.broken.is_some() {
            return false;
        }
        let before = self.messages.tally.metadata.characters;
        self.broken = self.decoder.push(chunk, &mut self.messages).err();
        before == 0 && self.messages.tally.metadata.characters > 0
    }

    /// What the stream said. `headers`: of the response. `request_bytes`: size of the request's body, for a guess.
    pub fn finish(&self, ending: Ending, headers: &HeaderUsage, request_bytes: u64) -> Observation {
        let tally = &self.messages.tally;
        let unreadable = self.broken.map(UnreadableReason::Frame).or(tally.unreadable);
        // A stream that has begun and ends cleanly, but without its account, was cut upstream of us.
        let begun = tally.whole > 0 || !self.decoder.at_boundary();
        let cut = match tally.exception {
            Some(_) => tally.metadata.characters > 0,
            None => ending == Ending::Cut || begun,
        };
        let reported = tally.reported();
        let numbers = if reported.is_some() {
            (UsageSource::Reported, reported)
        } else if unreadable.is_some() {
            (UsageSource::Unparsed, None)
        } else if cut {
            (UsageSource::Estimated, Some(tally.guess(request_bytes)))
        } else {
            (UsageSource::Unknown, None)
        };
        Observation::new(numbers, unreadable, tally.exception, tally.metadata, headers)
    }

    /// Messages read whole so far.
    pub fn messages(&self) -> u64 {
        self.messages.tally.whole
    }
}

/// The messages of a stream, one after the other.
#[derive(Clone, Debug)]
struct Messages {
    current: Current,
    document: EventDocument,
    tally: StreamTally,
}

/// What the message is that is being read.
#[derive(Clone, Copy, Debug)]
enum Current {
    Skipped,
    EventDocument,
    Exception(StreamException),
}

/// The payload that is being read, in the place of the one before.
#[allow(
    clippy::large_enum_variant,
    reason = "one per stream, never moved; it is large on 64-bit targets only"
)]
#[derive(Clone, Debug)]
enum EventDocument {
    Event(Scanner<UsageField, Reading>),
    Chunk(Scanner<UsageField, Chunk>),
}

/// What the whole messages said.
#[derive(Clone, Debug, Default)]
struct StreamTally {
    exception: Option<StreamException>,
    metrics: Counts,
    start: Counts,
    usage: Counts,
    metadata: ResponseMetadata,
    /// The first message that could not be read.
    unreadable: Option<UnreadableReason>,
    /// How many there were.
    whole: u64,
}

impl StreamTally {
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
            self.metadata.characters,
            events.prompt(),
            events.output,
        )
    }

    fn learn(&mut self, reading: &Reading) {
        self.metadata = reading.metadata.after(self.metadata);
        if !reading.counted {
            return;
        }
        self.metrics = reading.metrics.or(self.metrics);
        self.start = reading.start.or(self.start);
        self.usage = reading.usage().or(self.usage);
        // Anthropic's first event has counts that are no account.
        if reading.usage() != Counts::default() && self.usage.or(self.start).usage().is_none() {
            self.unreadable = self.unreadable.or(Some(UnreadableReason::Counts));
        }
    }
}

impl EventDocument {
    /// Begins the next message, if it is one whose payload is read.
    fn begin(&mut self, name: &str) -> Current {
        match (self, name) {
            (Self::Event(scanner), "contentBlockDelta" | "messageStop" | "metadata") => scanner.restart(),
            (Self::Chunk(scanner), "chunk") => scanner.restart(),
            _ => return Current::Skipped,
        }
        Current::EventDocument
    }

    /// What the payload said, now that it is whole; `None` if nothing.
    fn reading(&self) -> Result<Option<&Reading>, UnreadableReason> {
        match self {
            Self::Event(scanner) if scanner.is_complete() => Ok(Some(scanner.visitor())),
            Self::Chunk(scanner) if scanner.is_complete() => scanner.visitor().content(),
            Self::Event(_) | Self::Chunk(_) => Err(UnreadableReason::Json),
        }
    }
}

impl MessageSink for Messages {
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
            (Current::EventDocument, EventDocument::Event(scanner)) => _ = scanner.push(piece),
            (Current::EventDocument, EventDocument::Chunk(scanner)) => _ = scanner.push(piece),
            (Current::Exception(_) | Current::Skipped, _) => {}
        }
    }

    fn complete(&mut self) {
        let tally = &mut self.tally;
        tally.whole = tally.whole.saturating_add(1);
        match self.current {
            Current::Skipped => {}
            Current::Exception(exception) => tally.exception = tally.exception.or(Some(exception)),
            Current::EventDocument => match self.document.reading() {
                Ok(Some(reading)) => tally.learn(reading),
                Ok(None) => {}
                Err(unreadable) => tally.unreadable = tally.unreadable.or(Some(unreadable)),
            },
        }
        self.current = Current::Skipped;
    }
}
