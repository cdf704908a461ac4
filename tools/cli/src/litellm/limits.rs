//! Numbers that hold for the whole gateway: attempts, time, size.

use std::time::Duration;

use envoy_bedrock::contract::settings::BODY_LIMIT_DEFAULT_BYTES;

use super::reader::Reader;
use crate::document::field::{Section, YamlField};

/// LiteLLM's default.
const RETRIES_DEFAULT: u32 = 2;
/// Most retries: each is an entry of every failover cluster, and a client has given up long before the last.
const RETRIES_MAX: f64 = 10.0;
/// LiteLLM's default for this route.
const REQUEST_TIMEOUT_DEFAULT: Duration = Duration::from_secs(600);
/// Longest time limit: a week.
const REQUEST_TIMEOUT_MAX_SECONDS: f64 = 604_800.0;
const BYTES_PER_MEGABYTE: f64 = 1_048_576.0;
/// Largest request body that can be asked for: Envoy holds it in memory for its retries.
const BODY_LIMIT_MAX_MEGABYTES: f64 = 1024.0;

/// Attempts of a request: `num_retries` + 1.
pub(crate) fn attempts(router: &Section, litellm: &Section, reader: &mut Reader<'_>) -> Option<u32> {
    let Some(field) = first(
        [router.field("num_retries"), litellm.field("num_retries")],
        reader,
    ) else {
        return Some(RETRIES_DEFAULT + 1);
    };
    let retries = reader.number(&field)?;
    if retries.fract() != 0.0 || !(0.0..=RETRIES_MAX).contains(&retries) {
        let expected = format!("a whole number from 0 to {RETRIES_MAX}");
        return reader.unexpected(&field.location, expected, retries.to_string());
    }
    Some(retries as u32 + 1)
}

/// The time limit of a request.
pub(crate) fn request_timeout(
    router: &Section,
    litellm: &Section,
    general: &Section,
    reader: &mut Reader<'_>,
) -> Option<Duration> {
    let locations = [
        litellm.field("request_timeout"),
        router.field("timeout"),
        general.field("pass_through_request_timeout"),
    ];
    let Some(field) = first(locations, reader) else {
        return Some(REQUEST_TIMEOUT_DEFAULT);
    };
    let seconds = reader.number(&field)?;
    if !(0.001..=REQUEST_TIMEOUT_MAX_SECONDS).contains(&seconds) {
        let expected = format!("a time of 0.001 to {REQUEST_TIMEOUT_MAX_SECONDS} seconds");
        return reader.unexpected(&field.location, expected, seconds.to_string());
    }
    Some(Duration::from_secs_f64(seconds))
}

/// The first field that is there; a note at each of the others.
fn first<const N: usize>(fields: [Option<YamlField>; N], reader: &mut Reader<'_>) -> Option<YamlField> {
    let mut present = fields.into_iter().flatten();
    let first = present.next()?;
    for other in present {
        reader.note(
            &other.location,
            format!("not used: {} goes before it", first.location.path),
        );
    }
    Some(first)
}

/// The largest request body, in bytes.
pub(crate) fn body_limit(general: &Section, reader: &mut Reader<'_>) -> Option<u64> {
    let Some(field) = general.field("max_request_size_mb") else {
        return Some(BODY_LIMIT_DEFAULT_BYTES);
    };
    let megabytes = reader.number(&field)?;
    let bytes = (megabytes * BYTES_PER_MEGABYTE).floor();
    if bytes < 1.0 || megabytes > BODY_LIMIT_MAX_MEGABYTES {
        let expected = format!("a size above 0 and up to {BODY_LIMIT_MAX_MEGABYTES} megabytes");
        return reader.unexpected(&field.location, expected, megabytes.to_string());
    }
    Some(bytes as u64)
}
