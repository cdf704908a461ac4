//! How requests are routed: `router_settings`, and what one deployment says instead.

use std::collections::BTreeMap;
use std::time::Duration;

use envoy_bedrock::contract::routing::{
    Affinity, DeploymentRouting, FailureClass, ModelRouting, RoutingSettings, Strategy,
};
use envoy_bedrock::contract::settings::ModelSettings;

use super::cooldown::StatedCooldown;
use super::entry::ModelListEntry;
use super::gateway_limits::REQUEST_TIMEOUT_DEFAULT;
use super::numbers::{PARALLEL_REQUESTS_MAX, RETRIES_MAX, TIME_LIMIT_MAX_SECONDS};
use super::report::Reader;
use super::shares::StatedShare;
use crate::document::field::{Section, YamlField, quoted};
use crate::document::reader::Read;

/// LiteLLM's names of strategies.
const STRATEGIES: [(&str, Strategy); 6] = [
    ("simple-shuffle", Strategy::SimpleShuffle),
    ("least-busy", Strategy::LeastBusy),
    ("latency-based-routing", Strategy::LatencyBased),
    ("usage-based-routing-v2", Strategy::UsageBased),
    ("usage-based-routing", Strategy::UsageBased),
    ("cost-based-routing", Strategy::CostBased),
];
/// The pre-call check that makes `rpm` and `tpm` limits.
const ENFORCE_RATES: &str = "enforce_model_rate_limits";
/// The pre-call check that keeps a client's requests together.
const KEY_AFFINITY: &str = "deployment_affinity";
/// The longest wait before another attempt, as in LiteLLM.
const RETRY_AFTER_MAX_SECONDS: f64 = 60.0;

/// Why the setting of a model group that does not exist has no effect.
pub(crate) const UNKNOWN_GROUP: &str = "never used: no deployment has this model_name";

/// Retries for each class of failures in the model group of this name.
type GroupRetries = (String, YamlField, BTreeMap<FailureClass, u32>);

/// What applies to all deployments, unless one says something else.
#[derive(Clone, Debug, Default)]
pub(crate) struct RouterWide {
    pub(crate) routing: RoutingSettings,
    /// Retries for each class of failures.
    pub(crate) retries: BTreeMap<FailureClass, u32>,
    /// The same for some model groups.
    pub(crate) retries_of_groups: Vec<GroupRetries>,
    limits_rates: bool,
    max_parallel_requests: Option<u64>,
    stream_timeout_milliseconds: Option<u64>,
}

impl RouterWide {
    /// What applies to a model group, without its fallbacks.
    pub(crate) fn of_group(&self, name: &str) -> ModelRouting {
        let own = self.retries_of_groups.iter().find(|(group, ..)| group == name);
        ModelRouting {
            retries: own.map_or(&self.retries, |(.., retries)| retries).clone(),
            ..ModelRouting::default()
        }
    }
}

/// What a deployment says about its routing.
#[derive(Clone, Debug, Default)]
pub(crate) struct StatedRouting {
    max_parallel_requests: Option<u64>,
    cooldown: StatedCooldown,
    retries: Option<u32>,
    timeout_milliseconds: Option<u64>,
    stream_timeout_milliseconds: Option<u64>,
}

impl StatedRouting {
    /// The routing of a deployment.
    pub(crate) fn with(&self, all: &RouterWide, share: &StatedShare) -> DeploymentRouting {
        let limit = |rate: Option<f64>| rate.filter(|_| all.limits_rates);
        DeploymentRouting {
            rpm: limit(share.rpm).map(|rate| rate.ceil() as u64),
            tpm: limit(share.tpm).map(|rate| rate.ceil() as u64),
            max_parallel_requests: self.max_parallel_requests.or(all.max_parallel_requests),
            cooldown: self.cooldown.instead_of(&all.routing.cooldown),
            retries: self.retries,
            timeout_milliseconds: self.timeout_milliseconds,
            // LiteLLM's order.
            stream_timeout_milliseconds: self
                .stream_timeout_milliseconds
                .or(all.stream_timeout_milliseconds)
                .or(self.timeout_milliseconds),
        }
    }
}

impl ModelListEntry<'_, '_> {
    /// What the deployment says about its routing.
    pub(crate) fn routing(&mut self) -> Read<StatedRouting> {
        let (parameters, info, reader) = (&self.parameters, &self.info, &mut *self.reader);
        let parallel = parameters.field("max_parallel_requests");
        let parallel = parallel.map(|field| reader.whole_number(&field, 1, PARALLEL_REQUESTS_MAX));
        let retries = reader.first_of(["num_retries", "max_retries"].map(|name| parameters.field(name)));
        let retries = retries.map(|field| reader.retries(&field));
        let timeout = reader.first_of(["timeout", "request_timeout"].map(|name| parameters.field(name)));
        let timeout = timeout.map(|field| reader.time_limit(&field));
        let stream = parameters.field("stream_timeout");
        let stream = stream.map(|field| reader.time_limit(&field));
        let cooldown = reader.stated_cooldown(
            parameters.field("cooldown_time"),
            info.field("allowed_fails"),
            info.field("allowed_fails_policy"),
        );
        Ok(StatedRouting {
            max_parallel_requests: parallel.transpose()?,
            cooldown: cooldown?,
            retries: retries.transpose()?,
            timeout_milliseconds: timeout.transpose()?.flatten(),
            stream_timeout_milliseconds: stream.transpose()?.flatten(),
        })
    }
}

