//! Health probes under LiteLLM's paths. They need no key and say nothing else.

use std::rc::Rc;

use serde_json::{Map, Value, json};

use crate::admission::reject::Reply;
use crate::credentials::CredentialSlot;
use crate::routing::active_config::ActiveConfig;
use crate::routing::brokered::names_of_users;
use crate::time::{Rfc3339, UnixTime};

/// A question about this Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Whether the process is alive.
    Liveness,
    /// Whether it serves requests.
    Readiness,
}

impl Probe {
    /// The probe that a request makes, if it makes one.
    pub(crate) fn of(method: &[u8], path: &[u8]) -> Option<Self> {
        if method != b"GET" {
            return None;
        }
        match path {
            b"/health/liveliness" | b"/health/liveness" => Some(Self::Liveness),
            b"/health/readiness" => Some(Self::Readiness),
            _ => None,
        }
    }

    /// The reply, in LiteLLM's words.
    pub(crate) fn reply(self, config: &ActiveConfig, now: UnixTime) -> Reply {
        match self {
            Self::Liveness => Reply::json(200, &json!("I'm alive!")),
            Self::Readiness => readiness(config, now),
        }
    }
}

/// A gateway is ready once the broker has said for each credential whether there is one, and as
/// long as any deployment has one.
///
/// A configuration that could not be loaded does not make the gateway unhealthy: the previous one
/// serves.
fn readiness(config: &ActiveConfig, now: UnixTime) -> Reply {
    let reload = config.reload.as_ref();
    let failure = reload.and_then(|reload| reload.failure.as_ref());
    let slots = config.brokered.as_ref().map(|brokered| &brokered.slots[..]);
    let slots = slots.unwrap_or_default();
    let mut deployments = config.models.all().flat_map(|model| &model.deployments);
    let is_ready = slots.is_empty()
        || !slots.iter().any(|slot| slot.is_waiting(now))
            && deployments.any(|deployment| deployment.has_credentials(|| now));
    let missing = slots.iter().filter_map(|slot| missing(config, slot, now));
    let missing: Vec<Value> = missing.collect();
    let mut body = Map::new();
    let (status, word) = if is_ready {
        (200, "healthy")
    } else {
        (503, "unhealthy")
    };
    body.insert("status".into(), word.into());
    if let Some(failure) = failure {
        let since = UnixTime::from_seconds(failure.since).rfc3339();
        let reported = json!({ "status": "failed", "error": failure.error, "since": since.as_str() });
        body.insert("config_reload".into(), reported);
    }
    if !missing.is_empty() {
        body.insert("credentials".into(), missing.into());
    }
    Reply::json(status, &body.into())
}

/// The problem with the credential of a slot, if there is one: which deployments it is for, what
/// the broker said last, and when the credential that the gateway still has expires.
fn missing(config: &ActiveConfig, slot: &Rc<CredentialSlot>, now: UnixTime) -> Option<Value> {
    let failure = slot.failure();
    let held = slot.current(now);
    if failure.is_none() && held.is_some() {
        return None;
    }
    let status = if slot.is_waiting(now) { "waiting" } else { "failed" };
    let error = failure.map(|failure| format!("{}: {}", failure.code, failure.message));
    let expires = held.and_then(|held| held.expires);
    let expires = expires.map(UnixTime::rfc3339);
    Some(json!({
        "status": status,
        "deployments": names_of_users(&config.models, slot),
        "error": error,
        "expires": expires.as_ref().map(Rfc3339::as_str),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: &str = r#"{"master_key": "KEY", "attempts": 1, "body_limit_bytes": 1, "models": []}"#;

    fn config(more: Value) -> ActiveConfig {
        let mut settings: Value = serde_json::from_str(SETTINGS).unwrap();
        let more = more.as_object().unwrap().clone();
        settings.as_object_mut().unwrap().extend(more);
        ActiveConfig::new(settings.to_string().as_bytes(), |name| Some(name.to_owned())).unwrap()
    }

    fn readiness(more: Value) -> (u16, Value) {
        let reply = Probe::Readiness.reply(&config(more), UnixTime::default());
        (reply.status, serde_json::from_slice(&reply.body).unwrap())
    }

    #[test]
    fn only_a_get_of_a_probe_path_is_a_probe() {
        let alive = Probe::of(b"GET", b"/health/liveliness").unwrap();
        assert_eq!(
            alive.reply(&config(json!({})), UnixTime::default()).body,
            b"\"I'm alive!\""
        );
        assert_eq!(Probe::of(b"GET", b"/health/readiness"), Some(Probe::Readiness));
        assert_eq!(Probe::of(b"POST", b"/health/liveliness"), None);
        assert_eq!(Probe::of(b"GET", b"/health"), None);
    }

    #[test]
    fn a_gateway_whose_newest_configuration_is_active_is_healthy() {
        let healthy = (200, json!({ "status": "healthy" }));
        assert_eq!(readiness(json!({})), healthy);
        let reload = json!({ "loaded_at": 1, "succeeded": 2, "failed": 3 });
        assert_eq!(readiness(json!({ "reload": reload })), healthy);
    }

    #[test]
    fn a_failed_reload_is_reported_with_its_error_and_time() {
        let failure = json!({ "error": "config.yaml:3: …", "since": 1_795_357_174 });
        let reload = json!({ "loaded_at": 1, "succeeded": 0, "failed": 1, "failure": failure });
        let expected = json!({
            "status": "failed", "error": "config.yaml:3: …", "since": "2026-11-22T14:19:34.000Z",
        });
        let expected = json!({ "status": "healthy", "config_reload": expected });
        assert_eq!(readiness(json!({ "reload": reload })), (200, expected));
    }
}
