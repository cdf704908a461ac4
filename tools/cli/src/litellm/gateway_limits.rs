//! Limits that apply to the whole gateway: attempts, time, body size.

use std::time::Duration;

use envoy_bedrock::contract::settings::BODY_LIMIT_DEFAULT_BYTES;

use super::report::Reader;
use crate::document::field::{Section, YamlField};
use crate::document::reader::Read;

/// LiteLLM's default.
const RETRIES_DEFAULT: u32 = 2;
/// Most retries: each is an entry of every failover cluster, and clients give up long before the
/// last.
const RETRIES_MAX: f64 = 10.0;
/// LiteLLM's default for its pass-through route.
const REQUEST_TIMEOUT_DEFAULT: Duration = Duration::from_secs(600);
/// Longest time limit: a week.
const REQUEST_TIMEOUT_MAX_SECONDS: f64 = 604_800.0;
const BYTES_PER_MEGABYTE: f64 = 1_048_576.0;
/// Largest limit of a request body, which Envoy keeps in memory for retries.
const BODY_LIMIT_MAX_MEGABYTES: f64 = 1024.0;

impl Reader<'_> {
    /// The attempts of a request: `num_retries` + 1.
    pub(crate) fn attempts(&mut self, router: &Section, litellm: &Section) -> Read<u32> {
        let fields = [router.field("num_retries"), litellm.field("num_retries")];
        let Some(field) = self.first_of(fields) else {
            return Ok(RETRIES_DEFAULT + 1);
        };
        let retries = self.number(&field)?;
        if retries.fract() != 0.0 || !(0.0..=RETRIES_MAX).contains(&retries) {
            let expected = format!("a whole number from 0 to {RETRIES_MAX}");
            return Err(self.unexpected(&field.location, expected, retries.to_string()));
        }
        Ok(retries as u32 + 1)
    }

    /// The time limit of a request.
    pub(crate) fn request_timeout(
        &mut self,
        router: &Section,
        litellm: &Section,
        general: &Section,
    ) -> Read<Duration> {
        let fields = [
            litellm.field("request_timeout"),
            router.field("timeout"),
            general.field("pass_through_request_timeout"),
        ];
        let Some(field) = self.first_of(fields) else {
            return Ok(REQUEST_TIMEOUT_DEFAULT);
        };
        let seconds = self.number(&field)?;
        if !(0.001..=REQUEST_TIMEOUT_MAX_SECONDS).contains(&seconds) {
            let expected = format!("a time from 0.001 to {REQUEST_TIMEOUT_MAX_SECONDS} seconds");
            return Err(self.unexpected(&field.location, expected, seconds.to_string()));
        }
        Ok(Duration::from_secs_f64(seconds))
    }

    /// The largest request body, in bytes.
    pub(crate) fn body_limit(&mut self, general: &Section) -> Read<u64> {
        let Some(field) = general.field("max_request_size_mb") else {
            return Ok(BODY_LIMIT_DEFAULT_BYTES);
        };
        let megabytes = self.number(&field)?;
        let bytes = (megabytes * BYTES_PER_MEGABYTE).floor();
        if bytes < 1.0 || megabytes > BODY_LIMIT_MAX_MEGABYTES {
            let expected = format!("a size above 0 and up to {BODY_LIMIT_MAX_MEGABYTES} megabytes");
            return Err(self.unexpected(&field.location, expected, megabytes.to_string()));
        }
        Ok(bytes as u64)
    }

    /// The first field that is present. The others are noted.
    fn first_of<const N: usize>(&mut self, fields: [Option<YamlField>; N]) -> Option<YamlField> {
        let mut present = fields.into_iter().flatten();
        let first = present.next()?;
        for other in present {
            let text = format!("not used: {} takes precedence", first.location.path);
            self.note(&other.location, text);
        }
        Some(first)
    }
}
