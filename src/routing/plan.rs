//! The plan of a request: the deployment of each attempt, and the signed upstream request.
//!
//! The gateway role makes the plan. The signer role builds the request of each attempt from it, and
//! chooses the deployments of further attempts anew after each response. Nothing is taken from
//! Envoy's headers, because the previous attempt has changed them.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::admission::reject::Reject;
use crate::contract::itinerary::{self, NOWHERE};
use crate::contract::operation::Operation;
use crate::cooldown::Cooldown;
use crate::limits::{Amount, Grant};
use crate::pricing::Rates;
use crate::random::Random;
use crate::routing::active_config::ActiveConfig;
use crate::routing::attempt_log::{AttemptLog, AttemptTarget};
use crate::routing::brokered::missing;
use crate::routing::deployment::Deployment;
use crate::routing::model::{ModelGroup, ModelMatch};
use crate::routing::verdict::Verdict;
use crate::sigv4::PayloadHash;
use crate::time::UnixTime;

/// The itinerary that Envoy's route knows.
#[derive(Debug, Default)]
pub(crate) struct PublishedItinerary {
    targets: Vec<AttemptTarget>,
    /// The index in `targets` of the attempt after a signed one.
    next: usize,
}

/// What a client sets for its request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientLimits {
    /// The most time, in milliseconds: of the request or, if its response streams, to the first byte.
    pub(crate) timeout: Option<u64>,
    /// The most retries in each model group.
    pub(crate) retries: Option<u32>,
}

/// The model groups that can serve a request, the deployments of its attempts, and everything needed
/// to sign them.
#[derive(Debug)]
pub struct Plan {
    /// The request's call id, for the log.
    pub call_id: String,
    /// The configuration that was active when the request arrived.
    pub(crate) config: Rc<ActiveConfig>,
    /// The model group that the client selected.
    pub(crate) selected: ModelMatch,
    /// Other model groups that may serve the request instead, in order.
    pub(crate) fallbacks: Vec<ModelMatch>,
    /// How many of them are for any failure. The others are for requests that are too long.
    pub(crate) general_fallbacks: usize,
    /// The operation.
    pub(crate) operation: Operation,
    /// The client's headers that are forwarded to Bedrock.
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// SHA-256 of the body; `None` if no deployment needs it.
    pub(crate) payload: Option<PayloadHash>,
    /// Length of the body, in decimal.
    pub(crate) content_length: String,
    /// The digest of the session that the request belongs to.
    pub(crate) session: Option<u64>,
    pub(crate) random: RefCell<Random>,
    /// The target of each attempt. Those of attempts that are not made yet can change.
    pub(crate) targets: RefCell<Vec<AttemptTarget>>,
    /// What Envoy's route knows of them.
    pub(crate) published: RefCell<PublishedItinerary>,
    /// The plan's key in the table of the VM.
    pub(crate) table_key: Cell<u64>,
    /// When Envoy gives up on a request whose response does not stream.
    pub(crate) deadline: Option<UnixTime>,
    /// What the client has set.
    pub(crate) client_limits: ClientLimits,
    /// What the request will probably use of the limits of a deployment.
    pub(crate) expected: Amount,
    /// What it holds of the limits of a deployment.
    pub(crate) held: RefCell<Option<(AttemptTarget, Grant)>>,
    /// The target that the next attempt probes, if its cooldown is over.
    pub(crate) probe: Cell<Option<AttemptTarget>>,
    /// The cooldowns that have begun because of the request.
    pub(crate) begun: RefCell<Vec<(AttemptTarget, Cooldown)>>,
    /// The attempts made so far.
    pub(crate) log: AttemptLog,
}

impl Plan {
    /// The refusal of an attempt without credentials.
    pub(crate) fn no_credentials(&self, now: UnixTime) -> Reject {
        Reject::NoCredentials(missing(self.model(), now))
    }

    /// The model group that the client selected.
    pub(crate) fn model(&self) -> &ModelGroup {
        &self.selected.model
    }

    /// The selected model group for index 0, then the fallbacks.
    pub(super) fn group(&self, index: usize) -> Option<&ModelMatch> {
        match index.checked_sub(1) {
            None => Some(&self.selected),
            Some(fallback) => self.fallbacks.get(fallback),
        }
    }

