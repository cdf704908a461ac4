//! The decoder's state machine.

use crate::eventstream::crc::Crc32;
use crate::eventstream::error::DecodeError;
use crate::eventstream::header::Head;

/// Largest block of headers: 128 KiB, the limit of AWS's own SDKs. Bedrock sends about 100 bytes.
pub(super) const MAX_HEADERS_BYTES: u32 = 128 * 1024;
/// Largest message: the 24 MiB payload that AWS's SDKs allow, the largest headers and the framing.
/// Payloads are not stored; the limit bounds how long a wrong length with a valid checksum can keep
/// the decoder in one message.
pub(super) const MAX_MESSAGE_BYTES: u32 = 24 * 1024 * 1024 + MAX_HEADERS_BYTES + FRAMING_BYTES;

const PRELUDE_BYTES: usize = 12;
const CHECKSUM_BYTES: usize = 4;
const FRAMING_BYTES: u32 = 16;

/// Receives messages. Each message causes one call of `begin`, any number of `payload` and, if its
/// checksum is valid, one of `complete`.
pub(crate) trait MessageSink {
    /// The headers of a message have arrived, but its checksum is not verified yet. Nothing read
    /// from the message may be used before [`MessageSink::complete`], which may never be called.
    fn begin(&mut self, head: Head<'_>);
    /// A piece of the payload, never empty. A payload that lies within one chunk is a single piece.
    fn payload(&mut self, piece: &[u8]);
    /// The message is complete and its checksum valid.
    fn complete(&mut self);
}

/// A resumable decoder. It allocates only for headers that are split across chunks.
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    phase: DecodePhase,
    crc: Crc32,
    /// Bytes of the current payload that have not arrived.
    payload_left: u32,
    /// Headers that are split across chunks. Grows with the bytes received, not with the announced
    /// length.
    pub(super) headers: Vec<u8>,
}

#[derive(Clone, Debug)]
enum DecodePhase {
    Prelude(Partial<PRELUDE_BYTES>),
    Headers { length: usize },
    Payload,
    Checksum(Partial<CHECKSUM_BYTES>),
    Failed(DecodeError),
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            phase: DecodePhase::Prelude(Partial::default()),
            crc: Crc32::default(),
            payload_left: 0,
            headers: Vec::new(),
        }
    }
}

impl Decoder {
    /// Decodes the next bytes of the stream.
    ///
    /// # Errors
    /// Returns the first error, and returns it again on every later call.
    pub(crate) fn push(&mut self, chunk: &[u8], sink: &mut impl MessageSink) -> Result<(), DecodeError> {
        let mut rest = chunk;
        loop {
            match self.step(&mut rest, sink) {
                Ok(DecodeStep::Done) => {}
                Ok(DecodeStep::Starved) => return Ok(()),
                Err(error) => {
                    self.phase = DecodePhase::Failed(error);
                    self.headers = Vec::new();
                    return Err(error);
                }
            }
        }
    }

    /// Whether the stream may end here: between two messages and without an error.
    pub(crate) fn at_boundary(&self) -> bool {
        matches!(&self.phase, DecodePhase::Prelude(partial) if partial.filled == 0)
    }

