//! The Bedrock operations that the gateway serves.

/// A Bedrock operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Converse: a response in the common message format.
    Converse,
    /// ConverseStream: the same as an event stream.
    ConverseStream,
    /// InvokeModel: a response in the model's own format.
    Invoke,
    /// InvokeModelWithResponseStream: the same as an event stream.
    InvokeWithResponseStream,
    /// CountTokens: the number of tokens in a prompt.
    CountTokens,
}

impl Operation {
    /// All operations.
    pub const ALL: [Self; 5] = [
        Self::Converse,
        Self::ConverseStream,
        Self::Invoke,
        Self::InvokeWithResponseStream,
        Self::CountTokens,
    ];

    /// The path segment.
    pub const fn segment(self) -> &'static str {
        match self {
            Self::Converse => "converse",
            Self::ConverseStream => "converse-stream",
            Self::Invoke => "invoke",
            Self::InvokeWithResponseStream => "invoke-with-response-stream",
            Self::CountTokens => "count-tokens",
        }
    }

    /// Whether the response is an event stream.
    pub const fn is_stream(self) -> bool {
        matches!(self, Self::ConverseStream | Self::InvokeWithResponseStream)
    }
}
