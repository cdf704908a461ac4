//! Token counts, and where they come from.

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
