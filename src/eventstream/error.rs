//! Why an event stream cannot be decoded.

/// Why a stream could not be read on. For counters: the stream itself reaches the client all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DecodeError {
    /// The checksum of a message's first eight bytes is wrong.
    PreludeChecksum,
    /// A message's length is below its framing or above [`MAX_MESSAGE_BYTES`](super::MAX_MESSAGE_BYTES).
    MessageLength,
    /// The headers' length is above [`MAX_HEADERS_BYTES`](super::MAX_HEADERS_BYTES) or does not fit into the message.
    HeadersLength,
    /// A header reaches past the end of the headers.
    HeaderCut,
    /// A header has a type that the protocol does not know.
    HeaderType,
    /// A header's name or text is not UTF-8.
    HeaderText,
    /// The checksum of a whole message is wrong.
    MessageChecksum,
}

impl DecodeError {
    /// Every defect.
    pub const ALL: [Self; 7] = [
        Self::PreludeChecksum,
        Self::MessageLength,
        Self::HeadersLength,
        Self::HeaderCut,
        Self::HeaderType,
        Self::HeaderText,
        Self::MessageChecksum,
    ];

    /// A stable word for it, for counters and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PreludeChecksum => "prelude_checksum",
            Self::MessageLength => "message_length",
            Self::HeadersLength => "headers_length",
            Self::HeaderCut => "header_cut",
            Self::HeaderType => "header_type",
            Self::HeaderText => "header_text",
            Self::MessageChecksum => "message_checksum",
        }
    }
}
