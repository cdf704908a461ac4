//! A simulation of the balancer: thousands of requests through the real plans of several workers,
//! with a clock, regions and clients that are made up and the same in every run.

mod region;
mod scenarios;
mod tests;
mod world;

use std::collections::{BTreeMap, BinaryHeap};
use std::rc::Rc;

use crate::admission::path;
use crate::headers::Headers;
use crate::limits::Amount;
use crate::pricing::PicoUsd;
use crate::random::Random;
use crate::routing::active_config::ActiveConfig;
use crate::routing::outcome::AttemptResponse;
use crate::routing::plan::Plan;
use crate::stream::request::Request;
use crate::time::UnixTime;
use region::{Answer, Region};
use scenarios::SimulatedCase;
use world::workers;

const BEGIN: UnixTime = UnixTime::from_seconds(1_795_357_174);
/// Envoy's pause before a retry elsewhere, in milliseconds.
const PAUSE: u64 = 20;
/// Tokens of each request.
const TOKENS: u64 = 1000;

/// What came of a simulation.
#[derive(Debug, Default)]
pub(super) struct SimulationOutcome {
    /// Clients by the status that they got; 503 if no region could be reached.
    pub(super) statuses: BTreeMap<u16, u64>,
    /// Attempts by region.
    pub(super) attempts: BTreeMap<String, u64>,
    /// The millisecond of each attempt, and its region.
    pub(super) log: Vec<(u64, String)>,
}

impl SimulationOutcome {
    pub(super) fn clients(&self) -> u64 {
        self.statuses.values().sum()
    }

    pub(super) fn all_attempts(&self) -> u64 {
        self.attempts.values().sum()
    }

    /// The fraction of clients without an error.
    pub(super) fn success(&self) -> f64 {
        ratio(self.statuses.get(&200).copied().unwrap_or(0), self.clients())
    }

    pub(super) fn attempts_per_request(&self) -> f64 {
        ratio(self.all_attempts(), self.clients())
    }

    /// The fraction of the attempts in these milliseconds that went to `region`.
    pub(super) fn share(&self, region: &str, from: u64, to: u64) -> f64 {
        let then: Vec<_> = self
            .log
            .iter()
            .filter(|(at, _)| (from..to).contains(at))
            .collect();
        let here = then.iter().filter(|(_, name)| name == region).count();
        ratio(here as u64, then.len() as u64)
    }
}

#[allow(clippy::cast_precision_loss, reason = "small numbers")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// What happens at a millisecond. The heap returns the earliest first, and of several those that
/// were added first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Event(std::cmp::Reverse<(u64, usize)>);

enum Happening {
    /// A client sends a request.
    Request,
    /// Envoy makes attempt `number`.
    Attempt { request: usize, number: u64 },
    /// The response to it.
    Response {
        request: usize,
        number: u64,
        answer: Answer,
    },
}

struct Run {
    regions: Vec<Region>,
    workers: Vec<Rc<ActiveConfig>>,
    random: Random,
    plans: Vec<Rc<Plan>>,
    queue: BinaryHeap<Event>,
    happenings: Vec<Option<Happening>>,
    outcome: SimulationOutcome,
}

/// Runs a scenario.
fn simulate(scenario: &SimulatedCase) -> SimulationOutcome {
    let mut run = Run {
        regions: scenario.regions(),
        workers: workers(scenario),
        random: Random::new(7),
        plans: Vec::new(),
        queue: BinaryHeap::new(),
        happenings: Vec::new(),
        outcome: SimulationOutcome::default(),
    };
    for number in 0..scenario.requests {
        run.add(number * 1000 / scenario.per_second, Happening::Request);
    }
    while let Some(Event(std::cmp::Reverse((now, index)))) = run.queue.pop() {
        let happening = run.happenings[index].take().unwrap();
        run.happen(now, happening);
    }
    run.outcome
}

impl Run {
    fn add(&mut self, at: u64, happening: Happening) {
        self.queue
            .push(Event(std::cmp::Reverse((at, self.happenings.len()))));
        self.happenings.push(Some(happening));
    }

    fn happen(&mut self, now: u64, happening: Happening) {
        let time = BEGIN.after_milliseconds(now);
        match happening {
            Happening::Request => self.begin(now),
            Happening::Attempt { request, number } => self.attempt(now, request, number),
            Happening::Response {
                request,
                number,
                answer,
            } => {
                let plan = Rc::clone(&self.plans[request]);
                let response = AttemptResponse {
                    status: answer.status,
                    error_type: None,
                    retry_after: answer.retry_after,
                };
                plan.record_response(number, response, &|| time);
                if plan.should_retry(number, &|| time) {
                    let wait = plan
                        .backoff_seconds(answer.retry_after)
                        .map_or(PAUSE, |seconds| seconds * 1000);
                    let number = number + 1;
                    self.add(now + wait, Happening::Attempt { request, number });
                } else {
                    self.end(request, answer.status, time);
                }
            }
        }
    }

    fn begin(&mut self, now: u64) {
        let worker = usize::try_from(self.random.below(self.workers.len() as u64)).unwrap();
        let config = Rc::clone(&self.workers[worker]);
        let key = config.keys.master();
        let path = path::parse(b"/model/m/converse").unwrap();
        let begun = Request::begin(config, path, key, Headers(&[])).unwrap();
        let (complete, _) = begun.complete().unwrap();
        let time = BEGIN.after_milliseconds(now);
        match complete.dispatch(String::new(), &mut self.random, time) {
            Ok(dispatch) => {
                self.plans.push(Rc::new(dispatch.plan));
                let request = self.plans.len() - 1;
                self.attempt(now, request, 1);
            }
            Err(reject) => {
                let status = reject.reply().status;
                *self.outcome.statuses.entry(status).or_default() += 1;
            }
        }
    }

    fn attempt(&mut self, now: u64, request: usize, number: u64) {
        let plan = Rc::clone(&self.plans[request]);
        let time = BEGIN.after_milliseconds(now);
        let Some(cluster) = plan.cluster(number).map(str::to_owned) else {
            // Envoy was led nowhere.
            return self.end(request, 503, time);
        };
        *self.outcome.attempts.entry(cluster.clone()).or_default() += 1;
        self.outcome.log.push((now, cluster.clone()));
        let region = self
            .regions
            .iter_mut()
            .find(|region| region.name == cluster)
            .unwrap();
        match region.answer(now, &mut self.random) {
            // The connection is refused before the signer has run.
            None => {
                let number = number + 1;
                self.add(now + PAUSE, Happening::Attempt { request, number });
            }
            Some(answer) => {
                plan.request(number, cluster.as_bytes(), time).unwrap();
                let response = Happening::Response {
                    request,
                    number,
                    answer,
                };
                self.add(now + answer.milliseconds, response);
            }
        }
    }

    fn end(&mut self, request: usize, status: u16, now: UnixTime) {
        let plan = &self.plans[request];
        if status == 503
            && plan
                .attempts_made()
                .last()
                .is_none_or(|(.., status, _)| status == 0)
        {
            plan.record_silence(crate::contract::routing::FailureClass::InternalServer, now);
        }
        let tokens = if status == 200 { TOKENS } else { 0 };
        let used = Amount {
            tokens,
            spend: PicoUsd::ZERO,
        };
        plan.settle(|| used, || now);
        *self.outcome.statuses.entry(status).or_default() += 1;
    }
}
