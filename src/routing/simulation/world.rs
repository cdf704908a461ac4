//! Regions, and workers that share what they know about them.

use std::rc::Rc;

use super::scenarios::Scenario;
use crate::capacity::Capacity;
use crate::cooldown::Cooldowns;
use crate::cooldown::fake_store::FakeStore;
use crate::latency::LatencyBoard;
use crate::limits::Limiter;
use crate::random::Random;
use crate::routing::active_config::ActiveConfig;
use crate::routing::outlook::Outlook;

/// What a region does in a span of time, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    Healthy,
    /// Every request is throttled.
    Throttles,
    /// Requests beyond so many in a second are throttled.
    ThrottlesAbove(u64),
    /// This fraction of requests fails with 500, in percent.
    Fails(u64),
    /// Connections are refused.
    Refuses,
}

/// A region, with its fate from each millisecond on.
#[derive(Clone, Debug)]
pub(super) struct Region {
    pub(super) name: String,
    pub(super) latency: u64,
    pub(super) fates: Vec<(u64, Fate)>,
    /// The current second, and its requests.
    second: (u64, u64),
}

/// A response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) milliseconds: u64,
    pub(super) retry_after: Option<u64>,
}

impl Region {
    pub(super) fn new(name: &str, latency: u64, fates: &[(u64, Fate)]) -> Self {
        Self {
            name: name.to_owned(),
            latency,
            fates: fates.to_vec(),
            second: (0, 0),
        }
    }

    /// The response to a request; `None` if the connection is refused.
    pub(super) fn answer(&mut self, now: u64, random: &mut Random) -> Option<Answer> {
        let begun = self.fates.iter().filter(|(from, _)| *from <= now);
        let fate = begun.last().map_or(Fate::Healthy, |(_, fate)| *fate);
        let second = now / 1000;
        self.second = (
            second,
            if self.second.0 == second {
                self.second.1 + 1
            } else {
                1
            },
        );
        let quick = |status| Answer {
            status,
            milliseconds: 10,
            retry_after: None,
        };
        match fate {
            Fate::Refuses => None,
            Fate::Throttles => Some(quick(429)),
            Fate::ThrottlesAbove(limit) if self.second.1 > limit => Some(quick(429)),
            Fate::Fails(percent) if random.below(100) < percent => Some(quick(500)),
            _ => Some(Answer {
                milliseconds: self.latency / 2 + random.below(self.latency),
                ..quick(200)
            }),
        }
    }
}

/// The configurations of a scenario's workers, which share their cooldowns, load and latencies.
pub(super) fn workers(scenario: &Scenario) -> Vec<Rc<ActiveConfig>> {
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
