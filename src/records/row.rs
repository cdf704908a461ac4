//! A row of the spend log, under the names of LiteLLM's SpendLogs and StandardLoggingPayload.
//!
//! It is written as the members of a JSON object, without braces, so that Envoy's access logger can
//! append what only Envoy knows.

use crate::pricing::Cost;
use crate::records::client::Client;
use crate::records::fields::JsonFields;
use crate::routing::active_config::KEY_ALIAS;
use crate::routing::plan::Plan;
use crate::time::{Rfc3339, UnixTime};
use crate::usage::{LatencyTier, Observation, ServiceTier, UnreadableReason};

/// `call_type` of probes and lookups, which are no requests for a model.
pub const CALL_TYPE_INTERNAL: &str = "internal";

/// A row of the spend log.
#[derive(Debug)]
pub struct Row<'a> {
    /// What the request said about itself.
    pub client: &'a Client,
    /// When its headers came.
    pub started: UnixTime,
    /// When its stream ended.
    pub ended: UnixTime,
    /// What became of it.
    pub outcome: Outcome<'a>,
}

/// What became of a request.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// The client left before its request was complete or its reply could be sent.
    Incomplete,
    /// The gateway answered a probe or a lookup.
    Internal {
        /// Status that the client got.
        status: u16,
    },
    /// The gateway refused it.
    Refused {
        /// Status that the client got; `None` if it left before.
        status: Option<u16>,
        /// AWS's error type.
        error_type: Option<&'static str>,
        /// Why, in a word for counters.
        reason: &'static str,
    },
    /// It went upstream.
    Served(Served<'a>),
}

/// A request that went upstream, and its response.
#[derive(Debug)]
pub struct Served<'a> {
    /// Its plan.
    pub plan: &'a Plan,
    /// Status that the client got; `None` if it left before or got no response.
    pub status: Option<u16>,
    /// Why it failed; `None` if it did not.
    pub error_class: Option<&'a str>,
    /// Bedrock's `x-amzn-requestid`.
    pub request_id: Option<&'a str>,
    /// When the first content of the response came.
    pub first_content: Option<UnixTime>,
    /// Time that the filter has spent on it, in microseconds.
    pub overhead_us: u64,
    /// What the response said about itself; `None` if it is not billed.
    pub observation: Option<Observation>,
    /// What it cost, if that is known.
    pub cost: Option<Cost>,
}

impl Served<'_> {
    /// Whether it used something whose cost is unknown.
    pub const fn is_cost_unknown(&self) -> bool {
        self.observation.is_some() && self.cost.is_none()
    }
}

