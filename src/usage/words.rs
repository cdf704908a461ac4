//! AWS's words in a response, as closed enums: what is not known is `Other`.

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
