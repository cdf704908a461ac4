//! The metrics of requests with the same labels.

use std::cell::OnceCell;

use crate::contract::metrics as names;
use crate::contract::operation::Operation;
use crate::keys::VirtualKey;
use crate::records::metrics::class::StatusClass;
use crate::records::metrics::registry::{MetricKind, Registry};
use crate::records::metrics::series::SeriesName;
use crate::records::row::{Row, Served};
use crate::routing::deployment::Deployment;
use crate::routing::model::ModelGroup;

/// A metric of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestMetric {
    Requests,
    Cost,
    CostUnknown,
    Duration,
    FirstToken,
    PerToken,
    Input,
    Output,
    CacheRead,
    CacheCreation,
    InputPerRequest,
    OutputPerRequest,
}

/// The number of variants.
const METRICS: usize = 12;

impl RequestMetric {
    /// The kind, the name, and the token type if several metrics share the name.
    const fn describe(self) -> (MetricKind, &'static str, Option<&'static str>) {
        use MetricKind::{Counter, Histogram};
        match self {
            Self::Requests => (Counter, names::REQUESTS, None),
            Self::Cost => (Counter, names::COST, None),
            Self::CostUnknown => (Counter, names::COST_UNKNOWN, None),
            Self::Duration => (Histogram, names::DURATION, None),
            Self::FirstToken => (Histogram, names::FIRST_TOKEN, None),
            Self::PerToken => (Histogram, names::PER_TOKEN, None),
            Self::Input => (Counter, names::TOKENS, Some("input")),
            Self::Output => (Counter, names::TOKENS, Some("output")),
            Self::CacheRead => (Counter, names::TOKENS, Some("cache_read")),
            Self::CacheCreation => (Counter, names::TOKENS, Some("cache_creation")),
            Self::InputPerRequest => (Histogram, names::TOKENS_PER_REQUEST, Some("input")),
            Self::OutputPerRequest => (Histogram, names::TOKENS_PER_REQUEST, Some("output")),
        }
    }
}

/// The metrics for one combination of labels, each created when first used.
#[derive(Debug)]
pub(super) struct RequestMeters {
    /// The labels, as part of a name.
    labels: String,
    /// The ids in the host; `None` if it refused the metric.
    ids: [OnceCell<Option<u32>>; METRICS],
}

impl RequestMeters {
    pub(super) fn new(
        model: &ModelGroup,
        attempt: Option<&Deployment>,
        operation: Operation,
        status: StatusClass,
        key: &VirtualKey,
    ) -> Self {
        let labels = SeriesName::new("")
            .with("model_group", &model.name)
            .with("deployment", attempt.map_or("none", |deployment| &deployment.id))
            .with("region", attempt.map_or("none", |deployment| &deployment.region))
            .with("operation", operation.segment())
            .with("status_class", status.as_str())
            .with("key_alias", key.label());
        Self {
            labels: labels.as_str().to_owned(),
            ids: Default::default(),
        }
    }

    /// The name of a metric with these labels.
    pub(super) fn name(&self, metric: &str) -> SeriesName {
        SeriesName::new(metric).and(&self.labels)
    }

    /// Counts a request.
    pub(super) fn count(&self, row: &Row<'_>, served: &Served<'_>, registry: &impl Registry) {
        let report = |metric, value| self.report(metric, value, registry);
        report(RequestMetric::Requests, 1);
        report(RequestMetric::Duration, row.duration_ms());
        if served.is_cost_unknown() {
            report(RequestMetric::CostUnknown, 1);
        }
        if let Some(cost) = &served.cost {
            report(
                RequestMetric::Cost,
                u64::try_from(cost.total().pico()).unwrap_or(u64::MAX),
            );
        }
        let usage = served
            .observation
            .as_ref()
            .and_then(|observation| observation.usage);
        if let Some(usage) = usage {
            let input = usage.prompt().unwrap_or_default();
            report(RequestMetric::Input, input);
            report(RequestMetric::Output, usage.output);
            report(RequestMetric::CacheRead, usage.cache_read);
            report(
                RequestMetric::CacheCreation,
                usage.cache_write().unwrap_or_default(),
            );
            report(RequestMetric::InputPerRequest, input);
            report(RequestMetric::OutputPerRequest, usage.output);
        }
        if served.plan.operation.is_stream() {
            if let Some(first) = row.first_content_ms() {
                report(RequestMetric::FirstToken, first);
            }
            let tokens = usage.and_then(|usage| usage.output.checked_sub(1)).unwrap_or(0);
            let content = row.content_ms().map(|time| time.saturating_mul(1000));
            if let Some(time) = content.and_then(|time| time.checked_div(tokens)) {
                report(RequestMetric::PerToken, time);
            }
        }
    }

    /// Creates the counters that nearly every request for `operation` increments.
    pub(super) fn announce(&self, operation: Operation, registry: &impl Registry) {
        let counters: &[RequestMetric] = match operation {
            Operation::CountTokens => &[RequestMetric::Requests],
            _ => &[
                RequestMetric::Requests,
                RequestMetric::Cost,
                RequestMetric::Input,
                RequestMetric::Output,
            ],
        };
        for metric in counters {
            self.id(*metric, registry);
        }
    }

    /// Records `value`. A counter is not created just to add 0.
    fn report(&self, metric: RequestMetric, value: u64, registry: &impl Registry) {
        let (kind, ..) = metric.describe();
        if kind == MetricKind::Counter && value == 0 {
            return;
        }
        match (self.id(metric, registry), kind) {
            (Some(id), MetricKind::Counter) => registry.add(id, value),
            (Some(id), MetricKind::Histogram | MetricKind::Gauge) => registry.record(id, value),
            (None, _) => {}
        }
    }

    fn id(&self, metric: RequestMetric, registry: &impl Registry) -> Option<u32> {
        *self.ids.get(metric as usize)?.get_or_init(|| {
            let (kind, name, token_type) = metric.describe();
            let name = self.name(name);
            let name = match token_type {
                Some(word) => name.with("gen_ai_token_type", word),
                None => name,
            };
            registry.define(kind, name.as_str())
        })
    }
}
