//! Token counts in InvokeModel's response headers. Models that report no usage in the body, such as
//! embedding models, report it only here.

use crate::usage::tokens::Usage;
use crate::usage::words::{LatencyTier, ServiceTier};

/// Usage and tiers reported by response headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeaderUsage {
    input: Option<u64>,
    output: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    /// `x-amzn-bedrock-service-tier`.
    pub service_tier: Option<ServiceTier>,
    /// `x-amzn-bedrock-performanceconfig-latency`.
    pub latency: Option<LatencyTier>,
}

impl HeaderUsage {
    /// Takes one response header. Names are in lower case, as in Envoy. Unrelated headers and
    /// invalid numbers are ignored.
    pub(crate) fn header(&mut self, name: &[u8], value: &[u8]) {
        match name {
            b"x-amzn-bedrock-input-token-count" => self.input = number(value),
            b"x-amzn-bedrock-output-token-count" => self.output = number(value),
            b"x-amzn-bedrock-cache-read-input-token-count" => self.cache_read = number(value),
            b"x-amzn-bedrock-cache-write-input-token-count" => self.cache_write = number(value),
            b"x-amzn-bedrock-service-tier" => self.service_tier = Some(ServiceTier::from_word(value)),
            b"x-amzn-bedrock-performanceconfig-latency" => self.latency = Some(LatencyTier::from_word(value)),
            _ => {}
        }
    }

    /// The usage, if the headers report any token count. Embedding models report no output.
    pub(crate) fn usage(&self) -> Option<Usage> {
        if self.input.is_none() && self.output.is_none() {
            return None;
        }
        Some(Usage {
            input: self.input.unwrap_or_default(),
            output: self.output.unwrap_or_default(),
            cache_read: self.cache_read.unwrap_or_default(),
            cache_write_5m: self.cache_write.unwrap_or_default(),
            cache_write_1h: 0,
        })
    }
}

fn number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}
