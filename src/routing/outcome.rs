//! What becomes of a plan's attempts, and what other requests learn from it.

use crate::contract::routing::{FailureClass, Strategy};
use crate::cooldown::TargetFailure;
use crate::limits::Amount;
use crate::routing::attempt_log::Attempt;
use crate::routing::brokered;
use crate::routing::plan::Plan;
use crate::routing::verdict::{Verdict, is_invalid_request, refuses_credential};
use crate::time::UnixTime;

/// The headers of a response that say how an attempt has ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct AttemptResponse<'a> {
    /// The status.
    pub status: u16,
    /// `x-amzn-errortype`.
    pub error_type: Option<&'a [u8]>,
    /// `retry-after`, in seconds.
    pub retry_after: Option<u64>,
}

#[cfg(test)]
impl AttemptResponse<'_> {
    /// A response with a status and nothing else.
    pub(crate) fn of(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }
}

/// What a timeout counts for the average of a deployment's latencies: 1000 seconds, as in LiteLLM.
const TIMEOUT_MICROSECONDS: u64 = 1_000_000_000;

impl Plan {
    /// Records the response to attempt `number`. `now` is called only if other requests learn from
    /// it.
    pub fn record_response(&self, number: u64, response: AttemptResponse<'_>, now: &impl Fn() -> UnixTime) {
        let AttemptResponse {
            status, error_type, ..
        } = response;
        let verdict = Verdict::of(status, error_type);
        let is_invalid = is_invalid_request(error_type);
        let Some(attempt) = self.log.record_response(number, status, verdict, is_invalid) else {
            return;
        };
        if (200..300).contains(&status) {
            self.report_success(attempt, now);
        } else {
            self.report_failure(attempt, verdict.class(status), response, now());
        }
    }

    /// Whether Envoy was told to make another attempt after the last one that is recorded.
    pub(crate) fn expects_attempt(&self) -> bool {
        let made = usize::try_from(self.attempt_count()).unwrap_or(usize::MAX);
        self.targets.borrow().len() > made
    }

    /// Envoy has given up: there was no response to the last attempts, or none in time.
    pub(crate) fn record_silence(&self, class: FailureClass, now: UnixTime) {
        let was_answered = self.log.last().is_none_or(|last| last.is_reported);
        self.report_silence_before(u64::MAX, class, now);
        if !was_answered {
            return;
        }
        // Without a signed attempt after the last response, all others have failed to connect. If
        // that has taken too long, only one was made.
        let made = usize::try_from(self.attempt_count()).unwrap_or(usize::MAX);
        let at_most = if class == FailureClass::Timeout {
            1
        } else {
            usize::MAX
        };
        let targets = self.targets.borrow().clone();
        for (index, target) in targets.into_iter().enumerate().skip(made).take(at_most) {
            self.report_silence(index, Attempt::to(target, now), class, now);
        }
    }

    /// The attempts before attempt `number` had no response, unless one is recorded.
    pub(super) fn report_silence_before(&self, number: u64, class: FailureClass, now: UnixTime) {
        let before = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        for (index, attempt) in self.log.attempts().enumerate().take(before) {
            if !attempt.is_reported {
                self.report_silence(index, attempt, class, now);
            }
        }
        self.log.mark_reported(number);
    }

    /// The attempt with this index had no response.
    fn report_silence(&self, index: usize, attempt: Attempt, class: FailureClass, now: UnixTime) {
        if let Some(outlook) = self.config.outlook().filter(|_| index > 0) {
            // Envoy has made it without asking.
            let _can_afford = outlook.budget.withdraw(now);
        }
        self.report_failure(attempt, class, AttemptResponse::default(), now);
    }

    /// The last attempt was not answered in the time that the client allows, which says nothing
    /// about the deployment.
    pub(crate) fn record_impatience(&self) {
        self.log.mark_reported(u64::MAX);
    }

    /// The response to the last attempt has ended before it was complete, because the connection has
    /// failed.
    pub(crate) fn record_cut(&self, now: UnixTime) {
        self.report_late_failure(FailureClass::InternalServer, now);
    }

