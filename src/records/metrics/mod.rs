//! Metrics of requests. Their names depend only on the configuration, so clients cannot create new
//! ones.
//!
//! Most metrics are created when first used, because most combinations of labels never occur. If
//! the host refuses a metric, its values are lost: metrics never fail a request.

mod class;
pub(crate) mod registry;
mod request;
mod series;

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

pub use registry::{MetricIds, MetricKind, Registry};

use class::{AttemptOutcome, StatusClass};
use request::RequestMeters;
use series::SeriesName;

use crate::contract::metrics as names;
use crate::contract::operation::Operation;
use crate::contract::settings::ReloadStatus;
use crate::credentials::CredentialSlot;
use crate::keys::VirtualKey;
use crate::records::carried::Carried;
use crate::records::row::{Outcome, Row, Served};
use crate::routing::active_config::ActiveConfig;
use crate::routing::brokered;
use crate::routing::deployment::Deployment;
use crate::routing::model::{ModelGroup, ModelGroups};
use crate::routing::plan::Plan;

/// The metrics of a worker, with their ids in the host.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    requests: HashMap<RequestKey, RequestMeters>,
    attempts: HashMap<AttemptKey, Option<u32>>,
    overhead: HashMap<Operation, Option<u32>>,
}

/// The indices of a model group and a deployment in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Position(u32, Option<u32>);

/// The last field is the index of the virtual key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct RequestKey(Position, Operation, StatusClass, usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct AttemptKey(Position, AttemptOutcome);

impl Meters {
    /// Creates an info metric for each deployment, for joins in dashboards, and the counters of
    /// successful requests with the master key at zero: Prometheus ignores the first increase of a
    /// counter that it has not seen before. With virtual keys, this would be too many counters.
    ///
    /// Also sets the gauges about credentials and reloads. The gauges of a deployment that is no
    /// longer configured become 0, because Envoy keeps them.
    pub(crate) fn open(config: &ActiveConfig, carried: &Carried, registry: &impl Registry) -> Self {
        let mut meters = Self::default();
        let mut deployments = BTreeSet::new();
        for model in config.models.all() {
            for deployment in &model.deployments {
                meters.announce(model, deployment, &config.keys.master(), registry);
                let name = SeriesName::new(names::DEPLOYMENT)
                    .with("model_group", &model.name)
                    .with("deployment", &deployment.id)
                    .with("region", &deployment.region)
                    .with("model", deployment.configured_model());
                set_gauge(name.as_str(), 1, registry);
                deployments.insert(name.as_str().to_owned());
            }
            for (deployment, slot) in brokered::slots(model) {
                let name = expiry(model, deployment);
                set_gauge(name.as_str(), slot.expires_seconds(), registry);
                deployments.insert(name.as_str().to_owned());
            }
        }
        for name in carried.replace_deployments(deployments) {
            set_gauge(&name, 0, registry);
        }
        if let Some(reload) = &config.reload {
            report_reload(reload, registry);
        }
        meters
    }

    fn announce(
        &mut self,
        model: &ModelGroup,
        deployment: &Deployment,
        key: &VirtualKey,
        registry: &impl Registry,
    ) {
        for operation in Operation::ALL {
            let position = Position(model.index, Some(deployment.index));
            let request = RequestMeters::new(model, Some(deployment), operation, StatusClass::Success, key);
            request.announce(operation, registry);
            let name = RequestKey(position, operation, StatusClass::Success, key.index);
            self.requests.insert(name, request);
        }
    }

    /// Counts a completed request.
    pub(crate) fn count(&mut self, row: &Row<'_>, registry: &impl Registry) {
        let served = match &row.outcome {
            Outcome::Served(served) => served,
            Outcome::Internal { .. } => return,
            Outcome::Incomplete => return count_refusal("incomplete", registry),
            Outcome::Refused { reason, .. } => return count_refusal(reason, registry),
        };
        self.count_request(row, served, registry);
        self.count_attempts(served.plan, registry);
        count_cooldowns(served.plan, registry);
        count_fallback(served, registry);
        let operation = served.plan.operation;
        let overhead = self.overhead.entry(operation).or_insert_with(|| {
            let name = SeriesName::new(names::OVERHEAD).with("operation", operation.segment());
            registry.define(MetricKind::Histogram, name.as_str())
        });
        if let Some(id) = *overhead {
            registry.record(id, served.overhead_us);
        }
    }

