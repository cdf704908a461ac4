//! Response bodies that are one JSON document.

use serde_json::Value;

use super::input::{cut, tolerated};
use super::observation::consistent;
#[cfg(test)]
use crate::usage::StopReason;
use crate::usage::{
    BodyObserver, Ending, HeaderUsage, LatencyTier, Observation, ServiceTier, UnreadableReason, Usage,
    UsageSource,
};

/// A response body reads the same however it is cut, is malformed if and only if serde_json rejects
/// it, and yields the usage that serde_json finds in it. The first byte is the recipe for the cuts.
pub fn response(data: &[u8]) {
    let Some((&recipe, body)) = data.split_first() else {
        return;
    };
    let cuts = cut(body, recipe);
    let observation = observe_body(&[body]);
    assert_eq!(observe_body(&cuts), observation);
    consistent(&observation);
    let malformed = observation.unreadable == Some(UnreadableReason::Json);
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => {
            assert!(!malformed);
            let usage = value["usage"].as_object();
            // If an object has the members of both formats, their order decides. A `Value` loses
            // it.
            if usage.is_none_or(|usage| usage.keys().all(|key| !key.contains('_'))) {
                assert_eq!(
                    (observation.usage, observation.service_tier, observation.latency),
                    expected(&value)
                );
            }
        }
        Err(error) if tolerated(&error) || std::str::from_utf8(body).is_err() => {}
        // Cut, perhaps after the usage.
        Err(error) if error.is_eof() => {
            assert!(malformed || body.is_empty() || observation.source == UsageSource::Reported);
        }
        Err(_) => assert!(malformed),
    }
}

/// What a reader that holds a whole Converse response finds in it.
pub(crate) fn expected(response: &Value) -> (Option<Usage>, Option<ServiceTier>, Option<LatencyTier>) {
    let word = |value: &Value| value.as_str().map(|word| word.as_bytes().to_vec());
    let (tier, latency) = (&response["serviceTier"], &response["performanceConfig"]);
    (
        expected_usage(&response["usage"]),
        word(&tier["type"])
            .or(word(tier))
            .map(|word| ServiceTier::from_word(&word)),
        word(&latency["latency"])
            .or(word(latency))
            .map(|word| LatencyTier::from_word(&word)),
    )
}

/// The stop reason, in either format.
#[cfg(test)]
pub(crate) fn expected_stop_reason(response: &Value) -> Option<StopReason> {
    response["stopReason"]
        .as_str()
        .map(|word| StopReason::from_word(word.as_bytes()))
}

fn expected_usage(usage: &Value) -> Option<Usage> {
    let count = |key: &str| usage[key].as_u64();
    let write = count("cacheWriteInputTokens")
        .or(count("cacheWriteInputTokenCount"))
        .unwrap_or(0);
    let lifetime = |ttl: &str| {
        let details = usage["cacheDetails"].as_array().into_iter().flatten();
        details
            .filter(|detail| detail["ttl"] == ttl)
            .filter_map(|detail| detail["inputTokens"].as_u64())
            .fold(0u64, u64::saturating_add)
    };
    let (cache_write_5m, cache_write_1h) = match (lifetime("5m"), lifetime("1h")) {
        (five, hour) if five.checked_add(hour) == Some(write) => (five, hour),
        _ => (write, 0),
    };
    Some(Usage {
        input: count("inputTokens")?,
        output: count("outputTokens")?,
        cache_read: count("cacheReadInputTokens")
            .or(count("cacheReadInputTokenCount"))
            .unwrap_or(0),
        cache_write_5m,
        cache_write_1h,
    })
}

fn observe_body(chunks: &[&[u8]]) -> Observation {
    let mut observer = BodyObserver::default();
    chunks.iter().for_each(|chunk| observer.push(chunk));
    observer.finish(Ending::Whole, &HeaderUsage::default(), 400)
}