    /// The stream of the last attempt has ended with an exception of this type.
    pub(crate) fn record_exception(&self, error_type: &str, now: UnixTime) {
        // The status decides only if the type is unknown.
        let verdict = Verdict::of(400, Some(error_type.as_bytes()));
        if verdict != Verdict::Final {
            self.report_late_failure(verdict.class(500), now);
        }
    }

    /// The last attempt has failed after its response had begun.
    fn report_late_failure(&self, class: FailureClass, now: UnixTime) {
        if let Some(last) = self.log.last() {
            let response = AttemptResponse {
                status: last.status,
                ..AttemptResponse::default()
            };
            self.report_failure(last, class, response, now);
        }
    }

    /// For the log: the cooldowns that have begun because of the request.
    pub(crate) fn cooldown_messages(&self) -> Vec<String> {
        let begun = self.cooldowns_begun();
        let messages = begun.iter().map(|(model, deployment, cooldown)| {
            let name = brokered::name(model, deployment);
            format!("{name} {}", cooldown.message())
        });
        messages.collect()
    }

    /// The request is over. If its last attempt was to probe a deployment, and nothing was learned,
    /// another request may probe it.
    fn give_up_probe(&self, now: impl Fn() -> UnixTime) {
        let signed = self.log.last().filter(|last| last.is_probe && !last.is_reported);
        let probed = self.probe.take().or(signed.map(|signed| signed.target));
        let found = probed
            .and_then(|target| self.key(target))
            .zip(self.config.outlook());
        if let Some((key, outlook)) = found {
            outlook.cooldowns.give_up_probe(key, now());
        }
    }

    /// Returns what the last attempt holds, which has used nothing.
    pub(super) fn release(&self, now: &impl Fn() -> UnixTime) {
        self.settle(Amount::default, now);
    }

    fn settle(&self, used: impl FnOnce() -> Amount, now: impl Fn() -> UnixTime) {
        if let Some((_, grant)) = self.held.take() {
            grant.settle(used, now());
        }
    }

    /// The request is over, and has used this of the limits of its last deployment.
    pub(crate) fn finish(&self, used: impl FnOnce() -> Amount, now: impl Fn() -> UnixTime) {
        self.give_up_probe(&now);
        self.settle(used, now);
    }

    fn report_failure(
        &self,
        attempt: Attempt,
        class: FailureClass,
        response: AttemptResponse<'_>,
        now: UnixTime,
    ) {
        let found = self.find(attempt.target).zip(self.config.outlook());
        let Some(((_, deployment), outlook)) = found else {
            return;
        };
        let own = deployment.cooldown.as_deref();
        let settings = own.unwrap_or(&self.config.routing.cooldown);
        let is_credential = refuses_credential(response.status, response.error_type, false);
        let failure = TargetFailure {
            class,
            status: response.status,
            // Clients choose the models of a wildcard, and whether they exist.
            is_unusable: attempt.verdict == Verdict::Unusable && (!deployment.is_wildcard() || is_credential),
            retry_after: response.retry_after.filter(|_| !settings.ignores_retry_after),
            is_counted: (200..300).contains(&response.status),
        };
        let is_alone = !self.has_alternatives();
        let key = deployment.key(self.captures(attempt.target));
        if class == FailureClass::Timeout && self.config.routing.strategy == Strategy::LatencyBased {
            outlook.latencies.record(key, TIMEOUT_MICROSECONDS, now);
        }
        if let Some(cooldown) = outlook.cooldowns.failed(key, failure, settings, is_alone, now) {
            self.begun.borrow_mut().push((attempt.target, cooldown));
        }
    }

    fn report_success(&self, attempt: Attempt, now: &impl Fn() -> UnixTime) {
        let found = self.key(attempt.target).zip(self.config.outlook());
        let Some((key, outlook)) = found.filter(|_| self.has_alternatives()) else {
            return;
        };
        let routing = &self.config.routing;
        if !routing.cooldown.disabled {
            outlook
                .cooldowns
                .succeeded(key, attempt.is_probe, attempt.started);
        }
        if routing.strategy == Strategy::LatencyBased {
            let now = now();
            let microseconds = now.nanoseconds_since(attempt.started) / 1000;
            outlook.latencies.record(key, microseconds, now);
        }
    }
}
