//! A line of the spend log, under the names of LiteLLM's SpendLogs and StandardLoggingPayload.
//!
//! It is written as the inside of a JSON object, without braces, so that Envoy's access logger can put what only Envoy
//! knows behind it.

use super::Client;
use super::answer::Answer;
use super::fields::Fields;
use crate::plan::Plan;
use crate::pricing::Cost;
use crate::time::{Rfc3339, UnixTime};
use crate::usage::{Observation, ServiceTier, Unread};

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
    request_id: Option<&'a str>,
    observation: Option<Observation>,
    cost: Option<Cost>,
}

impl<'a> Row<'a> {
    pub(super) const fn new(client: &'a Client, started: UnixTime, ended: UnixTime) -> Self {
        Self {
            client,
            started,
            ended,
            first_content: None,
            plan: None,
            status: None,
            is_success: false,
            error_class: None,
            request_id: None,
            observation: None,
            cost: None,
        }
    }

    pub(super) fn refused(self, status: u16, error_type: Option<&'static str>) -> Self {
        let error_class = error_type.map(str::to_owned);
        Self {
            status: Some(status),
            is_success: status < 400,
            error_class,
            ..self
        }
    }

    pub(super) fn departed(self, plan: &'a Plan, cost: Option<Cost>) -> Self {
        Self {
            plan: Some(plan),
            cost,
            error_class: Some("Cut".into()),
            ..self
        }
    }

    pub(super) fn observed(self, observation: Observation) -> Self {
        Self {
            observation: Some(observation),
            ..self
        }
    }

    pub(super) fn answered(
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

    /// Whether this request's spend is not known although it used something.
    fn is_spend_unknown(&self) -> bool {
        self.observation.is_some() && self.cost.is_none()
    }

    /// The line, without braces and with a comma at its end.
    pub fn json(&self) -> String {
        let mut fields = Fields::default();
        self.put_identity(&mut fields);
        self.put_usage(&mut fields);
        self.put_course(&mut fields);
        fields.into_text()
    }

    fn put_identity(&self, fields: &mut Fields) {
        let attempt = self.plan.and_then(Plan::attempt);
        let key = self.plan.map(|plan| plan.gateway.key_name.as_str());
        fields.text("request_id", Some(&self.client.call_id));
        fields.text("call_type", self.plan.map(|plan| plan.operation.segment()));
        fields.text("api_key", key);
        fields.text("key_alias", key.map(|_| "master_key"));
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

    fn put_usage(&self, fields: &mut Fields) {
        let seen = self.observation.as_ref();
        let usage = seen.and_then(|seen| seen.usage).unwrap_or_default();
        let cost = self.cost.unwrap_or_default();
        fields.amount("spend", (!self.is_spend_unknown()).then(|| cost.total()));
        fields.amount("input_cost", Some(cost.input));
        fields.amount("output_cost", Some(cost.output));
        fields.amount("cache_read_cost", Some(cost.cache_read));
        fields.amount("cache_creation_cost", Some(cost.cache_creation));
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
            seen.and_then(|seen| seen.unread).map(Unread::as_str),
        );
        fields.text(
            "service_tier",
            seen.and_then(|seen| seen.service_tier).map(ServiceTier::as_str),
        );
    }

    fn put_course(&self, fields: &mut Fields) {
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
        fields.number(
            "request_duration_ms",
            Some(self.ended.milliseconds_since(self.started)),
        );
        fields.text(
            "status",
            Some(if self.is_success { "success" } else { "failure" }),
        );
        fields.number("http_status", self.status.map(u64::from));
        fields.text("error_class", self.error_class.as_deref());
        fields.number("attempted_retries", Some(attempted.saturating_sub(1)));
        fields.flag("stream", self.plan.is_some_and(|plan| plan.operation.is_stream()));
        fields.text("x_amzn_requestid", self.request_id);
    }
}
