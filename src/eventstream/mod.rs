//! AWS's event stream framing (`application/vnd.amazon.eventstream`), decoded incrementally.
//!
//! ```text
//!   0        4            8             12                                        length - 4
//!   ├────────┼────────────┼─────────────┼───────────────┬───────────────────────────┼─────────────┤
//!   │ length │ headers    │ CRC-32 of   │ headers       │ payload                   │ CRC-32 of   │
//!   │ u32 BE │ length u32 │ bytes 0…7   │               │                           │ all before  │
//! ```
//!
//! The decoder only observes: it buffers no payload and changes or delays no byte. Payloads are
//! passed to a [`MessageSink`] in pieces that borrow from the caller's chunk, and must not be used
//! before the checksum of the message is verified. The first error ends decoding for good, because
//! no message boundary after it can be trusted.
//!
//! Encoding is not supported. `usage` interprets the events.

mod crc;
mod decoder;
mod error;
mod header;
#[cfg(test)]
pub(crate) mod tests;

#[cfg(any(test, fuzzing))]
pub(crate) use crc::Crc32;
pub(crate) use decoder::{Decoder, MessageSink};
pub(crate) use error::DecodeError;
pub(crate) use header::{Head, MessageKind};
