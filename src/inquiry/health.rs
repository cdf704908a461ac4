//! Which deployments get requests, from what their traffic shows: LiteLLM's `/health`. No request
//! is made for it.

use serde_json::{Map, Value, json};

use crate::cooldown::{Cooldown, CooldownView, TargetState};
use crate::inquiry::models;
use crate::keys::VirtualKey;
use crate::limits::Standing;
use crate::routing::active_config::ActiveConfig;
use crate::routing::brokered;
use crate::routing::deployment::Deployment;
use crate::routing::model::ModelGroup;
use crate::time::UnixTime;

/// The deployments that are asked about: all that the key may call, unless a field is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HealthFilter {
    /// The name of a model, or the model id of a deployment.
    pub(super) model: Option<String>,
    /// The id of a deployment.
    pub(super) id: Option<String>,
}

impl HealthFilter {
    fn includes(&self, config: &ActiveConfig, group: &ModelGroup, deployment: &Deployment) -> bool {
        let is_model = |name: &String| {
            let id = deployment.configured_model();
            let found = config.models.find(name);
            let is_group = found.is_some_and(|found| found.model.index == group.index);
            is_group || name.strip_prefix("bedrock/").unwrap_or(name) == id
        };
        self.model.as_ref().is_none_or(is_model) && self.id.as_ref().is_none_or(|id| *id == deployment.id)
    }
}

/// The reply for the owner of `key`.
pub(super) fn body(config: &ActiveConfig, key: &VirtualKey, filter: &HealthFilter, now: UnixTime) -> Value {
    let outlook = config.outlook();
    let outlook = outlook.filter(|_| !config.routing.cooldown.disabled);
    let cooling = outlook.map(|outlook| outlook.cooldowns.view());
    let cooling = cooling.unwrap_or_default();
    let (mut healthy, mut unhealthy) = (Vec::new(), Vec::new());
    for group in models::callable(config, key) {
        let deployments = group.deployments.iter();
        for deployment in deployments.filter(|deployment| filter.includes(config, group, deployment)) {
            let health = Health::of(deployment, &cooling, now);
            let is_healthy = health.error.is_none();
            let standing = standing(config, deployment, now);
            let endpoint = endpoint(group, deployment, health, standing);
            let list = if is_healthy { &mut healthy } else { &mut unhealthy };
            list.push(endpoint);
        }
    }
    json!({
        "healthy_count": healthy.len(),
        "unhealthy_count": unhealthy.len(),
        "healthy_endpoints": healthy,
        "unhealthy_endpoints": unhealthy,
    })
}

/// Whether a deployment gets requests.
#[derive(Default)]
struct Health {
    state: &'static str,
    until: Option<UnixTime>,
    /// The status that caused the cooldown; 0 if there was no response.
    last_status: Option<u16>,
    /// How many parts of a wildcard's models cool down. Each part cools down on its own.
    cooling_parts: Option<usize>,
    /// Why it gets no requests.
    error: Option<String>,
}

impl Health {
    fn of(deployment: &Deployment, cooling: &CooldownView, now: UnixTime) -> Self {
        let health = if deployment.is_wildcard() {
            Self::of_wildcard(deployment, cooling, now)
        } else {
            Self::of_model(deployment, cooling, now)
        };
        match brokered::missing_cause(deployment, now) {
            None => health,
            Some(error) => Self {
                state: "no_credentials",
                error: Some(error),
                ..health
            },
        }
    }

    fn of_model(deployment: &Deployment, cooling: &CooldownView, now: UnixTime) -> Self {
        let cooldown = cooling.entries().find(|entry| entry.key == deployment.digest);
        let Some(cooldown) = cooldown else {
            return Self::ready();
        };
        let found = Self {
            last_status: Some(cooldown.status),
            ..Self::ready()
        };
        match cooling.state(cooldown.key, now) {
            TargetState::Ready => Self::ready(),
            TargetState::ProbeDue => Self {
                state: "probe_due",
                ..found
            },
            TargetState::Cooling { until } if until > cooldown.until => Self {
                state: "probing",
                until: Some(until),
                error: Some("another request probes it after its cooldown".to_owned()),
                ..found
            },
            TargetState::Cooling { until } => Self {
                state: "cooling",
                until: Some(until),
                error: Some(cooldown.message()),
                ..found
            },
        }
    }

    fn of_wildcard(deployment: &Deployment, cooling: &CooldownView, now: UnixTime) -> Self {
        if cooling.is_empty() {
            return Self {
                cooling_parts: Some(0),
                ..Self::ready()
            };
        }
        let keys = deployment.wildcard_keys();
        let is_cooling = |cooldown: &&Cooldown| {
            let state = cooling.state(cooldown.key, now);
            matches!(state, TargetState::Cooling { .. }) && keys.contains(&cooldown.key)
        };
        let parts: Vec<&Cooldown> = cooling.entries().filter(is_cooling).collect();
        let last = parts.iter().max_by_key(|cooldown| cooldown.since);
        Self {
            last_status: last.map(|cooldown| cooldown.status),
            cooling_parts: Some(parts.len()),
            ..Self::ready()
        }
    }

    fn ready() -> Self {
        Self {
            state: "ready",
            ..Self::default()
        }
    }
}

/// What is counted of a deployment's requests, if anything.
fn standing(config: &ActiveConfig, deployment: &Deployment, now: UnixTime) -> Option<Standing> {
    let subject = deployment.subject.as_ref()?;
    config.outlook()?.limiter.standing(subject, now)
}

fn endpoint(
    group: &ModelGroup,
    deployment: &Deployment,
    health: Health,
    standing: Option<Standing>,
) -> Value {
    let of = |value: fn(&Standing) -> u64| standing.as_ref().map(value);
    let fields = [
        (
            "model",
            json!(format!("bedrock/{}", deployment.configured_model())),
        ),
        ("model_id", json!(deployment.id)),
        ("model_group", json!(group.name)),
        ("custom_llm_provider", json!("bedrock")),
        ("api_base", json!(deployment.endpoint)),
        ("aws_region_name", json!(deployment.region)),
        ("state", json!(health.state)),
        (
            "cooldown_until",
            json!(health.until.map(|time| time.rfc3339().as_str().to_owned())),
        ),
        ("last_status", json!(health.last_status)),
        ("in_flight", json!(of(|standing| standing.parallel))),
        ("current_rpm", json!(of(|standing| standing.requests))),
        ("current_tpm", json!(of(|standing| standing.tokens))),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    let mut endpoint: Map<String, Value> = fields.into_iter().collect();
    let parts = health.cooling_parts.map(|parts| ("cooling_parts", json!(parts)));
    let error = health.error.map(|error| ("error", json!(error)));
    for (name, value) in parts.into_iter().chain(error) {
        endpoint.insert(name.to_owned(), value);
    }
    endpoint.into()
}
