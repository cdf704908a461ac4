//! What a request used, read from the answer's bytes as they pass.
//!
//! Nothing here holds, changes or delays an answer: [`BodyObserver`] and [`StreamObserver`] look at each chunk once and
//! keep a few numbers. What they cannot read they report as such ([`UsageSource`]): a failure to account is never a
//! failure of the request.

mod base64;
mod body;
mod chunk;
mod estimate;
mod fields;
mod headers;
mod observe;
mod reading;
mod scan;
mod stream;
#[cfg(test)]
mod tests;

pub use body::BodyObserver;
pub use estimate::{CHARACTERS_PER_TOKEN, ESTIMATED_INPUT_MAX_TOKENS, REQUEST_BYTES_PER_TOKEN};
pub use headers::HeaderUsage;
pub use observe::{Ending, Observation, Unread};
pub use stream::{StreamKind, StreamObserver};

/// Tokens of one request. The parts of the prompt do not overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Prompt tokens that were neither read from nor written to a cache.
    pub input: u64,
    /// Tokens of the answer, its reasoning included.
    pub output: u64,
    /// Prompt tokens read from a cache.
    pub cache_read: u64,
    /// Prompt tokens written to a cache for five minutes, or for a time that was not told.
    pub cache_write_5m: u64,
    /// Prompt tokens written to a cache for one hour.
    pub cache_write_1h: u64,
}

impl Usage {
    /// The whole prompt (LiteLLM's `prompt_tokens`), cached or not; `None` if it does not fit.
    pub fn prompt(&self) -> Option<u64> {
        self.input
            .checked_add(self.cache_read)?
            .checked_add(self.cache_write()?)
    }

    /// All cache writes; `None` if they do not fit.
    pub fn cache_write(&self) -> Option<u64> {
        self.cache_write_5m.checked_add(self.cache_write_1h)
    }

    /// Prompt and answer; `None` if they do not fit.
    pub fn total(&self) -> Option<u64> {
        self.prompt()?.checked_add(self.output)
    }
}

/// Where the numbers of a row come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UsageSource {
    /// The answer's own `usage` (or the stream's own account).
    Reported,
    /// The answer's `x-amzn-bedrock-*-token-count` headers.
    Headers,
    /// Guessed from what was seen, because the account never came: the client left or the answer was cut.
    Estimated,
    /// There was an answer that could not be read. No numbers.
    Unparsed,
    /// There was nothing to read them from. No numbers.
    Unknown,
}

impl UsageSource {
    /// Its name in the spend log (`usage_source`).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Headers => "headers",
            Self::Estimated => "estimated",
            Self::Unparsed => "unparsed",
            Self::Unknown => "unknown",
        }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// A word that was not known when this was written.
            Other,
        }

        impl $name {
            /// Every variant.
            pub const ALL: &[Self] = &[$(Self::$variant,)+ Self::Other];

            /// The variant of a word on the wire.
            pub fn from_word(word: &[u8]) -> Self {
                match word {
                    $(word if word == $word.as_bytes() => Self::$variant,)+
                    _ => Self::Other,
                }
            }

            /// The word on the wire; `other` for what was not known.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Other => "other",
                }
            }
        }
    };
}

words! {
    /// Service tier that served a request; it changes the price.
    ServiceTier {
        /// The standard price.
        Default = "default",
        /// Faster and dearer.
        Priority = "priority",
        /// Slower and cheaper.
        Flex = "flex",
        /// Reserved capacity.
        Reserved = "reserved",
        /// A tier of price lists.
        Balanced = "balanced",
        /// Another name of `priority` in price lists.
        Fast = "fast",
        /// A tier of price lists.
        Ultrafast = "ultrafast",
    }
}

words! {
    /// `performanceConfig.latency`.
    LatencyTier {
        /// The usual.
        Standard = "standard",
        /// Latency-optimised inference.
        Optimized = "optimized",
    }
}

words! {
    /// Why the model stopped.
    StopReason {
        /// It was done.
        EndTurn = "end_turn",
        /// It wants a tool to be called.
        ToolUse = "tool_use",
        /// The request's own limit.
        MaxTokens = "max_tokens",
        /// One of the request's stop sequences.
        StopSequence = "stop_sequence",
        /// A guardrail stepped in.
        GuardrailIntervened = "guardrail_intervened",
        /// A content filter stepped in.
        ContentFiltered = "content_filtered",
        /// The model's output could not be read.
        MalformedModelOutput = "malformed_model_output",
        /// The model's tool call could not be read.
        MalformedToolUse = "malformed_tool_use",
        /// The context window is full.
        ModelContextWindowExceeded = "model_context_window_exceeded",
        /// The model refused (Anthropic).
        Refusal = "refusal",
        /// The model paused a long turn (Anthropic).
        PauseTurn = "pause_turn",
    }
}

words! {
    /// A failure inside a stream whose status was 200: `:exception-type`, or `:error-code` outside the model.
    StreamException {
        /// The service failed.
        InternalServer = "internalServerException",
        /// The model failed while it was answering.
        ModelStreamError = "modelStreamErrorException",
        /// The model took too long.
        ModelTimeout = "modelTimeoutException",
        /// The service is overloaded.
        ServiceUnavailable = "serviceUnavailableException",
        /// Too many requests or tokens.
        Throttling = "throttlingException",
        /// The request was wrong.
        Validation = "validationException",
    }
}
