//! What is shown of each deployment.

use envoy_bedrock::time::UnixTime;
use serde::Serialize;

use super::connection::CountsSample;
use super::counts::{DeploymentCounts, DeploymentName, Sums};
use super::health::{DeploymentState, States};
use crate::json::{number, pretty};

/// All deployments.
#[derive(Debug, Serialize)]
pub(super) struct StatusReport {
    pub(super) deployments: Vec<DeploymentLine>,
    pub(super) total: Activity,
    /// Why the states are not known.
    pub(super) note: Option<String>,
}

/// A deployment.
#[derive(Debug, Serialize)]
pub(super) struct DeploymentLine {
    pub(super) model_group: String,
    pub(super) model_id: String,
    pub(super) region: String,
    pub(super) model: String,
    /// As in `GET /health`; `None` if it is not known, as for the following.
    pub(super) state: Option<String>,
    pub(super) cooldown_until: Option<String>,
    pub(super) last_status: Option<u16>,
    pub(super) in_flight: Option<u64>,
    #[serde(flatten)]
    pub(super) activity: Activity,
}

/// What deployments have done.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Since Envoy started.
    pub(super) sums: Sums,
    pub(super) requests_per_second: f64,
}

impl Serialize for Activity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;

        let mut map = serializer.serialize_map(Some(6))?;
        map.serialize_entry("requests_per_second", &self.requests_per_second)?;
        map.serialize_entry("requests", &self.sums.requests)?;
        map.serialize_entry("errors", &self.sums.errors)?;
        map.serialize_entry("cooldowns", &self.sums.cooldowns)?;
        map.serialize_entry("tokens", &self.sums.tokens)?;
        map.serialize_entry("spend", &number(self.sums.spend))?;
        map.end()
    }
}

impl StatusReport {
    /// Compares two samples, the second of which is later.
    pub(super) fn new(before: &CountsSample, now: &CountsSample, states: Result<States, String>) -> Self {
        let seconds = now.at.duration_since(before.at).as_secs_f64();
        let (states, note) = match states {
            Ok(states) => (states, None),
            Err(why) => (States::new(), Some(why)),
        };
        let mut total = Activity::default();
        let line = |(name, counts): (&DeploymentName, &DeploymentCounts)| {
            let earlier = before.deployments.get(name);
            let earlier = earlier.map_or(0, |earlier| earlier.sums.requests);
            // A new Envoy counts from zero.
            let new = counts.sums.requests.checked_sub(earlier);
            let activity = Activity {
                sums: counts.sums,
                requests_per_second: per_second(new.unwrap_or(counts.sums.requests), seconds),
            };
            total.sums.add(&activity.sums);
            total.requests_per_second += activity.requests_per_second;
            DeploymentLine::new(name, counts, states.get(name), activity)
        };
        let deployments = now.deployments.iter().map(line).collect();
        Self {
            deployments,
            total,
            note,
        }
    }

    pub(super) fn json(&self) -> String {
        pretty(self)
    }
}

impl DeploymentLine {
    fn new(
        (model_group, model_id): &DeploymentName,
        counts: &DeploymentCounts,
        state: Option<&DeploymentState>,
        activity: Activity,
    ) -> Self {
        Self {
            model_group: model_group.clone(),
            model_id: model_id.clone(),
            region: counts.region.clone(),
            model: counts.model.clone(),
            state: state.map(|state| state.state.clone()),
            cooldown_until: state.and_then(|state| state.cooldown_until.clone()),
            last_status: state.and_then(|state| state.last_status),
            in_flight: state.and_then(|state| state.in_flight),
            activity,
        }
    }

    /// The seconds until its cooldown ends, rounded up.
    pub(super) fn cooldown_seconds(&self, now: UnixTime) -> Option<u64> {
        let until = UnixTime::parse_rfc3339(self.cooldown_until.as_deref()?)?;
        Some(until.milliseconds_since(now).div_ceil(1000))
    }
}

/// Rounded to hundredths.
#[expect(clippy::cast_precision_loss, reason = "only shown")]
fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        (count as f64 / seconds * 100.0).round() / 100.0
    } else {
        0.0
    }
}
