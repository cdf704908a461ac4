//! A line of the spend log, under the names of LiteLLM's SpendLogs and StandardLoggingPayload.
//!
//! It is written as the inside of a JSON object, without braces, so that Envoy's access logger can put what only Envoy
//! knows behind it.

use std::fmt::{Display, Write as _};

use serde::Serialize;

use super::Client;
use super::answer::Answer;
use crate::plan::Plan;
use crate::pricing::Cost;
use crate::time::UnixTime;
use crate::usage::{Observation, UsageSource};

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
        let mut fields = Fields(String::with_capacity(1024));
        self.put_identity(&mut fields);
        self.put_usage(&mut fields);
        self.put_course(&mut fields);
        fields.0
    }

    fn put_identity(&self, fields: &mut Fields) {
        let attempt = self.plan.and_then(Plan::attempt);
        fields.put("request_id", &self.client.call_id);
        fields.put("call_type", &self.plan.map(|plan| plan.operation.segment()));
        let key = self.plan.map(|plan| plan.gateway.master_key.hexadecimal());
        fields.put("api_key", &key);
        fields.put("key_alias", &key.as_ref().map(|_| "master_key"));
        fields.put("model_group", &self.plan.map(|plan| plan.model.name.as_str()));
        fields.put("model", &self.plan.and_then(Plan::upstream_model));
        fields.put("model_id", &attempt.map(|deployment| deployment.id.as_str()));
        fields.put(
            "model_region",
            &attempt.map(|deployment| deployment.region.as_str()),
        );
        fields.put("api_base", &attempt.map(crate::deployment::Deployment::endpoint));
        fields.put("request_tags", &self.client.tags);
        fields.put("end_user", &self.client.end_user);
        fields.put("metadata", &self.client.metadata);
        fields.put("user_agent", &self.client.user_agent);
    }

    fn put_usage(&self, fields: &mut Fields) {
        let usage = self
            .observation
            .as_ref()
            .map(|seen| seen.usage.unwrap_or_default())
            .unwrap_or_default();
        match (&self.cost, self.is_spend_unknown()) {
            (Some(cost), _) => fields.raw("spend", cost.total()),
            (None, true) => fields.raw("spend", "null"),
            (None, false) => fields.raw("spend", 0),
        }
        let cost = self.cost.unwrap_or_default();
        fields.raw("input_cost", cost.input);
        fields.raw("output_cost", cost.output);
        fields.raw("cache_read_cost", cost.cache_read);
        fields.raw("cache_creation_cost", cost.cache_creation);
        fields.put("prompt_tokens", &usage.prompt().unwrap_or_default());
        fields.put("completion_tokens", &usage.output);
        fields.put("total_tokens", &usage.total().unwrap_or_default());
        fields.put("cache_read_input_tokens", &usage.cache_read);
        fields.put(
            "cache_creation_input_tokens",
            &usage.cache_write().unwrap_or_default(),
        );
        fields.put(
            "usage_source",
            &self
                .observation
                .as_ref()
                .map(|seen| seen.source)
                .map(UsageSource::as_str),
        );
        fields.put(
            "usage_unread",
            &self
                .observation
                .as_ref()
                .and_then(|seen| seen.unread)
                .map(|why| why.as_str()),
        );
        fields.put(
            "service_tier",
            &self
                .observation
                .as_ref()
                .and_then(|seen| seen.service_tier)
                .map(|tier| tier.as_str()),
        );
    }

    fn put_course(&self, fields: &mut Fields) {
        fields.put("startTime", &self.started.rfc3339());
        fields.put(
            "completionStartTime",
            &self.first_content.map(|time| time.rfc3339()),
        );
        fields.put("endTime", &self.ended.rfc3339());
        fields.put(
            "request_duration_ms",
            &self.ended.milliseconds_since(self.started),
        );
        fields.put("status", if self.is_success { "success" } else { "failure" });
        fields.put("http_status", &self.status);
        fields.put("error_class", &self.error_class);
        let attempted = self.plan.map_or(0, Plan::attempted);
        fields.put("attempted_retries", &attempted.saturating_sub(1));
        fields.put(
            "stream",
            &self.plan.is_some_and(|plan| plan.operation.is_stream()),
        );
        fields.put("x_amzn_requestid", &self.request_id);
    }
}

/// Members of a JSON object.
struct Fields(String);

impl Fields {
    fn put(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        // Only a map with keys that are no text could fail, and there is none.
        let value = serde_json::to_string(value).unwrap_or_else(|_| "null".into());
        self.raw(name, value);
    }

    /// A value that is JSON as it shows itself: exact decimals above all, which no float could hold.
    fn raw(&mut self, name: &str, value: impl Display) {
        let _infallible = write!(self.0, "\"{name}\":{value},");
    }
}