    /// The region cluster of attempt `number` (the first is 1), if it may be made.
    pub fn cluster(&self, number: u64) -> Option<&str> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        let target = self.targets.borrow().get(index).copied()?;
        self.cluster_of(target)
    }

    /// The itinerary before the first attempt, for Envoy's route.
    pub fn itinerary(&self) -> String {
        self.publish(0, 1)
    }

    /// The itinerary after attempt `number` was signed or judged, unless Envoy's route knows it or
    /// makes no further attempt.
    pub(crate) fn changed_itinerary(&self, number: u64) -> Option<String> {
        let made = usize::try_from(number).ok()?;
        if made >= self.config.attempts_at_most {
            return None;
        }
        let is_known = {
            let (targets, known) = (self.targets.borrow(), self.published.borrow());
            let cluster = |target: Option<&AttemptTarget>| target.and_then(|target| self.cluster_of(*target));
            let is_same = |index: usize| cluster(targets.get(index)) == cluster(known.targets.get(index));
            cluster(known.targets.get(known.next)) == cluster(targets.get(made))
                && (made..targets.len().max(known.targets.len())).all(is_same)
        };
        (!is_known).then(|| self.publish(made, made))
    }

    /// The itinerary of the attempts from index `first` on. The one at index `next` follows a signed
    /// attempt.
    fn publish(&self, first: usize, next: usize) -> String {
        let targets = self.targets.borrow();
        let clusters = targets
            .iter()
            .map(|target| self.cluster_of(*target).unwrap_or(NOWHERE));
        let number = u64::try_from(first).unwrap_or(u64::MAX).saturating_add(1);
        let after_signed = clusters.clone().nth(next);
        let itinerary = itinerary::property(self.table_key.get(), number, clusters.skip(first), after_signed);
        *self.published.borrow_mut() = PublishedItinerary {
            targets: targets.clone(),
            next,
        };
        itinerary
    }

    fn cluster_of(&self, target: AttemptTarget) -> Option<&str> {
        Some(&self.find(target)?.1.cluster)
    }

    /// The time limit of each attempt, in milliseconds: that of the first one's deployment, because
    /// Envoy takes one for all.
    pub(crate) fn attempt_timeout(&self) -> Option<u64> {
        let first = self.targets.borrow().first().copied()?;
        let [unary, stream] = self.find(first)?.1.timeouts;
        if self.operation.is_stream() { stream } else { unary }
    }

    /// Whether all attempts can only go to one region cluster.
    pub(crate) fn has_one_cluster(&self) -> bool {
        let mut deployments = self.deployments();
        let first = deployments.next();
        first.is_some_and(|first| deployments.all(|other| other.cluster == first.cluster))
    }

    /// Whether requests have more than one place to go to.
    pub(super) fn has_alternatives(&self) -> bool {
        let mut deployments = self.deployments();
        let first = deployments.next();
        first.is_some_and(|first| deployments.any(|other| other.digest != first.digest))
    }

    /// The deployments of all model groups.
    fn deployments(&self) -> impl Iterator<Item = &Deployment> {
        let groups = std::iter::once(&self.selected).chain(&self.fallbacks);
        let deployments = groups.flat_map(|matched| &matched.model.deployments);
        deployments.map(|deployment| &**deployment)
    }

    /// Attempts made so far.
    pub fn attempt_count(&self) -> u64 {
        self.log.attempt_count()
    }

    /// The attempts made so far, in order: the model group, the deployment, the status of the
    /// response (0 if there was none), and the verdict.
    pub(crate) fn attempts_made(&self) -> impl Iterator<Item = (&ModelGroup, &Deployment, u16, Verdict)> {
        self.log.attempts().filter_map(|attempt| {
            let (model, deployment) = self.find(attempt.target)?;
            Some((model, deployment, attempt.status, attempt.verdict))
        })
    }

    /// The cooldowns that have begun because of the request.
    pub(crate) fn cooldowns_begun(&self) -> Vec<(&ModelGroup, &Deployment, Cooldown)> {
        let begun = self.begun.borrow();
        let found = begun.iter().filter_map(|(target, cooldown)| {
            let (model, deployment) = self.find(*target)?;
            Some((model, deployment, *cooldown))
        });
        found.collect()
    }

    /// Adds to the time taken by signing.
    pub fn add_signing_time(&self, nanoseconds: u64) {
        self.log.add_signing_time(nanoseconds);
    }

    /// The time taken to sign all attempts so far.
    pub const fn signing_nanoseconds(&self) -> u64 {
        self.log.signing_nanoseconds()
    }

    /// The model group of the last attempt, or the one that the client selected.
    pub(crate) fn last_model(&self) -> &ModelGroup {
        let last = self.log.last().and_then(|last| self.find(last.target));
        last.map_or_else(|| self.model(), |(model, _)| model)
    }

    /// How many fallbacks were tried.
    pub(crate) fn fallback_count(&self) -> u64 {
        let mut last = 0;
        let groups = self.log.attempts().map(|made| made.target.group);
        let begun = groups.filter(|group| std::mem::replace(&mut last, *group) != *group);
        let fallbacks = begun.filter(|group| *group > 0).count();
        u64::try_from(fallbacks).unwrap_or(u64::MAX)
    }

    /// The deployment of the last attempt.
    pub fn last_deployment(&self) -> Option<&Deployment> {
        Some(self.find(self.log.last()?.target)?.1)
    }

    /// The Bedrock model id of the last attempt.
    pub fn upstream_model(&self) -> Option<Cow<'_, str>> {
        let target = self.log.last()?.target;
        let (_, deployment) = self.find(target)?;
        Some(deployment.request_model(self.operation, self.captures(target)))
    }

    /// The rates of the last attempt, if known.
    pub fn rates(&self) -> Option<&Rates> {
        let target = self.log.last()?.target;
        self.config.rates(self.find(target)?.1, self.captures(target))
    }

    /// Length of the body, in bytes.
    pub fn request_bytes(&self) -> u64 {
        self.content_length.parse().unwrap_or_default()
    }

    pub(super) fn find(&self, target: AttemptTarget) -> Option<(&ModelGroup, &Deployment)> {
        let model = &self.group(target.group)?.model;
        Some((model, model.deployments.get(target.deployment)?))
    }

    /// What each `*` in the name of a target's model group matched.
    pub(super) fn captures(&self, target: AttemptTarget) -> &[String] {
        self.group(target.group).map_or(&[], |matched| &matched.captures)
    }
}

#[cfg(test)]
mod tests;
