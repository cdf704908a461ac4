//! Observes a response that is an event stream.

use crate::eventstream::{DecodeError, Decoder, Head, MessageKind, MessageSink};
use crate::usage::chunk::Chunk;
use crate::usage::estimate::estimate;
use crate::usage::fields::{CHUNK, CONVERSE_EVENT, UsageField};
use crate::usage::headers::HeaderUsage;
use crate::usage::observe::{Ending, Observation, ResponseMetadata, UnreadableReason};
use crate::usage::reading::{Counts, Reading};
use crate::usage::scan::Scanner;
use crate::usage::text_delta::characters_of_text;
use crate::usage::tokens::{Usage, UsageSource};
use crate::usage::words::StreamException;

/// The operation that a stream responds to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamKind {
    /// ConverseStream.
    Converse,
    /// InvokeModelWithResponseStream.
    Invoke,
}

/// Observes an event stream. It takes less than two kilobytes, plus the headers of a message that
/// are split across chunks.
#[derive(Clone, Debug)]
pub(crate) struct StreamObserver {
    decoder: Decoder,
    decode_error: Option<DecodeError>,
    messages: Messages,
}

impl StreamObserver {
    /// Creates an observer for a new stream.
    pub(crate) fn new(kind: StreamKind) -> Self {
        Self {
            decoder: Decoder::default(),
            decode_error: None,
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

    /// Observes the next bytes. Returns whether they contain the first content of the response
    /// (text, reasoning or tool input), for the time to the first token. It returns true at most
    /// once.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> bool {
        if self.decode_error.is_some() {
            return false;
        }
        let before = self.messages.tally.metadata.characters;
        self.decode_error = self.decoder.push(chunk, &mut self.messages).err();
        before == 0 && self.messages.tally.metadata.characters > 0
    }

    /// Returns what the stream reported. An estimate is based on `request_bytes`, the size of the
    /// request body.
    pub(crate) fn finish(&self, ending: Ending, headers: &HeaderUsage, request_bytes: u64) -> Observation {
        let tally = &self.messages.tally;
        let unreadable = self
            .decode_error
            .map(UnreadableReason::Frame)
            .or(tally.unreadable);
        // A stream that has started and ends cleanly without reporting its usage was cut upstream.
        let has_started = tally.messages > 0 || !self.decoder.at_boundary();
        let cut = match tally.exception {
            Some(_) => tally.metadata.characters > 0,
            None => ending == Ending::Cut || has_started,
        };
        let reported = tally.reported();
        let numbers = if reported.is_some() {
            (UsageSource::Reported, reported)
        } else if unreadable.is_some() {
            (UsageSource::Unparsed, None)
        } else if cut {
            (UsageSource::Estimated, Some(tally.estimate(request_bytes)))
        } else {
            (UsageSource::Unknown, None)
        };
        Observation::new(numbers, unreadable, tally.exception, tally.metadata, headers)
    }
}

/// Reads the messages of a stream.
#[derive(Clone, Debug)]
struct Messages {
    current: Current,
    document: EventDocument,
    tally: StreamTally,
}

/// The kind of the current message.
#[derive(Clone, Copy, Debug)]
enum Current {
    Skipped,
    /// A document of which nothing has been read yet.
    NewDocument,
    Document,
    Exception(StreamException),
}

/// The payload of the current message. Each message reuses the scanner of the one before.
#[allow(
    clippy::large_enum_variant,
    reason = "one per stream, never moved; it is large on 64-bit targets only"
)]
#[derive(Clone, Debug)]
enum EventDocument {
    Event(Scanner<UsageField, Reading>),
    Chunk(Scanner<UsageField, Chunk>),
}

/// What the complete messages reported.
#[derive(Clone, Debug, Default)]
struct StreamTally {
    exception: Option<StreamException>,
    metrics: Counts,
    start: Counts,
    usage: Counts,
    metadata: ResponseMetadata,
    /// The first message that could not be read.
    unreadable: Option<UnreadableReason>,
    /// Number of complete messages.
    messages: u64,
}

impl StreamTally {
    /// The usage, once it is final. Bedrock bills by its own metrics; Anthropic's events add the
    /// lifetimes of cache writes, which the metrics lack.
    fn reported(&self) -> Option<Usage> {
        let events = self.usage.or(self.start);
        match (self.metrics.usage(), self.usage.output) {
            (Some(_), _) => self.metrics.or(events).usage(),
            (None, Some(_)) => events.usage(),
            (None, None) => None,
        }
    }

    fn estimate(&self, request_bytes: u64) -> Usage {
        let events = self.metrics.or(self.usage).or(self.start);
        estimate(
            request_bytes,
            self.metadata.characters,
            events.prompt(),
            events.output,
        )
    }

    fn record(&mut self, reading: &Reading) {
        self.metadata = reading.metadata.after(self.metadata);
        if !reading.counted {
            return;
        }
        self.metrics = reading.metrics.or(self.metrics);
        self.start = reading.start.or(self.start);
        self.usage = reading.usage().or(self.usage);
        // The counts in Anthropic's first event are not final.
        if reading.usage() != Counts::default() && self.usage.or(self.start).usage().is_none() {
            self.unreadable = self.unreadable.or(Some(UnreadableReason::Counts));
        }
    }
}

impl EventDocument {
    /// Starts the next message, if its payload matters.
    fn begin(&mut self, name: &str) -> Current {
        match (self, name) {
            (Self::Event(scanner), "contentBlockDelta" | "messageStop" | "metadata") => scanner.restart(),
            (Self::Chunk(scanner), "chunk") => scanner.restart(),
            _ => return Current::Skipped,
        }
        Current::NewDocument
    }

    /// Returns what the complete payload reported, or `None` if it had no content.
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
        // Errors surface at the end of the document: a malformed scanner never completes.
        match (self.current, &mut self.document) {
            (Current::NewDocument, EventDocument::Event(scanner)) => {
                self.current = Current::Document;
                match characters_of_text(piece) {
                    Some(count) => {
                        // In its place: what follows is read as after any other document.
                        _ = scanner.push(b"{}");
                        scanner.visitor_mut().add_characters(count);
                    }
                    None => _ = scanner.push(piece),
                }
            }
            (Current::Document, EventDocument::Event(scanner)) => _ = scanner.push(piece),
            (Current::NewDocument | Current::Document, EventDocument::Chunk(scanner)) => {
                _ = scanner.push(piece);
            }
            (Current::Exception(_) | Current::Skipped, _) => {}
        }
    }

    fn complete(&mut self) {
        let tally = &mut self.tally;
        tally.messages = tally.messages.saturating_add(1);
        match self.current {
            Current::Skipped => {}
            Current::Exception(exception) => tally.exception = tally.exception.or(Some(exception)),
            Current::NewDocument | Current::Document => match self.document.reading() {
                Ok(Some(reading)) => tally.record(reading),
                Ok(None) => {}
                Err(unreadable) => tally.unreadable = tally.unreadable.or(Some(unreadable)),
            },
        }
        self.current = Current::Skipped;
    }
}