    fn count_request(&mut self, row: &Row<'_>, served: &Served<'_>, registry: &impl Registry) {
        let plan = served.plan;
        let Some(key) = row.key else { return };
        let status = StatusClass::of(served.status);
        let position = Position(
            plan.last_model().index,
            plan.last_deployment().map(|deployment| deployment.index),
        );
        let request = self
            .requests
            .entry(RequestKey(position, plan.operation, status, key.index))
            .or_insert_with(|| {
                let deployment = plan.last_deployment();
                RequestMeters::new(plan.last_model(), deployment, plan.operation, status, key)
            });
        request.count(row, served, registry);
        let failed = served.error_class.map(class::error);
        let unread = served.observation.as_ref().and_then(class::unread);
        let failed = failed.map(|word| request.name(names::FAILED).with("error_class", word));
        let unread = unread.map(|word| request.name(names::UNREAD).with("reason", word));
        for name in failed.into_iter().chain(unread) {
            count_one(&name, registry);
        }
    }

    fn count_attempts(&mut self, plan: &Plan, registry: &impl Registry) {
        for (model, deployment, status, verdict) in plan.attempts_made() {
            let outcome = AttemptOutcome::of(status, verdict);
            let position = Position(model.index, Some(deployment.index));
            let id = self
                .attempts
                .entry(AttemptKey(position, outcome))
                .or_insert_with(|| {
                    let name = SeriesName::new(names::ATTEMPTS)
                        .with("model_group", &model.name)
                        .with("deployment", &deployment.id)
                        .with("region", &deployment.region)
                        .with("outcome", outcome.as_str());
                    registry.define(MetricKind::Counter, name.as_str())
                });
            if let Some(id) = *id {
                registry.add(id, 1);
            }
        }
    }
}

fn count_cooldowns(plan: &Plan, registry: &impl Registry) {
    for (model, deployment, _) in plan.cooldowns_begun() {
        let name = SeriesName::new(names::COOLDOWNS)
            .with("model_group", &model.name)
            .with("deployment", &deployment.id)
            .with("region", &deployment.region);
        count_one(&name, registry);
    }
}

fn count_fallback(served: &Served<'_>, registry: &impl Registry) {
    let (selected, last) = (served.plan.model(), served.plan.last_model());
    if last.index != selected.index {
        let name = SeriesName::new(names::FALLBACKS)
            .with("model_group", &selected.name)
            .with("fallback", &last.name)
            .with("status_class", StatusClass::of(served.status).as_str());
        count_one(&name, registry);
    }
}

/// Every worker sets the same values, so these are gauges even where the value only increases.
fn report_reload(reload: &ReloadStatus, registry: &impl Registry) {
    let is_successful = u64::from(reload.failure.is_none());
    set_gauge(names::RELOAD_SUCCESSFUL, is_successful, registry);
    set_gauge(names::RELOAD_TIME, reload.loaded_at, registry);
    let reloads = |result| SeriesName::new(names::RELOADS).with("result", result);
    set_gauge(reloads("success").as_str(), reload.succeeded, registry);
    set_gauge(reloads("failure").as_str(), reload.failed, registry);
    if let Some(restarts) = reload.restarts {
        set_gauge(names::RESTARTS, restarts, registry);
    }
}

/// Sets the expiry of the credentials in `slot`, for every deployment that uses it.
pub(crate) fn report_expiry(models: &ModelGroups, slot: &Rc<CredentialSlot>, registry: &impl Registry) {
    for (model, deployment) in brokered::users(models, slot) {
        let name = expiry(model, deployment);
        set_gauge(name.as_str(), slot.expires_seconds(), registry);
    }
}

fn expiry(model: &ModelGroup, deployment: &Deployment) -> SeriesName {
    SeriesName::new(names::CREDENTIALS_EXPIRE)
        .with("model_group", &model.name)
        .with("deployment", &deployment.id)
        .with("region", &deployment.region)
}

/// Counts a call to the credential broker that returned no credential.
pub(crate) fn count_refresh_failure(reason: &str, registry: &impl Registry) {
    let name = SeriesName::new(names::REFRESH_FAILURES).with("reason", reason);
    count_one(&name, registry);
}

fn set_gauge(name: &str, value: u64, registry: &impl Registry) {
    if let Some(id) = registry.define(MetricKind::Gauge, name) {
        registry.record(id, value);
    }
}

fn count_refusal(reason: &str, registry: &impl Registry) {
    count_one(&SeriesName::new(names::REFUSALS).with("reason", reason), registry);
}

/// Increments a counter that is rarely needed, so its id is not cached.
fn count_one(name: &SeriesName, registry: &impl Registry) {
    if let Some(id) = registry.define(MetricKind::Counter, name.as_str()) {
        registry.add(id, 1);
    }
}

#[cfg(test)]
mod tests;
