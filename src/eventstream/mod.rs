//! AWS's event stream framing (`application/vnd.amazon.eventstream`), read as it passes.
//!
//! ```text
//!   0        4            8             12                                        length - 4
//!   ├────────┼────────────┼─────────────┼───────────────┬───────────────────────────┼─────────────┤
//!   │ length │ headers    │ CRC-32 of   │ headers       │ payload                   │ CRC-32 of   │
//!   │ u32 BE │ length u32 │ bytes 0…7   │               │                           │ all before  │
//! ```
//!
//! The decoder only looks: it holds no payload, changes no byte and delays none. What arrives is handed on in pieces
//! that borrow from the caller's chunk, and counts only when the message's checksum has been right ([`MessageSink`]). The
//! first defect ends the decoding for good, because behind it no message boundary can be trusted.
//!
//! It does not encode, and it gives no meaning to events: `usage` does.

mod crc;
mod decoder;
mod error;
mod header;
#[cfg(test)]
mod tests;

pub use crc::Crc32;
pub use decoder::{Decoder, MAX_HEADERS_BYTES, MAX_MESSAGE_BYTES, MessageSink};
pub use error::DecodeError;
pub use header::{EventHeader, EventHeaders, EventValue, Head, MessageKind};
