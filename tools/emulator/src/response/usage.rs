//! The usage of a response. It is derived from the request, so every run reports the same tokens,
//! and varies enough between requests to test accounting.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// Characters per token.
const CHARACTERS_PER_TOKEN: u64 = 4;
/// The latency that responses report, in milliseconds. Constant, so that equal requests get equal
/// responses.
pub(super) const LATENCY_MS: u64 = 420;

/// Token counts of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmulatedUsage {
    /// Input tokens, without those read from or written to the cache.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// Tokens read from and written to the cache.
    pub cache: CacheUsage,
}

impl Serialize for EmulatedUsage {
    /// In Converse's form.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.converse().serialize(serializer)
    }
}

/// Cached tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheUsage {
    /// The response does not mention the cache.
    Unmentioned,
    /// The response reports these counts.
    Counted {
        /// Tokens read.
        read: u64,
        /// Tokens written with a lifetime of five minutes.
        write_5m: u64,
        /// Tokens written with a lifetime of one hour.
        write_1h: u64,
    },
}

impl EmulatedUsage {
    /// The usage of the response `text` to a request whose body has this digest and length.
    pub(crate) fn of(digest: &[u8; 32], body_bytes: usize, text: &str, max_tokens: Option<u64>) -> Self {
        let random = |index: usize| u64::from(digest[index]) << 8 | u64::from(digest[index + 1]);
        let characters = u64::try_from(body_bytes).unwrap_or(u64::MAX);
        let written = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let output = written.div_ceil(CHARACTERS_PER_TOKEN) + random(2) % 50;
        let cache = match digest[0] % 5 {
            0 => CacheUsage::Unmentioned,
            1 => CacheUsage::Counted {
                read: 0,
                write_5m: 0,
                write_1h: 0,
            },
            2 => CacheUsage::Counted {
                read: 1 + random(4) % 5000,
                write_5m: 0,
                write_1h: 0,
            },
            3 => CacheUsage::Counted {
                read: random(4) % 5000,
                write_5m: 1 + random(6) % 3000,
                write_1h: 0,
            },
            _ => CacheUsage::Counted {
                read: random(4) % 5000,
                write_5m: random(6) % 3000,
                write_1h: 1 + random(8) % 2000,
            },
        };
        Self {
            input: characters.div_ceil(CHARACTERS_PER_TOKEN) + random(10) % 100,
            output: max_tokens.map_or(output, |most| output.min(most)),
            cache,
        }
    }

    /// Tokens read from and written to the cache.
    pub(crate) fn cached(&self) -> (u64, u64) {
        match self.cache {
            CacheUsage::Unmentioned => (0, 0),
            CacheUsage::Counted {
                read,
                write_5m,
                write_1h,
            } => (read, write_5m + write_1h),
        }
    }

    /// Converse's `usage`, with the undocumented members that the service also sends.
    pub(crate) fn converse(&self) -> Value {
        let (read, write) = self.cached();
        let mut usage = json!({
            "inputTokens": self.input,
            "outputTokens": self.output,
            "totalTokens": self.input + self.output + read + write,
            "serverToolUsage": {},
        });
        if let CacheUsage::Counted {
            write_5m, write_1h, ..
        } = self.cache
        {
            for (name, count) in [("Read", read), ("Write", write)] {
                usage[format!("cache{name}InputTokens")] = count.into();
                usage[format!("cache{name}InputTokenCount")] = count.into();
            }
            let details: Vec<Value> = [("1h", write_1h), ("5m", write_5m)]
                .into_iter()
                .filter(|(_, tokens)| *tokens > 0)
                .map(|(ttl, tokens)| json!({ "ttl": ttl, "inputTokens": tokens }))
                .collect();
            if !details.is_empty() {
                usage["cacheDetails"] = details.into();
            }
        }
        usage
    }

    /// `usage` in Anthropic's form. `output` replaces its output tokens, since `message_start`
    /// reports fewer.
    pub(crate) fn anthropic(&self, output: u64) -> Value {
        let mut usage = json!({ "input_tokens": self.input, "output_tokens": output });
        if let CacheUsage::Counted {
            read,
            write_5m,
            write_1h,
        } = self.cache
        {
            usage["cache_read_input_tokens"] = read.into();
            usage["cache_creation_input_tokens"] = (write_5m + write_1h).into();
            usage["cache_creation"] =
                json!({ "ephemeral_5m_input_tokens": write_5m, "ephemeral_1h_input_tokens": write_1h });
        }
        usage
    }

    /// `amazon-bedrock-invocationMetrics` in the last event of a stream.
    pub(crate) fn invocation_metrics(&self) -> Value {
        let mut metrics = json!({
            "inputTokenCount": self.input,
            "outputTokenCount": self.output,
            "invocationLatency": LATENCY_MS,
            "firstByteLatency": LATENCY_MS / 2,
        });
        if let CacheUsage::Counted {
            read,
            write_5m,
            write_1h,
        } = self.cache
        {
            metrics["cacheReadInputTokenCount"] = read.into();
            metrics["cacheWriteInputTokenCount"] = (write_5m + write_1h).into();
        }
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_the_sum_and_details_are_the_writes() {
        for first in 0..5 {
            let mut digest = [7; 32];
            digest[0] = first;
            let usage = EmulatedUsage::of(&digest, 100, "text", None);
            let shown = usage.converse();
            let number = |name: &str| shown[name].as_u64().unwrap_or(0);
            assert_eq!(
                number("totalTokens"),
                number("inputTokens")
                    + number("outputTokens")
                    + number("cacheReadInputTokens")
                    + number("cacheWriteInputTokens")
            );
            let details: u64 = shown["cacheDetails"].as_array().map_or(0, |all| {
                all.iter().map(|one| one["inputTokens"].as_u64().unwrap()).sum()
            });
            assert_eq!(details, number("cacheWriteInputTokens"));
        }
    }

    #[test]
    fn max_tokens_bounds_the_output() {
        assert_eq!(
            EmulatedUsage::of(&[9; 32], 100, &"x".repeat(1000), Some(3)).output,
            3
        );
    }
}
