//! Limits that apply to the whole gateway: attempts, time, body size.

use std::time::Duration;

use envoy_bedrock::contract::settings::{BODY_LIMIT_DEFAULT_BYTES, BUFFERED_BODIES_DEFAULT_BYTES};

use super::known;
use super::numbers::PARALLEL_REQUESTS_MAX;
use super::report::Reader;
use super::similar::nearest;
use crate::document::field::{Section, YamlField, quoted};
use crate::document::reader::Read;

/// LiteLLM's default.
const RETRIES_DEFAULT: u32 = 2;
/// LiteLLM's default for its pass-through route.
pub(crate) const REQUEST_TIMEOUT_DEFAULT: Duration = Duration::from_secs(600);
const BYTES_PER_MEGABYTE: f64 = 1_048_576.0;
/// Largest limit of a request body, which Envoy keeps in memory for retries.
const BODY_LIMIT_MAX_MEGABYTES: f64 = 1024.0;

/// Largest limit of all request bodies together: a tebibyte.
const BUFFERED_BODIES_MAX_MEGABYTES: f64 = 1_048_576.0;

impl Reader<'_> {
    /// The attempts of a request: `num_retries` + 1.
    pub(crate) fn attempts(&mut self, router: &Section, litellm: &Section) -> Read<u32> {
        let fields = [router.field("num_retries"), litellm.field("num_retries")];
        let Some(field) = self.first_of(fields) else {
            return Ok(RETRIES_DEFAULT + 1);
        };
        Ok(self.retries(&field)? + 1)
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
        let limit = self.time_limit(&field)?;
        Ok(limit.map_or(REQUEST_TIMEOUT_DEFAULT, Duration::from_millis))
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

    /// The most model requests at once; `None` if they are not limited.
    pub(crate) fn parallel_requests(&mut self, general: &Section) -> Read<Option<u64>> {
        let Some(field) = general.field("global_max_parallel_requests") else {
            return Ok(None);
        };
        self.whole_number(&field, 1, PARALLEL_REQUESTS_MAX).map(Some)
    }

    /// The status of requests that exceed a budget; `None` for the default.
    pub(crate) fn budget_exceeded_status(&mut self, litellm: &Section) -> Read<Option<u16>> {
        let Some(field) = litellm.field("budget_exceeded_status_code") else {
            return Ok(None);
        };
        let status = self.integer(&field)?;
        let valid = u16::try_from(status)
            .ok()
            .filter(|status| (400..=499).contains(status));
        let expected = "a status from 400 to 499";
        valid
            .map(Some)
            .ok_or_else(|| self.unexpected(&field.location, expected, status.to_string()))
    }

    /// The most bytes of request bodies at once; `None` for the default. A body of the largest
    /// size, `body_limit` in bytes, always fits.
    pub(crate) fn buffered_bodies(&mut self, own: &Section, body_limit: u64) -> Read<Option<u64>> {
        let Some(field) = own.field("max_buffered_body_mb") else {
            return Ok((body_limit > BUFFERED_BODIES_DEFAULT_BYTES).then_some(body_limit));
        };
        let megabytes = self.number(&field)?;
        let bytes = (megabytes * BYTES_PER_MEGABYTE).floor();
        if bytes < body_limit as f64 || megabytes > BUFFERED_BODIES_MAX_MEGABYTES {
            let least = body_limit as f64 / BYTES_PER_MEGABYTE;
            let expected = format!(
                "a size from {least} (the largest request body) to {BUFFERED_BODIES_MAX_MEGABYTES} megabytes"
            );
            return Err(self.unexpected(&field.location, expected, megabytes.to_string()));
        }
        Ok(Some(bytes as u64))
    }

    /// Refuses names in `envoy_bedrock` that this gateway does not have: nobody else reads them.
    pub(crate) fn refuse_unknown_own(&mut self, own: &Section) {
        let names = || known::ENVOY_BEDROCK.names();
        for (name, field) in own.unused() {
            let hint = nearest(&name, names()).map(|nearest| format!(" (did you mean {nearest}?)"));
            let found = quoted(&name) + &hint.unwrap_or_default();
            let expected = format!(
                "one of these settings: {}",
                names().collect::<Vec<_>>().join(", ")
            );
            self.unexpected(&field.location, expected, found);
        }
    }

    /// The first field that is present. The others are noted.
    pub(crate) fn first_of<const N: usize>(&mut self, fields: [Option<YamlField>; N]) -> Option<YamlField> {
        let mut present = fields.into_iter().flatten();
        let first = present.next()?;
        for other in present {
            let text = format!("not used: {} takes precedence", first.location.path);
            self.note(&other.location, text);
        }
        Some(first)
    }
}
