//! Counters and histograms of requests, under names that the configuration bounds: no client can make a new one.
//!
//! Metrics are made when they first count something, since most combinations of labels never do. Whatever the host does
//! not take is lost: counting never fails a request.

mod class;
mod request;
mod series;

use std::collections::HashMap;

use class::{Outcome, StatusClass};
use request::Request;
use series::Name;

use crate::contract::metrics as names;
use crate::contract::operation::Operation;
use crate::records::row::Row;
use crate::routing::active_config::Gateway;
use crate::routing::deployment::Deployment;
use crate::routing::model::Model;
use crate::routing::plan::Plan;

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A sum that only grows.
    Counter,
    /// A value that is set.
    Gauge,
    /// A distribution.
    Histogram,
}

/// Where metrics are kept: Envoy's stats.
pub trait Registry {
    /// Makes a metric, or finds the one that was made before under this name. `None` if that failed.
    fn define(&self, kind: Kind, name: &str) -> Option<u32>;
    /// Adds to a counter.
    fn add(&self, id: u32, amount: u64);
    /// Sets a gauge, or adds a value to a histogram.
    fn record(&self, id: u32, value: u64);
}

/// The metrics of a worker, by the numbers that its host has given them.
#[derive(Debug, Default)]
pub struct Meters {
    requests: HashMap<RequestKey, Request>,
    attempts: HashMap<AttemptKey, Option<u32>>,
    overhead: HashMap<Operation, Option<u32>>,
}

/// Places of the model and of the deployment in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Place(u32, Option<u32>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct RequestKey(Place, Operation, StatusClass);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct AttemptKey(Place, Outcome);

impl Meters {
    /// The metrics of a configuration: what is configured, for dashboards to join with, and at zero what will be counted if
    /// all goes well. Prometheus takes no notice of the first value of a counter that was not there before.
    pub fn open(gateway: &Gateway, registry: &impl Registry) -> Self {
        let mut meters = Self::default();
        for model in gateway.models.all() {
            for deployment in &model.deployments {
                meters.expect(model, deployment, registry);
                let name = Name::new(names::DEPLOYMENT)
                    .with("model_group", &model.name)
                    .with("deployment", &deployment.id)
                    .with("region", &deployment.region)
                    .with("model", deployment.configured_model());
                if let Some(id) = registry.define(Kind::Gauge, name.as_str()) {
                    registry.record(id, 1);
                }
            }
        }
        meters
    }

    fn expect(&mut self, model: &Model, deployment: &Deployment, registry: &impl Registry) {
        for operation in Operation::ALL {
            let place = Place(model.index, Some(deployment.index));
            let request = Request::new(model, Some(deployment), operation, StatusClass::Success);
            request.announce(operation, registry);
            self.requests
                .insert(RequestKey(place, operation, StatusClass::Success), request);
        }
    }

    /// Counts a request that is over.
    pub fn count(&mut self, row: &Row<'_>, registry: &impl Registry) {
        if let Some(reason) = row.refusal() {
            let name = Name::new(names::REFUSALS).with("reason", reason);
            count_one(&name, registry);
        }
        let Some(plan) = row.plan() else { return };
        self.count_request(plan, row, registry);
        self.count_attempts(plan, registry);
        let overhead = self.overhead.entry(plan.operation).or_insert_with(|| {
            let name = Name::new(names::OVERHEAD).with("operation", plan.operation.segment());
            registry.define(Kind::Histogram, name.as_str())
        });
        if let Some(id) = *overhead {
            registry.record(id, row.overhead_us());
        }
    }

    fn count_request(&mut self, plan: &Plan, row: &Row<'_>, registry: &impl Registry) {
        let status = StatusClass::of(row.status());
        let place = Place(
            plan.model.index,
            plan.attempt().map(|deployment| deployment.index),
        );
        let request = self
            .requests
            .entry(RequestKey(place, plan.operation, status))
            .or_insert_with(|| Request::new(&plan.model, plan.attempt(), plan.operation, status));
        request.count(row, registry);
        let failed = row.error_class().map(class::error);
        let unread = row.observation().and_then(class::unread);
        let failed = failed.map(|word| request.name(names::FAILED).with("error_class", word));
        let unread = unread.map(|word| request.name(names::UNREAD).with("reason", word));
        for name in failed.into_iter().chain(unread) {
            count_one(&name, registry);
        }
    }

    fn count_attempts(&mut self, plan: &Plan, registry: &impl Registry) {
        for (deployment, status, verdict) in plan.answers() {
            let outcome = Outcome::of(status, verdict);
            let place = Place(plan.model.index, Some(deployment.index));
            let id = self
                .attempts
                .entry(AttemptKey(place, outcome))
                .or_insert_with(|| {
                    let name = Name::new(names::ATTEMPTS)
                        .with("model_group", &plan.model.name)
                        .with("deployment", &deployment.id)
                        .with("region", &deployment.region)
                        .with("outcome", outcome.as_str());
                    registry.define(Kind::Counter, name.as_str())
                });
            if let Some(id) = *id {
                registry.add(id, 1);
            }
        }
    }
}

/// Counts one under a name that is seldom needed.
fn count_one(name: &Name, registry: &impl Registry) {
    if let Some(id) = registry.define(Kind::Counter, name.as_str()) {
        registry.add(id, 1);
    }
}

#[cfg(test)]
mod tests;
