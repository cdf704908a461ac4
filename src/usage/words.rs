//! The values of AWS's string enums in responses. Unknown values become `Other`.

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// Any other value.
            Other,
        }

        impl $name {
            /// Every variant.
            pub const ALL: &[Self] = &[$(Self::$variant,)+ Self::Other];

            /// The variant for a value on the wire.
            pub fn from_word(word: &[u8]) -> Self {
                match word {
                    $(word if word == $word.as_bytes() => Self::$variant,)+
                    _ => Self::Other,
                }
            }

            /// The value on the wire; `other` for unknown ones.
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
    /// The service tier that served a request. It affects the price.
    ServiceTier {
        /// The standard price.
        Default = "default",
        /// Faster and more expensive.
        Priority = "priority",
        /// Slower and cheaper.
        Flex = "flex",
        /// Reserved capacity.
        Reserved = "reserved",
        /// A tier that appears only in price lists.
        Balanced = "balanced",
        /// The name of `priority` in price lists.
        Fast = "fast",
        /// A tier that appears only in price lists.
        Ultrafast = "ultrafast",
    }
}

words! {
    /// `performanceConfig.latency`.
    LatencyTier {
        /// The default.
        Standard = "standard",
        /// Latency-optimized inference.
        Optimized = "optimized",
    }
}

words! {
    /// Why the model stopped.
    StopReason {
        /// The response is complete.
        EndTurn = "end_turn",
        /// The model requests a tool call.
        ToolUse = "tool_use",
        /// The token limit of the request was reached.
        MaxTokens = "max_tokens",
        /// A stop sequence of the request was generated.
        StopSequence = "stop_sequence",
        /// A guardrail intervened.
        GuardrailIntervened = "guardrail_intervened",
        /// A content filter intervened.
        ContentFiltered = "content_filtered",
        /// The model's output was malformed.
        MalformedModelOutput = "malformed_model_output",
        /// The model's tool call was malformed.
        MalformedToolUse = "malformed_tool_use",
        /// The context window is full.
        ModelContextWindowExceeded = "model_context_window_exceeded",
        /// The model declined to respond (Anthropic).
        Refusal = "refusal",
        /// The model paused a long turn (Anthropic).
        PauseTurn = "pause_turn",
    }
}

words! {
    /// A failure within a stream whose status was 200: the `:exception-type`, or the `:error-code`
    /// of an unmodeled error.
    StreamException {
        /// The service failed.
        InternalServer = "internalServerException",
        /// The model failed during the response.
        ModelStreamError = "modelStreamErrorException",
        /// The model took too long.
        ModelTimeout = "modelTimeoutException",
        /// The service is overloaded.
        ServiceUnavailable = "serviceUnavailableException",
        /// Too many requests or tokens.
        Throttling = "throttlingException",
        /// The request was invalid.
        Validation = "validationException",
    }
}
