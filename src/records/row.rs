//! A line of the spend log, under the names of LiteLLM's SpendLogs and StandardLoggingPayload.
//!
//! It is written as the inside of a JSON object, without braces, so that Envoy's access logger can put what only Envoy
//! knows behind it.

use crate::pricing::Cost;
use crate::records::client::Client;
use crate::records::fields::JsonFields;
use crate::routing::active_config::KEY_ALIAS;
use crate::routing::plan::Plan;
use crate::stream::response::Answer;
use crate::time::{Rfc3339, UnixTime};
use crate::usage::{LatencyTier, Observation, ServiceTier, UnreadableReason};

/// `call_type` of what is no request for a model: probes, and questions for the spend log.
pub const CALL_TYPE_INTERNAL: &str = "internal";

/// A line of the spend log.
#[derive(Debug)]
pub struct Row<'a> {
    client: &'a Client,
    started: UnixTime,
    ended: UnixTime,
    first_content: Option<UnixTime>,
    plan: Option<&'a Plan>,
    status: Option<u16>,
    is_success: bool,
    error_class: Option<String>,
    reason: Option<&'static str>,
    overhead: u64,
    request_id: Option<&'a str>,
    observation: Option<Observation>,
    cost: Option<Cost>,
}

impl<'a> Row<'a> {
    pub(crate) const fn new(client: &'a Client, started: UnixTime, ended: UnixTime) -> Self {
        Self {
            client,
            started,
            ended,
            first_content: None,
            plan: None,
            status: None,
            is_success: false,
            error_class: None,
            reason: None,
            overhead: 0,
            request_id: None,
            observation: None,
            cost: None,
        }
    }

    pub(crate) fn refused(
        self,
        status: u16,
        error_type: Option<&'static str>,
        reason: Option<&'static str>,
    ) -> Self {
        let error_class = error_type.map(str::to_owned);
        Self {
            status: Some(status),
            is_success: status < 400,
            error_class,
            reason,
            ..self
        }
    }

    pub(crate) fn departed(self, plan: &'a Plan, cost: Option<Cost>, overhead: u64) -> Self {
        Self {
            plan: Some(plan),
            cost,
            overhead,
            error_class: Some("Cut".into()),
            ..self
        }
    }

    pub(crate) fn observed(self, observation: Observation) -> Self {
        Self {
            observation: Some(observation),
            ..self
        }
    }

    pub(crate) fn answered(
        self,
        answer: &'a Answer,
        observation: Option<Observation>,
        first_content: Option<UnixTime>,
    ) -> Self {
        let exception = observation.as_ref().and_then(|seen| seen.exception);
        let error_class = match exception {
            Some(exception) => Some(exception.as_str().to_owned()),
            None if answer.status != 200 => {
                Some(answer.error_type.clone().unwrap_or_else(|| "Unknown".into()))
            }
            None if !answer.is_whole => Some("Cut".into()),
            None => None,
        };
        Self {
            status: Some(answer.status),
            is_success: error_class.is_none(),
            error_class,
            request_id: answer.request_id.as_deref(),
            observation,
            first_content,
            ..self
        }
    }

    /// With the status that the client got instead of the answer's. No status is no success.
    pub(crate) fn replaced(self, status: Option<u16>) -> Self {
        Self {
            status,
            is_success: self.is_success && status.is_some(),
            ..self
        }
    }

