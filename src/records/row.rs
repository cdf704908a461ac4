//! A row of the spend log, under the names of LiteLLM's SpendLogs and StandardLoggingPayload.
//!
//! It is written as the members of a JSON object, without braces, so that Envoy's access logger can
//! append what only Envoy knows.

use crate::keys::VirtualKey;
use crate::pricing::Cost;
use crate::records::client::Client;
use crate::records::fields::JsonFields;
use crate::routing::plan::Plan;
use crate::time::{Rfc3339, UnixTime};
use crate::usage::{LatencyTier, Observation, ServiceTier, UnreadableReason};

/// `call_type` of probes and lookups, which are not model requests.
pub const CALL_TYPE_INTERNAL: &str = "internal";

/// A row of the spend log.
#[derive(Debug)]
pub struct Row<'a> {
    /// What the request reported about itself.
    pub client: &'a Client,
    /// The key that the request has presented, if it is valid.
    pub key: Option<&'a VirtualKey>,
    /// When the request's headers arrived.
    pub started: UnixTime,
    /// When the stream ended.
    pub ended: UnixTime,
    /// How the request ended.
    pub outcome: Outcome<'a>,
}

/// How a request ended.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// The client disconnected before its request was complete or its reply was sent.
    Incomplete,
    /// The gateway replied to a probe or a lookup.
    Internal {
        /// The status that the client received.
        status: u16,
    },
    /// The gateway refused the request.
    Refused {
        /// The status that the client received; `None` if it disconnected first.
        status: Option<u16>,
        /// The AWS error type.
        error_type: Option<&'static str>,
        /// The reason for counters.
        reason: &'static str,
    },
    /// The request went upstream.
    Served(Served<'a>),
}

/// A request that went upstream, and its response.
#[derive(Debug)]
pub struct Served<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The status that the client received; `None` if it received no response.
    pub status: Option<u16>,
    /// The error type if the request failed, or `Cut`.
    pub error_class: Option<&'a str>,
    /// Bedrock's `x-amzn-requestid`.
    pub request_id: Option<&'a str>,
    /// When the first content of the response arrived.
    pub first_content: Option<UnixTime>,
    /// The time that the filter has spent on the request, in microseconds.
    pub overhead_us: u64,
    /// What was seen in the response; `None` if it is not billed.
    pub observation: Option<Observation>,
    /// The cost, if known.
    pub cost: Option<Cost>,
}

impl Served<'_> {
    /// Whether the request is billed, but the cost is unknown.
    pub const fn is_cost_unknown(&self) -> bool {
        self.observation.is_some() && self.cost.is_none()
    }
}

impl<'a> Row<'a> {
    /// The request and its response, if it went upstream.
    pub const fn served(&self) -> Option<&Served<'a>> {
        match &self.outcome {
            Outcome::Served(served) => Some(served),
            _ => None,
        }
    }

    /// Whether the row belongs in the history. Rows of probes and lookups would only displace
    /// others.
    pub const fn is_kept(&self) -> bool {
        !matches!(self.outcome, Outcome::Internal { .. })
    }

    /// Milliseconds from the request's headers to the end of the stream.
    pub fn duration_ms(&self) -> u64 {
        self.ended.milliseconds_since(self.started)
    }

    /// Milliseconds from the request's headers to the first content of the response.
    pub fn first_content_ms(&self) -> Option<u64> {
        let first = self.served()?.first_content?;
        Some(first.milliseconds_since(self.started))
    }

    /// Milliseconds from the first content of the response to the end of the stream.
    pub fn content_ms(&self) -> Option<u64> {
        let first = self.served()?.first_content?;
        Some(self.ended.milliseconds_since(first))
    }

    /// The status that the client received, if any.
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

    /// The row as JSON members, each followed by a comma, without braces. It starts after `room`
    /// spaces that the caller can overwrite.
    pub fn json(&self, room: usize) -> String {
        let mut fields = JsonFields::reserving(room);
        self.put_identity(&mut fields);
        self.put_request(&mut fields);
        self.put_usage(&mut fields);
        self.put_outcome(&mut fields);
        fields.into_text()
    }

    fn put_identity(&self, fields: &mut JsonFields) {
        let plan = self.served().map(|served| served.plan);
        let attempt = plan.and_then(Plan::last_deployment);
        let call_type = match &self.outcome {
            Outcome::Served(served) => Some(served.plan.operation.segment()),
            Outcome::Internal { .. } => Some(CALL_TYPE_INTERNAL),
            Outcome::Incomplete | Outcome::Refused { .. } => None,
        };
        fields.text("request_id", Some(&self.client.call_id));
        fields.text("call_type", call_type);
        let key = self.key;
        fields.text("api_key", key.map(|key| &*key.token));
        fields.text("key_alias", key.and_then(|key| key.alias.as_deref()));
        fields.text("team_id", key.and_then(|key| key.team_id.as_deref()));
        fields.text("model_group", plan.map(|plan| plan.last_model().name.as_str()));
        fields.text("model", plan.and_then(Plan::upstream_model).as_deref());
        fields.text("model_id", attempt.map(|deployment| deployment.id.as_str()));
        fields.text(
            "model_region",
            attempt.map(|deployment| deployment.region.as_str()),
        );
        fields.text("api_base", attempt.map(|deployment| deployment.endpoint.as_str()));
        let tags_of_key = key.map_or(&[][..], |key| &key.tags);
        let tags: Vec<_> = self.client.tags.iter().chain(tags_of_key).cloned().collect();
        fields.texts("request_tags", &tags);
        fields.text("end_user", self.client.end_user.as_deref());
        fields.json("metadata", self.client.metadata.as_ref());
        fields.text("user_agent", self.client.user_agent.as_deref());
    }

    /// The path and model of a request that was not dispatched. The model may not exist.
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
        // If the cost is unknown, the total and all parts are null, not 0.
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

    fn put_outcome(&self, fields: &mut JsonFields) {
        let served = self.served();
        let first_content = served.and_then(|served| served.first_content);
        let first_content = first_content.map(UnixTime::rfc3339);
        let attempted = served.map_or(0, |served| served.plan.attempt_count());
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
        let fallbacks = served.map_or(0, |served| served.plan.fallback_count());
        fields.number("attempted_fallbacks", Some(fallbacks));
        fields.flag(
            "stream",
            served.is_some_and(|served| served.plan.operation.is_stream()),
        );
        fields.text("x_amzn_requestid", served.and_then(|served| served.request_id));
    }
}
