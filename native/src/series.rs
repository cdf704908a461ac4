//! Metrics with labels. The core defines metrics by a name that contains the labels:
//! `metric;label=value;…`. Envoy wants a module to define each metric with the names of its labels
//! when it is configured, and the values of the labels whenever it records something.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use envoy_bedrock::contract::metrics as names;
use envoy_bedrock::records::metrics::MetricKind;

use crate::abi::{ConfigHandle, MetricsOwner, SeriesKind};
use crate::sums::CounterSums;

/// A metric with its labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Definition {
    kind: SeriesKind,
    metric: &'static str,
    labels: &'static [&'static str],
}

/// The labels of a request, and one more.
macro_rules! of_request {
    ($($further:literal)?) => {
        &["model_group", "deployment", "region", "operation", "status_class", "key_alias" $(, $further)?]
    };
}

const REQUEST: &[&str] = of_request!();
const TOKENS: &[&str] = of_request!("gen_ai_token_type");
const FAILED: &[&str] = of_request!("error_class");
const UNREAD: &[&str] = of_request!("reason");
const DEPLOYMENT: &[&str] = &["model_group", "deployment", "region"];

const fn define(kind: SeriesKind, metric: &'static str, labels: &'static [&'static str]) -> Definition {
    Definition { kind, metric, labels }
}

const fn counter(metric: &'static str, labels: &'static [&'static str]) -> Definition {
    define(SeriesKind::Counter, metric, labels)
}

const fn gauge(metric: &'static str, labels: &'static [&'static str]) -> Definition {
    define(SeriesKind::Gauge, metric, labels)
}

const fn histogram(metric: &'static str, labels: &'static [&'static str]) -> Definition {
    define(SeriesKind::Histogram, metric, labels)
}

/// Every metric of the core.
const DEFINITIONS: [Definition; 24] = [
    counter(names::REQUESTS, REQUEST),
    counter(names::COST, REQUEST),
    counter(names::COST_UNKNOWN, REQUEST),
    counter(names::TOKENS, TOKENS),
    counter(names::FAILED, FAILED),
    counter(names::UNREAD, UNREAD),
    counter(names::REFUSALS, &["reason"]),
    counter(
        names::ATTEMPTS,
        &["model_group", "deployment", "region", "outcome"],
    ),
    counter(names::COOLDOWNS, DEPLOYMENT),
    counter(names::FALLBACKS, &["model_group", "fallback", "status_class"]),
    counter(names::REFRESH_FAILURES, &["reason"]),
    histogram(names::DURATION, REQUEST),
    histogram(names::FIRST_TOKEN, REQUEST),
    histogram(names::PER_TOKEN, REQUEST),
    histogram(names::TOKENS_PER_REQUEST, TOKENS),
    histogram(names::OVERHEAD, &["operation"]),
    gauge(
        names::DEPLOYMENT,
        &["model_group", "deployment", "region", "model"],
    ),
    gauge(names::CREDENTIALS_EXPIRE, DEPLOYMENT),
    gauge(names::RELOADS, &["result"]),
    gauge(names::RELOAD_SUCCESSFUL, &[]),
    gauge(names::RELOAD_TIME, &[]),
    gauge(names::RESTARTS, &[]),
    gauge(names::PARALLEL_REQUESTS, &[]),
    gauge(names::BUFFERED_BYTES, &[]),
];

/// The metrics of a configuration.
#[derive(Debug)]
pub(crate) struct DefinedMetrics {
    /// Envoy's ids, in the order of [`DEFINITIONS`]. `None` if Envoy has refused one.
    ids: [Option<usize>; DEFINITIONS.len()],
    /// What the counters have counted since the last tick of the configuration.
    counted: CounterSums,
    /// How many series were known when Envoy last kept them for it.
    held: AtomicUsize,
}

/// What configurations have counted that are gone. The next tick of any other takes it.
static LEFT_OVER: CounterSums = CounterSums::new();

impl DefinedMetrics {
    /// Defines the metrics. Only while the configuration is being created. Envoy shows a gauge
    /// without labels from then on, so those that this configuration does not need, by
    /// `is_needed`, are left out.
    pub(crate) fn define(config: ConfigHandle<'_>, is_needed: impl Fn(&str) -> bool) -> Self {
        let ids = DEFINITIONS.map(|definition| {
            let Definition { kind, metric, labels } = definition;
            let is_needed = !labels.is_empty() || is_needed(metric);
            is_needed.then(|| config.define(kind, metric, labels)).flatten()
        });
        Self {
            ids,
            counted: CounterSums::new(),
            held: AtomicUsize::new(0),
        }
    }

    /// Adds to a counter, which Envoy learns with the next [`report_counters`](Self::report_counters).
    pub(crate) fn count(&self, id: u32, amount: u64) {
        self.counted.add(id, amount);
    }

    /// Tells Envoy what the counters have counted. On the main thread.
    pub(crate) fn report_counters(&self, config: ConfigHandle<'_>) {
        for counted in [&self.counted, &LEFT_OVER] {
            for (id, amount) in counted.take() {
                record(id, amount, self, MetricsOwner::Config(config));
            }
        }
        self.hold_counters(config);
    }

    /// Has Envoy keep all known counters for this configuration: it forgets a counter with the last
    /// configuration that has used it. On the main thread.
    pub(crate) fn hold_counters(&self, config: ConfigHandle<'_>) {
        let used = USED.read().unwrap_or_else(PoisonError::into_inner);
        let held = self.held.swap(used.series.len(), Ordering::Relaxed);
        let new: Vec<_> = used.series.iter().skip(held).map(Arc::clone).collect();
        drop(used);
        for series in new {
            if series.kind == SeriesKind::Counter {
                self.report(&series, 0, MetricsOwner::Config(config));
            }
        }
    }

    fn report(&self, series: &LabelledSeries, value: u64, recording: MetricsOwner<'_>) {
        if let Some(Some(metric)) = self.ids.get(series.definition) {
            recording.record(series.kind, *metric, &series.values, value);
        }
    }
}

impl Drop for DefinedMetrics {
    fn drop(&mut self) {
        for (id, amount) in self.counted.take() {
            LEFT_OVER.add(id, amount);
        }
    }
}

/// A metric with the values of its labels.
#[derive(Debug)]
struct LabelledSeries {
    kind: SeriesKind,
    /// The index in [`DEFINITIONS`].
    definition: usize,
    values: Vec<String>,
}

impl LabelledSeries {
    fn of(kind: MetricKind, name: &str) -> Option<Self> {
        let kind = match kind {
            MetricKind::Counter => SeriesKind::Counter,
            MetricKind::Gauge => SeriesKind::Gauge,
            MetricKind::Histogram => SeriesKind::Histogram,
        };
        let mut parts = name.split(';');
        let metric = parts.next()?;
        let (labels, values): (Vec<&str>, Vec<String>) = parts
            .map(|part| {
                part.split_once('=')
                    .map(|(label, value)| (label, value.to_owned()))
            })
            .collect::<Option<_>>()?;
        let definition = DEFINITIONS
            .iter()
            .position(|known| known.kind == kind && known.metric == metric && known.labels == labels)?;
        Some(Self {
            kind,
            definition,
            values,
        })
    }
}

/// The metrics that were used, by the ids that the core has for them on all threads.
#[derive(Debug, Default)]
struct UsedSeries {
    ids: HashMap<String, Option<u32>>,
    series: Vec<Arc<LabelledSeries>>,
}

impl UsedSeries {
    fn id(&mut self, kind: MetricKind, name: &str) -> Option<u32> {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let series = LabelledSeries::of(kind, name);
        if series.is_none() {
            log::error!("a metric is not known: {name}");
        }
        let id = series.and_then(|series| {
            self.series.push(Arc::new(series));
            u32::try_from(self.series.len()).ok()?.checked_sub(1)
        });
        self.ids.insert(name.to_owned(), id);
        id
    }
}

static USED: LazyLock<RwLock<UsedSeries>> = LazyLock::new(RwLock::default);

/// The core's id of the metric with this name and its labels.
pub(crate) fn id(kind: MetricKind, name: &str) -> Option<u32> {
    let used = USED.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(id) = used.ids.get(name) {
        return *id;
    }
    drop(used);
    let mut used = USED.write().unwrap_or_else(PoisonError::into_inner);
    used.id(kind, name)
}

thread_local! {
    /// The series that the thread knows: the first of [`USED`].
    static KNOWN: RefCell<Vec<Arc<LabelledSeries>>> = RefCell::default();
}

/// Adds `value` to a counter or histogram, or sets a gauge, at once.
pub(crate) fn record(id: u32, value: u64, metrics: &DefinedMetrics, recording: MetricsOwner<'_>) {
    let Ok(index) = usize::try_from(id) else { return };
    KNOWN.with_borrow_mut(|known| {
        if known.len() <= index {
            let used = USED.read().unwrap_or_else(PoisonError::into_inner);
            known.extend(used.series.iter().skip(known.len()).map(Arc::clone));
        }
        if let Some(series) = known.get(index) {
            metrics.report(series, value, recording);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_envoy;

    #[test]
    fn a_name_is_taken_apart() {
        let name = format!("{};model_group=a=b;deployment=;region=%3B", names::COOLDOWNS);
        let series = LabelledSeries::of(MetricKind::Counter, &name).unwrap();
        assert_eq!(DEFINITIONS[series.definition].metric, names::COOLDOWNS);
        assert_eq!(series.values, ["a=b", "", "%3B"]);
        assert!(
            LabelledSeries::of(MetricKind::Gauge, names::BUFFERED_BYTES)
                .unwrap()
                .values
                .is_empty()
        );
    }

    #[test]
    fn what_envoy_has_not_defined_is_no_metric() {
        let name = |labels: &str| format!("{}{labels}", names::REFUSALS);
        assert!(LabelledSeries::of(MetricKind::Counter, &name(";reason=x")).is_some());
        assert!(
            LabelledSeries::of(MetricKind::Gauge, &name(";reason=x")).is_none(),
            "another kind"
        );
        assert!(
            LabelledSeries::of(MetricKind::Counter, &name("")).is_none(),
            "no labels"
        );
        assert!(
            LabelledSeries::of(MetricKind::Counter, &name(";result=x")).is_none(),
            "another label"
        );
        assert!(
            LabelledSeries::of(MetricKind::Counter, &name(";reason")).is_none(),
            "no value"
        );
        assert!(LabelledSeries::of(MetricKind::Counter, "unknown;reason=x").is_none());
    }

    #[test]
    fn a_name_keeps_its_id() {
        let mut used = UsedSeries::default();
        let name = |reason| format!("{};reason={reason}", names::REFUSALS);
        let ids = ["a", "b", "a"].map(|reason| used.id(MetricKind::Counter, &name(reason)));
        assert_eq!(ids, [Some(0), Some(1), Some(0)]);
        assert_eq!(used.id(MetricKind::Counter, "unknown"), None);
    }

    #[test]
    fn counters_are_reported_once_and_those_of_a_configuration_that_is_gone_by_another() {
        let defined = || DefinedMetrics {
            ids: [Some(7); DEFINITIONS.len()],
            counted: CounterSums::new(),
            held: AtomicUsize::new(0),
        };
        let id = id(MetricKind::Counter, &format!("{};reason=x", names::REFUSALS)).unwrap();
        let (old, new) = (defined(), defined());
        for (metrics, amount) in [(&old, 2), (&new, 1), (&old, 3)] {
            metrics.count(id, amount);
        }
        drop(old);
        fake_envoy::asked();
        new.hold_counters(ConfigHandle::fake());
        assert_eq!(fake_envoy::asked(), ["counter 7: 0"], "it is in use");
        new.report_counters(ConfigHandle::fake());
        assert_eq!(fake_envoy::asked(), ["counter 7: 1", "counter 7: 5"]);
        new.report_counters(ConfigHandle::fake());
        assert!(fake_envoy::asked().is_empty());
    }

    #[test]
    fn every_label_is_in_the_rendered_configuration() {
        for Definition { metric, labels, .. } in DEFINITIONS {
            for label in labels {
                assert!(names::LABELS.contains(label), "{metric} {label}");
            }
        }
    }
}
