//! The workers of an Envoy, whose requests are events in simulated time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::rc::Rc;

use crate::admission::path;
use crate::capacity::Capacity;
use crate::contract::routing::{FailureClass, Strategy};
use crate::cooldown::fake_store::FakeStore;
use crate::cooldown::{Cooldowns, TargetKey};
use crate::headers::Headers;
use crate::latency::LatencyBoard;
use crate::limits::{Amount, Limiter};
use crate::random::Random;
use crate::routing::active_config::ActiveConfig;
use crate::routing::outcome::AttemptResponse;
use crate::routing::outlook::Outlook;
use crate::routing::plan::Plan;
use crate::routing::simulation::region::{Answer, RegionModel};
use crate::routing::simulation::sightings::{SeenAttempt, Sightings};
use crate::stream::request::Request;
use crate::time::UnixTime;

const BEGINNING: UnixTime = UnixTime::from_seconds(1_795_357_174);
pub(super) const WORKERS: u64 = 4;
/// Envoy's backoff between regions is this long at most.
const PACE_MILLISECONDS: u64 = 25;
const TOKENS: u64 = 1000;

/// What is simulated.
#[derive(Clone, Debug)]
pub(super) struct Simulation {
    pub(super) strategy: Strategy,
    pub(super) regions: Vec<RegionModel>,
    pub(super) requests_per_second: u64,
    pub(super) seconds: u64,
}

/// What happens next to a request.
#[derive(Debug)]
enum Next {
    /// It arrives at a worker.
    Arrival,
    /// Envoy makes attempt `number`.
    Attempt { plan: Rc<Plan>, number: u64 },
    /// Attempt `number` has ended.
    End {
        plan: Rc<Plan>,
        number: u64,
        region: usize,
        answer: Answer,
        is_watched: bool,
    },
}

/// The state of a simulation.
struct Fleet {
    workers: Vec<Rc<ActiveConfig>>,
    regions: Vec<RegionModel>,
    /// The key of each region's deployment.
    keys: Vec<TargetKey>,
    random: Random,
    /// In milliseconds since the beginning.
    now: u64,
    /// By time, then in the order in which they were planned.
    events: BinaryHeap<Reverse<(u64, u64)>>,
    planned: BTreeMap<u64, Next>,
    event_count: u64,
    /// The attempts of each region that the rush consists of.
    watched: BTreeMap<usize, u64>,
    seen: Sightings,
}

impl Simulation {
    /// Runs until all requests have ended.
    pub(super) fn run(&self) -> Sightings {
        let store = FakeStore::default();
        let workers: Vec<_> = (0..WORKERS).map(|vm| Rc::new(self.worker(vm, &store))).collect();
        let model = workers[0].models.find("m").unwrap().model;
        let keys = model.deployments.iter().map(|deployment| deployment.key(&[]));
        let mut fleet = Fleet {
            keys: keys.collect(),
            workers,
            regions: self.regions.clone(),
            random: Random::new(12),
            now: 0,
            events: BinaryHeap::new(),
            planned: BTreeMap::new(),
            event_count: 0,
            watched: BTreeMap::new(),
            seen: Sightings::default(),
        };
        let gap = 2 * 1000 / self.requests_per_second;
        let mut arrival = 0;
        while arrival < self.seconds * 1000 {
            fleet.plan(arrival, Next::Arrival);
            arrival += fleet.random.below(gap + 1);
        }
        while let Some(Reverse((now, id))) = fleet.events.pop() {
            fleet.now = now;
            let next = fleet.planned.remove(&id).unwrap();
            fleet.proceed(next);
        }
        fleet.seen
    }

    fn worker(&self, vm: u64, store: &FakeStore) -> ActiveConfig {
        let deployments = self.regions.iter().map(|region| {
            let RegionModel { name, price, .. } = region;
            serde_json::json!({
                "id": name, "model": "a:0", "region": name, "cluster": name, "authority": "x.test", "weight": 1,
                "credentials": { "bearer": { "api_key": "A" } }, "rates": { "base": { "input": price, "output": price } },
            })
        });
        let settings = serde_json::json!({
            "master_key": "K", "attempts": 3, "body_limit_bytes": 1,
            "models": [{ "name": "m", "deployments": deployments.collect::<Vec<_>>() }],
            "routing": { "strategy": self.strategy },
        });
        let variable = |name: &str| Some(format!("value-of-{name}"));
        let mut config = ActiveConfig::new(settings.to_string().as_bytes(), variable).unwrap();
        let capacity = Rc::new(Capacity::new(vm, Box::new(store.clone())));
        let cooldowns = Cooldowns::new(Box::new(store.clone()));
        let latencies = LatencyBoard::new(Box::new(store.clone()));
        capacity.open();
        cooldowns.open();
        latencies.open();
        let limiter = Rc::new(Limiter::new(capacity, Box::new(store.clone())));
        let group = config.models.find("m").unwrap().model;
        let subjects = group
            .deployments
            .iter()
            .filter_map(|deployment| deployment.subject.as_deref());
        limiter.open(subjects);
        config.set_outlook(Rc::new(Outlook::new(limiter, cooldowns, latencies)));
        config
    }
}