    /// The plan, if the request was admitted.
    pub const fn plan(&self) -> Option<&'a Plan> {
        self.plan
    }

    /// Whether the answer is an event stream.
    pub fn is_stream(&self) -> bool {
        self.plan.is_some_and(|plan| plan.operation.is_stream())
    }

    /// Status of the answer that the client got; `None` if it left before one or was left without.
    pub const fn status(&self) -> Option<u16> {
        self.status
    }

    /// Why the request failed; `None` if it did not.
    pub fn error_class(&self) -> Option<&str> {
        self.error_class.as_deref()
    }

    /// Whether the gateway answered by itself without refusing: a probe, or a question for the spend log.
    pub const fn is_internal(&self) -> bool {
        self.plan.is_none() && self.status.is_some() && self.reason.is_none()
    }

    /// Why the request was not admitted, in a word; `None` if it was, or if it only asked something of the gateway.
    pub fn refusal(&self) -> Option<&'static str> {
        match (self.plan, self.status) {
            (None, None) => Some(self.reason.unwrap_or("incomplete")),
            _ => self.reason,
        }
    }

    /// What the answer said about itself, if it was one that is billed.
    pub const fn observation(&self) -> Option<&Observation> {
        self.observation.as_ref()
    }

    /// What it cost, if that is known.
    pub const fn cost(&self) -> Option<&Cost> {
        self.cost.as_ref()
    }

    /// From the request's beginning to the answer's end, in milliseconds.
    pub fn duration_ms(&self) -> u64 {
        self.ended.milliseconds_since(self.started)
    }

    /// From the request's beginning to the first content of the answer, in milliseconds.
    pub fn first_content_ms(&self) -> Option<u64> {
        self.first_content
            .map(|first| first.milliseconds_since(self.started))
    }

    /// From the first content of the answer to its end, in milliseconds.
    pub fn content_ms(&self) -> Option<u64> {
        self.first_content
            .map(|first| self.ended.milliseconds_since(first))
    }

    /// Time that the filter itself has spent on the request, in microseconds.
    pub const fn overhead_us(&self) -> u64 {
        self.overhead
    }

    /// Whether this request's spend is not known although it used something.
    pub const fn is_spend_unknown(&self) -> bool {
        self.observation.is_some() && self.cost.is_none()
    }

    /// The line, without braces and with a comma at its end, behind `room` bytes for what else goes with it.
    pub fn json(&self, room: usize) -> String {
        let mut fields = JsonFields::behind(room);
        self.put_identity(&mut fields);
        self.put_asked(&mut fields);
        self.put_usage(&mut fields);
        self.put_course(&mut fields);
        fields.into_text()
    }

    fn put_identity(&self, fields: &mut JsonFields) {
        let attempt = self.plan.and_then(Plan::attempt);
        let key = |plan: &'a Plan| plan.config.key_name.as_str();
        fields.text("request_id", Some(&self.client.call_id));
        let internal = self.is_internal().then_some(CALL_TYPE_INTERNAL);
        fields.text(
            "call_type",
            self.plan.map(|plan| plan.operation.segment()).or(internal),
        );
        fields.text("api_key", self.plan.map(key));
        fields.text("key_alias", self.plan.map(|_| KEY_ALIAS));
        fields.text("model_group", self.plan.map(|plan| plan.model.name.as_str()));
        fields.text("model", self.plan.and_then(Plan::upstream_model).as_deref());
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

    /// What a refused request asked for. Nothing else in its line tells it from others: the model may not exist.
    fn put_asked(&self, fields: &mut JsonFields) {
        if self.refusal().is_some() {
            fields.text("path", self.client.path().as_deref());
            fields.text("requested_model", self.client.model().as_deref());
        }
    }

    fn put_usage(&self, fields: &mut JsonFields) {
        let seen = self.observation.as_ref();
        let usage = seen.and_then(|seen| seen.usage).unwrap_or_default();
        // What is not known is null as a whole and in its parts, never 0.
        let cost = (!self.is_spend_unknown()).then(|| self.cost.unwrap_or_default());
        fields.amount("spend", cost.map(|cost| cost.total()));
        fields.amount("input_cost", cost.map(|cost| cost.input));
        fields.amount("output_cost", cost.map(|cost| cost.output));
        fields.amount("cache_read_cost", cost.map(|cost| cost.cache_read));
        fields.amount("cache_creation_cost", cost.map(|cost| cost.cache_creation));
        fields.number("prompt_tokens", Some(usage.prompt().unwrap_or_default()));
        fields.number("completion_tokens", Some(usage.output));
        fields.number("total_tokens", Some(usage.total().unwrap_or_default()));
        fields.number("cache_read_input_tokens", Some(usage.cache_read));
        fields.number(
            "cache_creation_input_tokens",
            Some(usage.cache_write().unwrap_or_default()),
        );
        fields.text("usage_source", seen.map(|seen| seen.source.as_str()));
        fields.text(
            "usage_unread",
            seen.and_then(|seen| seen.unreadable)
                .map(UnreadableReason::as_str),
        );
        fields.text(
            "service_tier",
            seen.and_then(|seen| seen.service_tier).map(ServiceTier::as_str),
        );
        fields.text(
            "performance_latency",
            seen.and_then(|seen| seen.latency).map(LatencyTier::as_str),
        );
    }

    fn put_course(&self, fields: &mut JsonFields) {
        let attempted = self.plan.map_or(0, Plan::attempted);
        fields.text("startTime", Some(self.started.rfc3339().as_str()));
        fields.text(
            "completionStartTime",
            self.first_content
                .map(UnixTime::rfc3339)
                .as_ref()
                .map(Rfc3339::as_str),
        );
        fields.text("endTime", Some(self.ended.rfc3339().as_str()));
        fields.number("request_duration_ms", Some(self.duration_ms()));
        fields.thousandths("litellm_overhead_time_ms", self.plan.map(|_| self.overhead));
        fields.text(
            "status",
            Some(if self.is_success { "success" } else { "failure" }),
        );
        fields.number("http_status", self.status.map(u64::from));
        fields.text("error_class", self.error_class.as_deref());
        fields.number("attempted_retries", Some(attempted.saturating_sub(1)));
        fields.flag("stream", self.is_stream());
        fields.text("x_amzn_requestid", self.request_id);
    }
}
