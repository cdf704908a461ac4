//! The tokens of an answer: made up from the request, so that every run reports the same, and different enough from
//! request to request to test accounting.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// Characters that one token stands for.
const CHARACTERS_PER_TOKEN: u64 = 4;
/// Latency that answers claim, in milliseconds: constant, so that equal requests get equal answers.
pub(super) const LATENCY_MS: u64 = 420;

/// Tokens as Bedrock counts them: `input` is without the cached ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmulatedUsage {
    /// Neither read from nor written to the cache.
    pub input: u64,
    /// Of the answer.
    pub output: u64,
    /// What the prompt had to do with the cache.
    pub cache: CacheUsage,
}

impl Serialize for EmulatedUsage {
    /// In Converse's form.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.converse().serialize(serializer)
    }
}

/// The cache's part of a usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheUsage {
    /// The answer has no cache members.
    Unmentioned,
    /// Tokens read, and written to live for five minutes and an hour.
    Counted {
        /// Read.
        read: u64,
        /// Written for five minutes.
        write_5m: u64,
        /// Written for an hour.
        write_1h: u64,
    },
}

impl EmulatedUsage {
    /// Usage of a request whose body has `body_bytes` and this digest, answered with `text`.
    pub(crate) fn of(digest: &[u8; 32], body_bytes: usize, text: &str, max_tokens: Option<u64>) -> Self {
        let dice = |at: usize| u64::from(digest[at]) << 8 | u64::from(digest[at + 1]);
        let characters = u64::try_from(body_bytes).unwrap_or(u64::MAX);
        let written = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let output = written.div_ceil(CHARACTERS_PER_TOKEN) + dice(2) % 50;
        let cache = match digest[0] % 5 {
            0 => CacheUsage::Unmentioned,
            1 => CacheUsage::Counted {
                read: 0,
                write_5m: 0,
                write_1h: 0,
            },
            2 => CacheUsage::Counted {
                read: 1 + dice(4) % 5000,
                write_5m: 0,
                write_1h: 0,
            },
            3 => CacheUsage::Counted {
                read: dice(4) % 5000,
                write_5m: 1 + dice(6) % 3000,
                write_1h: 0,
            },
            _ => CacheUsage::Counted {
                read: dice(4) % 5000,
                write_5m: dice(6) % 3000,
                write_1h: 1 + dice(8) % 2000,
            },
        };
        Self {
            input: characters.div_ceil(CHARACTERS_PER_TOKEN) + dice(10) % 100,
            output: max_tokens.map_or(output, |most| output.min(most)),
            cache,
        }
    }

    /// Read and written.
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

    /// Converse's `usage`, with the members that the service sends besides those of its model.
    pub fn converse(&self) -> Value {
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

    /// `usage` in Anthropic's form, with `output` instead of the own one (`message_start` has another).
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

    /// `amazon-bedrock-invocationMetrics` of a stream's last event.
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
