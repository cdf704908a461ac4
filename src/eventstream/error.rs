//! Why an event stream cannot be decoded.

/// Why decoding stopped. This affects only counters: the stream still reaches the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DecodeError {
    /// The checksum of a message's first eight bytes does not match.
    PreludeChecksum,
    /// The length of a message is less than its framing or greater than
    /// [`MAX_MESSAGE_BYTES`](super::decoder::MAX_MESSAGE_BYTES).
    MessageLength,
    /// The length of the headers is greater than
    /// [`MAX_HEADERS_BYTES`](super::decoder::MAX_HEADERS_BYTES) or than that of the message.
    HeadersLength,
    /// A header extends past the end of the headers.
    HeaderCut,
    /// The type of a header value is unknown.
    HeaderType,
    /// The name or text of a header is not UTF-8.
    HeaderText,
    /// The checksum of a message does not match.
    MessageChecksum,
}

impl DecodeError {
    /// Every error.
    pub const ALL: [Self; 7] = [
        Self::PreludeChecksum,
        Self::MessageLength,
        Self::HeadersLength,
        Self::HeaderCut,
        Self::HeaderType,
        Self::HeaderText,
        Self::MessageChecksum,
    ];

    /// A stable name for counters and logs.
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
