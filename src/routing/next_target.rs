//! The deployments of a plan's attempts that are not made yet.

use std::cell::RefCell;

use crate::admission::reject::Reject;
use crate::contract::routing::{FailureClass, Strategy};
use crate::contract::settings::BUDGET_EXCEEDED_STATUS;
use crate::cooldown::{CooldownView, TargetKey, TargetState};
use crate::limits::{Amount, Exceeded, Grant, GrantError};
use crate::routing::attempt_log::AttemptTarget;
use crate::routing::choice::{self, Condition, Tiebreak};
use crate::routing::deployment::Deployment;
use crate::routing::outlook::Outlook;
use crate::routing::plan::Plan;
use crate::routing::verdict::Verdict;
use crate::time::UnixTime;

/// What is known while the targets of a plan are chosen.
struct Prospects<'a, N> {
    outlook: Option<&'a Outlook>,
    /// Empty if cooldowns are disabled, or there is nowhere else to go.
    cooling: CooldownView,
    /// Those that another request probes.
    probed: RefCell<Vec<AttemptTarget>>,
    /// Those at a limit, and which.
    full: RefCell<Vec<(AttemptTarget, Option<Box<Exceeded>>)>>,
    now: &'a N,
}

/// Which deployments may follow.
#[derive(Clone, Copy)]
enum Onward {
    /// After a failure of this class, any.
    After(FailureClass),
    /// The request may be too long for the model: only the context window fallbacks.
    ToLongerContext,
}

impl Plan {
    /// Chooses the deployments of all attempts, as if there were no response to any of them.
    ///
    /// # Errors
    /// [`Reject::NoCredentials`] if the first attempt cannot be signed, [`Reject::LimitExceeded`] if
    /// all deployments are at a limit, [`Reject::Host`] if that cannot be told.
    pub(crate) fn begin(&self, now: UnixTime) -> Result<(), Reject> {
        if let Some(outlook) = self.config.outlook() {
            outlook.budget.deposit();
        }
        let full = self.choose_from(0, Onward::After(FailureClass::InternalServer), &|| now);
        if !self.targets.borrow().is_empty() {
            return Ok(());
        }
        if full.is_empty() {
            return Err(self.no_credentials(now));
        }
        let exceeded = full.into_iter().flat_map(|(_, exceeded)| exceeded);
        let soonest = exceeded
            .min_by_key(|exceeded| exceeded.retry_after())
            .ok_or(Reject::Host)?;
        Err(Reject::LimitExceeded {
            exceeded: soonest,
            budget_status: BUDGET_EXCEEDED_STATUS,
        })
    }

    /// Whether to retry after attempt `number`, which must be the last. If so, the deployments of
    /// all further attempts have been chosen anew. They have credentials: Envoy does not retry after
    /// a local reply, so an attempt that cannot be signed would hide Bedrock's response from the
    /// client.
    ///
    /// `now` is called only if that depends on the time.
    pub fn should_retry(&self, number: u64, now: &impl Fn() -> UnixTime) -> bool {
        let Some(last) = self.log.last().filter(|_| number == self.attempt_count()) else {
            return false;
        };
        let onward = match last.verdict {
            Verdict::Final if self.may_be_too_long(last.status, last.is_invalid) => Onward::ToLongerContext,
            Verdict::Final if !self.retries_invalid_requests(last.status) => return false,
            verdict => Onward::After(verdict.class(last.status)),
        };
        let made = usize::try_from(number).unwrap_or(usize::MAX);
        self.choose_from(made, onward, now);
        self.targets.borrow().len() > made
    }