impl<'a> Row<'a> {
    /// The request that went upstream, if it did.
    pub const fn served(&self) -> Option<&Served<'a>> {
        match &self.outcome {
            Outcome::Served(served) => Some(served),
            _ => None,
        }
    }

    /// Whether a lookup can find it: probes and lookups would only push out what it is about.
    pub const fn is_kept(&self) -> bool {
        !matches!(self.outcome, Outcome::Internal { .. })
    }

    /// From the request's headers to the end of its stream, in milliseconds.
    pub fn duration_ms(&self) -> u64 {
        self.ended.milliseconds_since(self.started)
    }

    /// From the request's headers to the first content of the response, in milliseconds.
    pub fn first_content_ms(&self) -> Option<u64> {
        let first = self.served()?.first_content?;
        Some(first.milliseconds_since(self.started))
    }

    /// From the first content of the response to the end of the stream, in milliseconds.
    pub fn content_ms(&self) -> Option<u64> {
        let first = self.served()?.first_content?;
        Some(self.ended.milliseconds_since(first))
    }

    /// Status that the client got; `None` if it got no response.
    const fn status(&self) -> Option<u16> {
        match &self.outcome {
            Outcome::Incomplete => None,
            Outcome::Internal { status } => Some(*status),
            Outcome::Refused { status, .. } => *status,
            Outcome::Served(served) => served.status,
        }
    }

    const fn error_class(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Incomplete | Outcome::Internal { .. } => None,
            Outcome::Refused { error_type, .. } => *error_type,
            Outcome::Served(served) => served.error_class,
        }
    }

    const fn is_success(&self) -> bool {
        match &self.outcome {
            Outcome::Incomplete | Outcome::Refused { .. } => false,
            Outcome::Internal { .. } => true,
            Outcome::Served(served) => served.error_class.is_none() && served.status.is_some(),
        }
    }

    /// The row as JSON members, without braces and with a comma at the end, after `room` bytes for
    /// what else goes with it.
    pub fn json(&self, room: usize) -> String {
        let mut fields = JsonFields::reserving(room);
        self.put_identity(&mut fields);
        self.put_request(&mut fields);
        self.put_usage(&mut fields);
        self.put_course(&mut fields);
        fields.into_text()
    }

    fn put_identity(&self, fields: &mut JsonFields) {
        let plan = self.served().map(|served| served.plan);
        let attempt = plan.and_then(Plan::attempt);
        let call_type = match &self.outcome {
            Outcome::Served(served) => Some(served.plan.operation.segment()),
            Outcome::Internal { .. } => Some(CALL_TYPE_INTERNAL),
            Outcome::Incomplete | Outcome::Refused { .. } => None,
        };
        fields.text("request_id", Some(&self.client.call_id));
        fields.text("call_type", call_type);
        fields.text("api_key", plan.map(|plan| plan.config.key_name.as_str()));
        fields.text("key_alias", plan.map(|_| KEY_ALIAS));
        fields.text("model_group", plan.map(|plan| plan.model.name.as_str()));
        fields.text("model", plan.and_then(Plan::upstream_model).as_deref());
        fields.text("model_id", attempt.map(|deployment| deployment.id.as_str()));
        fields.text(
            "model_region",
            attempt.map(|deployment| deployment.region.as_str()),
        );
        fields.text("api_base", attempt.map(|deployment| deployment.endpoint.as_str()));
        fields.texts("request_tags", &self.client.tags);
        fields.text("end_user", self.client.end_user.as_deref());
        fields.json("metadata", self.client.metadata.as_ref());
        fields.text("user_agent", self.client.user_agent.as_deref());
    }

    /// What a request asked for that was not admitted: its model may not exist.
    fn put_request(&self, fields: &mut JsonFields) {
        if let Outcome::Incomplete | Outcome::Refused { .. } = self.outcome {
            fields.text("path", self.client.path().as_deref());
            fields.text("requested_model", self.client.model().as_deref());
        }
    }

    fn put_usage(&self, fields: &mut JsonFields) {
        let served = self.served();
        let seen = served.and_then(|served| served.observation.as_ref());
        let usage = seen.and_then(|seen| seen.usage).unwrap_or_default();
        // An unknown cost is null as a whole and in its parts, never 0.
        let cost = match served {
            Some(served) if served.is_cost_unknown() => None,
            Some(served) => Some(served.cost.unwrap_or_default()),
            None => Some(Cost::default()),
        };
        fields.amount("spend", cost.map(|cost| cost.total()));
        fields.amount("input_cost", cost.map(|cost| cost.input));
        fields.amount("output_cost", cost.map(|cost| cost.output));
        fields.amount("cache_read_cost", cost.map(|cost| cost.cache_read));
        fields.amount("cache_creation_cost", cost.map(|cost| cost.cache_creation));
        let cache_write = usage.cache_write().unwrap_or_default();
        fields.number("prompt_tokens", Some(usage.prompt().unwrap_or_default()));
        fields.number("completion_tokens", Some(usage.output));
        fields.number("total_tokens", Some(usage.total().unwrap_or_default()));
        fields.number("cache_read_input_tokens", Some(usage.cache_read));
        fields.number("cache_creation_input_tokens", Some(cache_write));
        let unreadable = seen.and_then(|seen| seen.unreadable);
        let service_tier = seen.and_then(|seen| seen.service_tier);
        let latency = seen.and_then(|seen| seen.latency);
        fields.text("usage_source", seen.map(|seen| seen.source.as_str()));
        fields.text("usage_unread", unreadable.map(UnreadableReason::as_str));
        fields.text("service_tier", service_tier.map(ServiceTier::as_str));
        fields.text("performance_latency", latency.map(LatencyTier::as_str));
    }

    fn put_course(&self, fields: &mut JsonFields) {
        let served = self.served();
        let first_content = served.and_then(|served| served.first_content);
        let first_content = first_content.map(UnixTime::rfc3339);
        let attempted = served.map_or(0, |served| served.plan.attempted());
        let status = if self.is_success() { "success" } else { "failure" };
        fields.text("startTime", Some(self.started.rfc3339().as_str()));
        fields.text("completionStartTime", first_content.as_ref().map(Rfc3339::as_str));
        fields.text("endTime", Some(self.ended.rfc3339().as_str()));
        fields.number("request_duration_ms", Some(self.duration_ms()));
        fields.thousandths(
            "litellm_overhead_time_ms",
            served.map(|served| served.overhead_us),
        );
        fields.text("status", Some(status));
        fields.number("http_status", self.status().map(u64::from));
        fields.text("error_class", self.error_class());
        fields.number("attempted_retries", Some(attempted.saturating_sub(1)));
        fields.flag(
            "stream",
            served.is_some_and(|served| served.plan.operation.is_stream()),
        );
        fields.text("x_amzn_requestid", served.and_then(|served| served.request_id));
    }
}