impl Fleet {
    fn plan(&mut self, at: u64, next: Next) {
        self.event_count += 1;
        self.events.push(Reverse((at, self.event_count)));
        self.planned.insert(self.event_count, next);
    }

    fn time(&self) -> UnixTime {
        BEGINNING.after_milliseconds(self.now)
    }

    fn proceed(&mut self, next: Next) {
        match next {
            Next::Arrival => self.arrive(),
            Next::Attempt { plan, number } => self.attempt(plan, number),
            Next::End {
                plan,
                number,
                region,
                answer,
                is_watched,
            } => {
                if is_watched {
                    *self.watched.entry(region).or_default() -= 1;
                }
                self.end(plan, number, answer);
                let view = self.workers[0].outlook().unwrap().cooldowns.view();
                let cools = |key: TargetKey| view.entries().any(|entry| entry.key == key);
                for (region, key) in self.keys.iter().enumerate() {
                    if cools(*key) {
                        self.seen.first_cooled.entry(region).or_insert(self.now);
                    }
                }
            }
        }
    }

    fn arrive(&mut self) {
        let worker = self.random.below(WORKERS);
        let config = Rc::clone(&self.workers[usize::try_from(worker).unwrap()]);
        let target = path::parse(b"/model/m/converse").unwrap();
        let key = config.keys.master();
        let length: &[(&[u8], &[u8])] = &[(b"content-length", b"1")];
        let request = Request::begin(config, target, key, Headers(length)).unwrap();
        let (request, _) = request.complete().unwrap();
        let now = self.time();
        let dispatch = request.dispatch(String::new(), &mut self.random, now);
        self.attempt(Rc::new(dispatch.unwrap().plan), 1);
    }

    /// Envoy makes an attempt, if the plan has one.
    fn attempt(&mut self, plan: Rc<Plan>, number: u64) {
        let Some(cluster) = plan.cluster(number).map(str::to_owned) else {
            let status = plan.attempts_made().last().map_or(0, |(.., status, _)| status);
            if status == 0 {
                plan.record_silence(FailureClass::InternalServer, self.time());
            }
            return self.finish(&plan, 503);
        };
        let is_named = |region: &RegionModel| region.name == cluster;
        let region = self.regions.iter().position(is_named).unwrap();
        let view = plan.config.outlook().unwrap().cooldowns.view();
        let is_watched = view.entries().any(|entry| entry.key == self.keys[region]);
        if is_watched {
            let watched = self.watched.entry(region).or_default();
            *watched += 1;
            let rush = self.seen.rush.entry(region).or_default();
            *rush = (*rush).max(*watched);
        }
        let is_probe = plan.probe.get().is_some_and(|probe| probe.deployment == region);
        *self.seen.probes.entry(region).or_default() += u64::from(is_probe);
        self.seen.attempts.push(SeenAttempt { at: self.now, region });
        let answer = self.regions[region].answer(self.now, &mut self.random);
        // Envoy signs an attempt only when it is connected.
        if answer.status != 0 {
            plan.request(number, cluster.as_bytes(), self.time()).unwrap();
        }
        let end = Next::End {
            plan,
            number,
            region,
            answer,
            is_watched,
        };
        self.plan(self.now + answer.milliseconds, end);
    }

    fn end(&mut self, plan: Rc<Plan>, number: u64, answer: Answer) {
        let now = self.time();
        let pace = self.random.below(PACE_MILLISECONDS);
        let wait = if answer.status == 0 {
            pace
        } else {
            let response = AttemptResponse {
                status: answer.status,
                error_type: None,
                retry_after: answer.retry_after,
            };
            plan.record_response(number, response, &|| now);
            if !plan.should_retry(number, &|| now) {
                return self.finish(&plan, answer.status);
            }
            let asked = plan.backoff_seconds(answer.retry_after);
            asked.map_or(pace, |seconds| seconds * 1000)
        };
        let number = number + 1;
        self.plan(self.now + wait, Next::Attempt { plan, number });
    }

    fn finish(&mut self, plan: &Plan, status: u16) {
        let now = self.time();
        let used = Amount {
            tokens: if status == 200 { TOKENS } else { 0 },
            ..Amount::default()
        };
        plan.finish(|| used, || now);
        *self.seen.answers.entry(status).or_default() += 1;
    }
}