    /// How long to wait before the next attempt, in seconds, if it goes where the last one has
    /// failed. Otherwise, and if `None`, the pace of the route decides. `retry_after` is what the
    /// last response asks for.
    pub(crate) fn backoff_seconds(&self, retry_after: Option<u64>) -> Option<u64> {
        let last = self.log.last()?.target;
        let made = usize::try_from(self.attempt_count()).ok()?;
        let next = self.targets.borrow().get(made).copied()?;
        let is_same = self.key(last) == self.key(next);
        let asked = retry_after.filter(|seconds| (1..=BACKOFF_ASKED_MAX_SECONDS).contains(seconds));
        let configured = self.config.routing.retry_after_milliseconds.div_ceil(1000);
        let seconds = asked.unwrap_or(0).max(configured);
        // The pace of a route with one cluster is slow enough.
        let least = u64::from(!self.has_one_cluster());
        Some(seconds.max(least)).filter(|seconds| is_same && *seconds > 0)
    }

    /// The target of attempt `number`: the planned one or, if its deployment has no credentials any
    /// more, another one of the same cluster, because Envoy has already chosen the cluster.
    pub(super) fn target(&self, number: u64, now: &impl Fn() -> UnixTime) -> Option<AttemptTarget> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        let planned = self.targets.borrow().get(index).copied()?;
        let (model, deployment) = self.find(planned)?;
        if self.is_usable(deployment, now) {
            return Some(planned);
        }
        let others = model.deployments.iter().enumerate().map(|(index, other)| {
            let target = AttemptTarget {
                deployment: index,
                ..planned
            };
            (target, other)
        });
        let mut others = others.filter(|(_, other)| other.cluster == deployment.cluster);
        let other = others.find(|(_, other)| self.is_usable(other, now));
        Some(other.map_or(planned, |(target, _)| target))
    }

    /// Chooses the targets of the attempts from index `made` on. Those after the first are chosen as
    /// if there were no response. Returns the targets at a limit.
    fn choose_from(
        &self,
        made: usize,
        onward: Onward,
        now: &impl Fn() -> UnixTime,
    ) -> Vec<(AttemptTarget, Option<Box<Exceeded>>)> {
        let mut tried: Vec<AttemptTarget> = self
            .log
            .attempts()
            .map(|attempt| attempt.target)
            .take(made)
            .collect();
        let outlook = self.config.outlook();
        let watches = !self.config.routing.cooldown.disabled && self.has_alternatives();
        let watched = outlook.filter(|_| watches);
        let prospects = Prospects {
            outlook,
            cooling: watched
                .map(|outlook| outlook.cooldowns.view())
                .unwrap_or_default(),
            probed: RefCell::default(),
            full: RefCell::default(),
            now,
        };
        if let Some(next) = self.take_next(&tried, onward, &prospects) {
            tried.push(next);
            let onward = Onward::After(FailureClass::InternalServer);
            let mut unpaid = 0u64;
            while let Some(next) = self.next(&tried, onward, &prospects, false) {
                // Envoy makes these attempts by itself if it cannot connect.
                if self.needs_budget(&tried, next, &prospects) {
                    unpaid = unpaid.saturating_add(1);
                    if !outlook.is_none_or(|outlook| outlook.budget.can_withdraw(unpaid, now())) {
                        break;
                    }
                }
                tried.push(next);
            }
        }
        *self.targets.borrow_mut() = tried;
        prospects.full.into_inner()
    }

    /// Chooses the next target, and takes what its attempt needs.
    fn take_next(
        &self,
        tried: &[AttemptTarget],
        onward: Onward,
        prospects: &Prospects<'_, impl Fn() -> UnixTime>,
    ) -> Option<AttemptTarget> {
        loop {
            let next = self.next(tried, onward, prospects, true)?;
            let (_, deployment) = self.find(next)?;
            let Some(outlook) = prospects.outlook else {
                return Some(next);
            };
            if self.needs_budget(tried, next, prospects) && !outlook.budget.withdraw((prospects.now)()) {
                return None;
            }
            let key = self.key(next)?;
            let is_due = self.state(next, prospects) == TargetState::ProbeDue;
            let is_probe = is_due && !prospects.probed.borrow().contains(&next);
            if is_probe && !outlook.cooldowns.begin_probe(key, (prospects.now)()) {
                prospects.probed.borrow_mut().push(next);
                continue;
            }
            // What the last attempt holds may be of the same deployment.
            self.release(prospects.now);
            match take_grant(deployment, self.expected, outlook, prospects.now) {
                Ok(grant) => {
                    self.held.replace(grant.map(|grant| (next, grant)));
                    self.probe.set(is_probe.then_some(next));
                    return Some(next);
                }
                Err(exceeded) => prospects.full.borrow_mut().push((next, exceeded)),
            }
        }
    }

    /// Whether an attempt on `next` is a retry that the retry budget must allow, because the request
    /// has tried the deployment, or it cools down.
    fn needs_budget(
        &self,
        tried: &[AttemptTarget],
        next: AttemptTarget,
        prospects: &Prospects<'_, impl Fn() -> UnixTime>,
    ) -> bool {
        let is_repeated = || tried.iter().any(|other| self.key(*other) == self.key(next));
        let is_cooling = || matches!(self.state(next, prospects), TargetState::Cooling { .. });
        !tried.is_empty() && (is_repeated() || is_cooling())
    }

    /// Makes sure that an attempt on `target` is counted. If earlier attempts had no response, it may
    /// not be the one that was chosen last; its limits are exceeded then, if need be.
    pub(super) fn hold(&self, target: AttemptTarget, now: UnixTime) {
        let is_held = self
            .held
            .borrow()
            .as_ref()
            .is_some_and(|(held, _)| *held == target);
        let found = self.find(target).zip(self.config.outlook());
        let Some(((_, deployment), outlook)) = found.filter(|_| !is_held) else {
            return;
        };
        self.release(&|| now);
        if let Ok(Some(grant)) = take_grant(deployment, self.expected, outlook, &|| now) {
            self.held.replace(Some((target, grant)));
        }
    }

    /// The target after those `tried`.
    fn next(
        &self,
        tried: &[AttemptTarget],
        onward: Onward,
        prospects: &Prospects<'_, impl Fn() -> UnixTime>,
        is_next: bool,
    ) -> Option<AttemptTarget> {
        if tried.len() >= self.config.attempts_at_most {
            return None;
        }
        let last = tried.last();
        let group = last.map_or(0, |last| last.group);
        let choose = |group: usize| self.choose(group, tried, prospects, is_next);
        let class = match onward {
            Onward::ToLongerContext => {
                let mut groups = self.general_fallbacks.saturating_add(1)..=self.fallbacks.len();
                return groups.find_map(choose);
            }
            Onward::After(class) => class,
        };
        let is_general = group <= self.general_fallbacks;
        let end = if is_general {
            self.general_fallbacks
        } else {
            self.fallbacks.len()
        };
        let in_group = tried.iter().filter(|target| target.group == group).count();
        let retries = last.map_or(0, |last| self.retries_after(*last, class));
        // Each fallback has an attempt, however many retries there may be.
        let attempts = self
            .config
            .attempts_at_most
            .saturating_sub(end.saturating_sub(group));
        let may_stay = in_group <= retries && (in_group == 0 || tried.len() < attempts);
        let own = may_stay.then(|| choose(group)).flatten();
        let is_ready = |target: &AttemptTarget| self.cooling(*target, prospects, is_next).is_none();
        if own.as_ref().is_some_and(is_ready) {
            return own;
        }
        // A fallback that is ready is better than a deployment that cools down.
        let mut others = (group.saturating_add(1)..=end).filter_map(choose).peekable();
        let first = others.peek().copied();
        others.find(is_ready).or(own).or(first)
    }

    /// Whether there is time left for another attempt after the wait that the last response asks for
    /// by `retry_after`. Without, the plan makes no more attempts: Envoy would replace Bedrock's
    /// response by a timeout.
    pub(crate) fn has_time_for_retry(&self, retry_after: Option<u64>, now: &impl Fn() -> UnixTime) -> bool {
        let Some(deadline) = self.deadline else {
            return true;
        };
        let wait = self.backoff_seconds(retry_after).unwrap_or_default();
        if wait == 0 || now().after_milliseconds(wait.saturating_mul(1000)) < deadline {
            return true;
        }
        let made = usize::try_from(self.attempt_count()).unwrap_or(usize::MAX);
        self.targets.borrow_mut().truncate(made);
        false
    }

    /// How many retries a model group may make after a failure of this class on `target`.
    fn retries_after(&self, target: AttemptTarget, class: FailureClass) -> usize {
        let found = self.find(target);
        let of_class = found.and_then(|(model, _)| model.routing.retries.get(&class).copied());
        let of_deployment = found.and_then(|(_, deployment)| deployment.retries);
        let retries = self.client_limits.retries.or(of_class).or(of_deployment);
        retries.map_or(self.config.attempts.saturating_sub(1), |retries| {
            usize::try_from(retries).unwrap_or(usize::MAX)
        })
    }

    /// The best target in a model group after those `tried`.
    fn choose(
        &self,
        group: usize,
        tried: &[AttemptTarget],
        prospects: &Prospects<'_, impl Fn() -> UnixTime>,
        is_next: bool,
    ) -> Option<AttemptTarget> {
        let model = &self.group(group)?.model;
        let tried = || {
            let found = tried.iter().map(|target| self.find(*target));
            found.flatten().map(|(_, deployment)| deployment)
        };
        let target_of = |deployment: &Deployment| AttemptTarget {
            group,
            deployment: usize::try_from(deployment.index).unwrap_or(usize::MAX),
        };
        let condition = |deployment: &Deployment| {
            let target = target_of(deployment);
            let is_full = prospects.full.borrow().iter().any(|(full, _)| *full == target);
            if is_full || !self.is_usable(deployment, prospects.now) {
                return None;
            }
            let equal = tried().filter(|other| other.digest == deployment.digest);
            let here = tried()
                .enumerate()
                .filter(|(_, other)| other.cluster == deployment.cluster)
                .last();
            Some(Condition {
                tried: equal.count(),
                cooling: self.cooling(target, prospects, is_next),
                region_tried: here.map_or(0, |(index, _)| index.saturating_add(1)),
            })
        };
        let routing = &self.config.routing;
        let tiebreak = Tiebreak {
            strategy: routing.strategy,
            latency_buffer: routing.latency_buffer,
            session: self.session,
        };
        let load = |deployment: &Deployment| self.load(target_of(deployment), deployment, prospects);
        let random = &mut *self.random.borrow_mut();
        let deployment = choice::choose(&model.deployments, condition, tiebreak, load, random)?;
        Some(AttemptTarget { group, deployment })
    }

    /// What the strategy compares.
    fn load(
        &self,
        target: AttemptTarget,
        deployment: &Deployment,
        prospects: &Prospects<'_, impl Fn() -> UnixTime>,
    ) -> u64 {
        let standing = || {
            let (outlook, subject) = (prospects.outlook?, deployment.subject.as_ref()?);
            outlook.limiter.standing(subject, (prospects.now)())
        };
        match self.config.routing.strategy {
            Strategy::SimpleShuffle => 0,
            Strategy::LeastBusy => standing().map_or(0, |standing| standing.parallel),
            Strategy::UsageBased => standing().map_or(0, |standing| standing.tokens),
            // One that was never measured comes first, so that it is.
            Strategy::LatencyBased => {
                let key = self.key(target);
                let averages = prospects.outlook.zip(key).map(|(outlook, key)| {
                    let averages = outlook.latencies.averages(&[key], (prospects.now)());
                    averages.into_iter().flatten().next()
                });
                averages.flatten().unwrap_or(0)
            }
            Strategy::CostBased => {
                let rates = self.config.rates(deployment, self.captures(target));
                rates.map_or(u64::MAX, |rates| rates.input_and_output())
            }
        }
    }

    /// Until when a target cools down, if it does. If another request probes it, or it is not the
    /// next one, it does until it is probed.
    fn cooling(
        &self,
        target: AttemptTarget,
        prospects: &Prospects<'_, impl Fn() -> UnixTime>,
        is_next: bool,
    ) -> Option<UnixTime> {
        let is_probed = || !is_next || prospects.probed.borrow().contains(&target);
        match self.state(target, prospects) {
            TargetState::Cooling { until } => Some(until),
            TargetState::ProbeDue if is_probed() => Some((prospects.now)()),
            TargetState::ProbeDue | TargetState::Ready => None,
        }
    }

    fn state(&self, target: AttemptTarget, prospects: &Prospects<'_, impl Fn() -> UnixTime>) -> TargetState {
        if prospects.cooling.is_empty() {
            return TargetState::Ready;
        }
        let key = self.key(target);
        key.map_or(TargetState::Ready, |key| {
            prospects.cooling.state(key, (prospects.now)())
        })
    }

    /// What cools down if a target fails.
    pub(super) fn key(&self, target: AttemptTarget) -> Option<TargetKey> {
        Some(self.find(target)?.1.key(self.captures(target)))
    }

    /// Whether no attempt has found this deployment, or an equal one, unusable, and there are
    /// credentials for it.
    fn is_usable(&self, deployment: &Deployment, now: &impl Fn() -> UnixTime) -> bool {
        let attempts = self.log.attempts();
        let mut unusable = attempts.filter(|attempt| attempt.verdict == Verdict::Unusable);
        let is_equal = |tried: AttemptTarget| {
            self.find(tried)
                .is_some_and(|(_, other)| other.digest == deployment.digest)
        };
        !unusable.any(|attempt| is_equal(attempt.target)) && deployment.has_credentials(now)
    }

    /// Whether `retry_policy` wants requests to be retried that Bedrock has called invalid.
    fn retries_invalid_requests(&self, status: u16) -> bool {
        let policy = &self.last_model().routing.retries;
        let is_wanted = policy
            .get(&FailureClass::BadRequest)
            .is_some_and(|retries| *retries > 0);
        is_wanted && (400..500).contains(&status)
    }

    /// Whether the model may have refused the request because of its length. Bedrock's headers only
    /// say that it is invalid.
    fn may_be_too_long(&self, status: u16, is_invalid: bool) -> bool {
        status == 400
            && is_invalid
            && self.fallbacks.len() > self.general_fallbacks
            && self.request_bytes() > LONG_REQUEST_BYTES
    }
}

/// LiteLLM ignores a longer `retry-after`.
const BACKOFF_ASKED_MAX_SECONDS: u64 = 60;
/// A body of this size has some 25,000 tokens.
const LONG_REQUEST_BYTES: u64 = 100_000;

/// Takes what an attempt holds of the limits of its deployment. The error is the limit that is
/// reached, if that is known.
fn take_grant(
    deployment: &Deployment,
    expected: Amount,
    outlook: &Outlook,
    now: &impl Fn() -> UnixTime,
) -> Result<Option<Grant>, Option<Box<Exceeded>>> {
    let Some(subject) = &deployment.subject else {
        return Ok(None);
    };
    let take = || {
        let grant = Grant::take(&outlook.limiter, std::slice::from_ref(subject), now())?;
        if grant.needs_reservation() {
            grant.reserve(expected, now())?;
        }
        grant.dispatch();
        Ok(grant)
    };
    match take() {
        Ok(grant) => Ok(Some(grant)),
        Err(GrantError::Exceeded(exceeded)) => Err(Some(exceeded)),
        Err(GrantError::Uncountable) => Err(None),
    }
}

#[cfg(test)]
mod tests;
