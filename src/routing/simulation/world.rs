//! Workers that share what they know about regions.

use std::rc::Rc;

use super::scenarios::SimulatedCase;
use crate::capacity::Capacity;
use crate::cooldown::Cooldowns;
use crate::cooldown::fake_store::FakeStore;
use crate::latency::LatencyBoard;
use crate::limits::Limiter;
use crate::routing::active_config::ActiveConfig;
use crate::routing::outlook::Outlook;

/// The configurations of a scenario's workers, which share their cooldowns, load and latencies.
pub(super) fn workers(scenario: &SimulatedCase) -> Vec<Rc<ActiveConfig>> {
    let store = FakeStore::default();
    let worker = |vm: u64| {
        let mut config =
            ActiveConfig::new(scenario.settings().as_bytes(), |name| Some(name.to_owned())).unwrap();
        let capacity = Rc::new(Capacity::new(vm, Box::new(store.clone())));
        let limiter = Rc::new(Limiter::new(Rc::clone(&capacity), Box::new(store.clone())));
        capacity.open();
        let deployments = config.models.all().flat_map(|model| &model.deployments);
        limiter.open(deployments.filter_map(|deployment| deployment.subject.as_deref()));
        let cooldowns = Cooldowns::new(Box::new(store.clone()));
        let latencies = LatencyBoard::new(Box::new(store.clone()));
        cooldowns.open();
        latencies.open();
        config.set_outlook(Rc::new(Outlook::new(limiter, cooldowns, latencies)));
        Rc::new(config)
    };
    (1..=scenario.workers).map(worker).collect()
}