    fn step(&mut self, rest: &mut &[u8], sink: &mut impl MessageSink) -> Result<DecodeStep, DecodeError> {
        match &mut self.phase {
            DecodePhase::Prelude(partial) => {
                let Some(prelude) = partial.fill(rest) else {
                    return Ok(DecodeStep::Starved);
                };
                self.prelude(prelude)?;
            }
            DecodePhase::Headers { length } => {
                let missing = length.saturating_sub(self.headers.len());
                if self.headers.is_empty()
                    && let Some((block, left)) = rest.split_at_checked(missing)
                {
                    *rest = left;
                    self.crc.update(block);
                    sink.begin(Head::parse(block)?);
                } else {
                    let (piece, left) = rest.split_at(missing.min(rest.len()));
                    *rest = left;
                    self.crc.update(piece);
                    self.headers.extend_from_slice(piece);
                    if piece.len() < missing {
                        return Ok(DecodeStep::Starved);
                    }
                    sink.begin(Head::parse(&self.headers)?);
                    self.headers.clear();
                }
                self.phase = DecodePhase::Payload;
            }
            DecodePhase::Payload => {
                let wanted = usize::try_from(self.payload_left).unwrap_or(usize::MAX);
                let (piece, left) = rest.split_at(wanted.min(rest.len()));
                *rest = left;
                self.crc.update(piece);
                if !piece.is_empty() {
                    sink.payload(piece);
                }
                let taken = u32::try_from(piece.len()).unwrap_or(u32::MAX);
                self.payload_left = self.payload_left.saturating_sub(taken);
                if self.payload_left > 0 {
                    return Ok(DecodeStep::Starved);
                }
                self.phase = DecodePhase::Checksum(Partial::default());
            }
            DecodePhase::Checksum(partial) => {
                let Some(checksum) = partial.fill(rest) else {
                    return Ok(DecodeStep::Starved);
                };
                if u32::from_be_bytes(checksum) != self.crc.value() {
                    return Err(DecodeError::MessageChecksum);
                }
                sink.complete();
                self.phase = DecodePhase::Prelude(Partial::default());
            }
            DecodePhase::Failed(error) => return Err(*error),
        }
        Ok(DecodeStep::Done)
    }

    /// Validates the first twelve bytes of a message before relying on them.
    fn prelude(&mut self, prelude: [u8; PRELUDE_BYTES]) -> Result<(), DecodeError> {
        let [a, b, c, d, e, f, g, h, checksum @ ..] = prelude;
        if u32::from_be_bytes(checksum) != Crc32::of(&[a, b, c, d, e, f, g, h]) {
            return Err(DecodeError::PreludeChecksum);
        }
        let message = u32::from_be_bytes([a, b, c, d]);
        let headers = u32::from_be_bytes([e, f, g, h]);
        if message > MAX_MESSAGE_BYTES {
            return Err(DecodeError::MessageLength);
        }
        let content = message
            .checked_sub(FRAMING_BYTES)
            .ok_or(DecodeError::MessageLength)?;
        if headers > MAX_HEADERS_BYTES {
            return Err(DecodeError::HeadersLength);
        }
        self.payload_left = content.checked_sub(headers).ok_or(DecodeError::HeadersLength)?;
        let length = usize::try_from(headers).map_err(|_| DecodeError::HeadersLength)?;
        self.crc = Crc32::default();
        self.crc.update(&prelude);
        self.phase = DecodePhase::Headers { length };
        Ok(())
    }
}

enum DecodeStep {
    /// A part of the message has been read.
    Done,
    /// More bytes are needed.
    Starved,
}

/// A field of fixed length that may be split across chunks.
#[derive(Clone, Debug)]
struct Partial<const N: usize> {
    bytes: [u8; N],
    filled: usize,
}

impl<const N: usize> Default for Partial<N> {
    fn default() -> Self {
        Self {
            bytes: [0; N],
            filled: 0,
        }
    }
}

impl<const N: usize> Partial<N> {
    /// Takes the missing bytes from `rest`. Returns the field once it is complete.
    fn fill(&mut self, rest: &mut &[u8]) -> Option<[u8; N]> {
        if self.filled == 0
            && let Some((field, left)) = rest.split_first_chunk()
        {
            *rest = left;
            return Some(*field);
        }
        let missing = self.bytes.get_mut(self.filled..)?;
        let count = missing.len().min(rest.len());
        let (piece, left) = rest.split_at(count);
        missing.get_mut(..count)?.copy_from_slice(piece);
        self.filled = self.filled.saturating_add(count);
        *rest = left;
        (self.filled == N).then_some(self.bytes)
    }
}
