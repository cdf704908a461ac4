//! Bedrock's prompt cache, which each region has for itself: what a `cachePoint` of the system prompt
//! marks is written by the first request and read by later ones.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::usage::CacheUsage;

/// Characters per token, as everywhere in the emulator.
const CHARACTERS_PER_TOKEN: usize = 4;

/// What all regions have cached.
#[derive(Debug, Default)]
pub(crate) struct PromptCache(Mutex<HashSet<[u8; 32]>>);

impl PromptCache {
    /// What a Converse request reads and writes; `None` if its system prompt has no cache point.
    pub(super) fn usage(&self, region: &str, model_id: &str, body: &[u8]) -> Option<CacheUsage> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let system = body.get("system")?.as_array()?;
        let point = system
            .iter()
            .position(|block| block.get("cachePoint").is_some())?;
        let prefix = serde_json::to_string(&system[..point]).ok()?;
        let mut hash = Sha256::new();
        for part in [region, model_id, &prefix] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = cached.insert(hash.finalize().into());
        let tokens = u64::try_from(prefix.len().div_ceil(CHARACTERS_PER_TOKEN)).unwrap_or(u64::MAX);
        Some(CacheUsage::Counted {
            read: if is_new { 0 } else { tokens },
            write_5m: if is_new { tokens } else { 0 },
            write_1h: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_region_reads_what_it_has_written_itself() {
        let cache = PromptCache::default();
        let read = |region: &str, body: &Value| {
            let usage = cache.usage(region, "m", body.to_string().as_bytes());
            match usage? {
                CacheUsage::Counted { read, .. } => Some(read > 0),
                CacheUsage::Unmentioned => None,
            }
        };
        let body = json!({ "system": [{ "text": "long" }, { "cachePoint": { "type": "default" } }] });
        assert_eq!(read("west", &body), Some(false));
        assert_eq!(read("west", &body), Some(true));
        assert_eq!(read("east", &body), Some(false));
        assert_eq!(read("west", &json!({ "system": [{ "text": "long" }] })), None);
    }
}
