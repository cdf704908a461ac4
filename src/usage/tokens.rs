//! Token counts and their source.

/// The tokens of one request. The parts of the prompt do not overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Prompt tokens that were neither read from nor written to a cache.
    pub input: u64,
    /// Tokens of the response, including reasoning.
    pub output: u64,
    /// Prompt tokens read from a cache.
    pub cache_read: u64,
    /// Prompt tokens written to a cache for five minutes or for an unknown time.
    pub cache_write_5m: u64,
    /// Prompt tokens written to a cache for one hour.
    pub cache_write_1h: u64,
}

impl Usage {
    /// All prompt tokens, cached or not (LiteLLM's `prompt_tokens`); `None` on overflow.
    pub fn prompt(&self) -> Option<u64> {
        self.input
            .checked_add(self.cache_read)?
            .checked_add(self.cache_write()?)
    }

    /// All cache writes; `None` on overflow.
    pub fn cache_write(&self) -> Option<u64> {
        self.cache_write_5m.checked_add(self.cache_write_1h)
    }

    /// Prompt and response; `None` on overflow.
    pub fn total(&self) -> Option<u64> {
        self.prompt()?.checked_add(self.output)
    }
}

/// Where the token counts of a request come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UsageSource {
    /// The body of the response.
    Reported,
    /// The `x-amzn-bedrock-*-token-count` response headers.
    Headers,
    /// Estimated from what was received, because the response was cut before it reported its usage.
    Estimated,
    /// None: the response could not be read.
    Unparsed,
    /// None: the response reported no usage.
    Unknown,
}

impl UsageSource {
    /// The value of `usage_source` in the spend log.
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
