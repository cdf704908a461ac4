//! The operations of Bedrock that the gateway serves.

/// What a client asks Bedrock to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// One answer in the common message format.
    Converse,
    /// The same as an event stream.
    ConverseStream,
    /// One answer in the model's own format.
    Invoke,
    /// The same as an event stream.
    InvokeWithResponseStream,
    /// Counts the tokens of a prompt.
    CountTokens,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Converse,
        Self::ConverseStream,
        Self::Invoke,
        Self::InvokeWithResponseStream,
        Self::CountTokens,
    ];

    /// Its path segment.
    pub const fn segment(self) -> &'static str {
        match self {
            Self::Converse => "converse",
            Self::ConverseStream => "converse-stream",
            Self::Invoke => "invoke",
            Self::InvokeWithResponseStream => "invoke-with-response-stream",
            Self::CountTokens => "count-tokens",
        }
    }

    /// Whether it is answered by an event stream.
    pub const fn is_stream(self) -> bool {
        matches!(self, Self::ConverseStream | Self::InvokeWithResponseStream)
    }
}