impl Reader<'_> {
    /// What applies to all deployments.
    pub(crate) fn router_wide(&mut self, router: &Section, litellm: &Section) -> Read<RouterWide> {
        let strategy = self.strategy(router);
        let latency_buffer = self.latency_buffer(router);
        let cooldown = self.cooldowns(router, litellm);
        let retry_after = router.field("retry_after");
        let retry_after = retry_after.map(|field| self.retry_after(&field));
        let parallel = router.field("default_max_parallel_requests");
        let parallel = parallel.map(|field| self.whole_number(&field, 1, PARALLEL_REQUESTS_MAX));
        let stream = router.field("stream_timeout");
        let stream = stream.map(|field| self.time_limit(&field));
        let retries = router.field("retry_policy");
        let retries = retries.map(|field| self.policy(&field, "Retries", RETRIES_MAX));
        let retries_of_groups = self.retries_of_groups(router);
        let strategy = strategy?;
        self.require_list_of_checks(router)?;
        let affinity = if has_check(router, KEY_AFFINITY) {
            Affinity::Key
        } else {
            Affinity::Session
        };
        Ok(RouterWide {
            routing: RoutingSettings {
                strategy,
                latency_buffer: latency_buffer?,
                cooldown: cooldown?,
                affinity,
                retry_after_milliseconds: retry_after.transpose()?.unwrap_or_default(),
                time_limit_milliseconds: None,
            },
            retries: retries.transpose()?.unwrap_or_default(),
            retries_of_groups: retries_of_groups?,
            limits_rates: has_check(router, ENFORCE_RATES) || strategy == Strategy::UsageBased,
            max_parallel_requests: parallel.transpose()?,
            stream_timeout_milliseconds: stream.transpose()?.flatten(),
        })
    }

    /// `retry_after`. A longer one is cut.
    fn retry_after(&mut self, field: &YamlField) -> Read<u64> {
        let seconds = self.seconds(field, 0.0, TIME_LIMIT_MAX_SECONDS)?;
        if seconds > RETRY_AFTER_MAX_SECONDS {
            self.note(
                &field.location,
                format!("only {RETRY_AFTER_MAX_SECONDS} seconds are waited"),
            );
        }
        Ok((seconds.min(RETRY_AFTER_MAX_SECONDS) * 1000.0).round() as u64)
    }

    /// Some checks are limits, so a value that holds none must not be ignored.
    fn require_list_of_checks(&mut self, router: &Section) -> Read<()> {
        let field = router.peek("optional_pre_call_checks");
        match field.filter(|field| !field.is_null() && field.elements().is_none()) {
            Some(field) => Err(self.file_error(&field.location, field.not("a list"))),
            None => Ok(()),
        }
    }

    fn strategy(&mut self, router: &Section) -> Read<Strategy> {
        let Some(field) = router.field("routing_strategy") else {
            return Ok(Strategy::default());
        };
        let name = self.text(&field)?;
        let known = STRATEGIES.iter().find(|(known, _)| *known == name);
        known.map(|(_, strategy)| *strategy).ok_or_else(|| {
            let names: Vec<&str> = STRATEGIES.iter().map(|(name, _)| *name).collect();
            let expected = format!("one of these strategies: {}", names.join(", "));
            self.unexpected(&field.location, expected, quoted(&name))
        })
    }

    /// `routing_strategy_args.lowest_latency_buffer`. The other arguments have no effect.
    fn latency_buffer(&mut self, router: &Section) -> Read<f64> {
        let Some(field) = router.field("routing_strategy_args") else {
            return Ok(0.0);
        };
        let arguments = self.section(&field)?;
        let mut buffer = Ok(0.0);
        for (name, field) in arguments.fields() {
            if name != "lowest_latency_buffer" {
                let text = "not needed: averages are kept for an hour, and counts for a minute";
                self.note(&field.location, text);
                continue;
            }
            buffer = self.number(&field).and_then(|number| {
                if (0.0..=1000.0).contains(&number) {
                    return Ok(number);
                }
                let expected = "a fraction from 0 to 1000";
                Err(self.unexpected(&field.location, expected, number.to_string()))
            });
        }
        buffer
    }

    /// `model_group_retry_policy`.
    fn retries_of_groups(&mut self, router: &Section) -> Read<Vec<GroupRetries>> {
        let Some(field) = router.field("model_group_retry_policy") else {
            return Ok(Vec::new());
        };
        let groups = self.section(&field)?.fields().into_iter();
        let policies: Vec<_> = groups
            .map(|(name, field)| {
                let policy = self.policy(&field, "Retries", RETRIES_MAX)?;
                Ok((name, field, policy))
            })
            .collect();
        policies.into_iter().collect()
    }

    /// Notes retries of model groups that do not exist.
    pub(crate) fn note_retries_of_unknown_groups(&mut self, router: &RouterWide, models: &[ModelSettings]) {
        for (group, field, _) in &router.retries_of_groups {
            if !models.iter().any(|model| model.name == *group) {
                self.note(&field.location, UNKNOWN_GROUP);
            }
        }
    }
}

/// The time limit of a request in milliseconds, unless it is the default: waits never take as long.
pub(crate) fn stated_limit(limit: Duration) -> Option<u64> {
    let milliseconds = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    (limit != REQUEST_TIMEOUT_DEFAULT).then_some(milliseconds)
}

/// Whether `optional_pre_call_checks` has this check. [`super::by_value`] judges the others.
fn has_check(router: &Section, check: &str) -> bool {
    let checks = router.peek("optional_pre_call_checks");
    let checks = checks.and_then(YamlField::elements).unwrap_or_default();
    checks.iter().any(|element| element.text() == Some(check))
}
