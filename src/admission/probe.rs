//! Health probes under LiteLLM's paths. They need no key and say nothing else.

use serde_json::{Value, json};

use crate::admission::reject::Reply;
use crate::contract::settings::ReloadStatus;
use crate::routing::active_config::ActiveConfig;
use crate::time::UnixTime;

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
    pub(crate) fn reply(self, config: &ActiveConfig) -> Reply {
        match self {
            Self::Liveness => Reply::json(200, &json!("I'm alive!")),
            Self::Readiness => Reply::json(200, &readiness(config.reload.as_ref())),
        }
    }
}

/// A configuration that could not be loaded does not make the gateway unhealthy: the previous one
/// serves.
fn readiness(reload: Option<&ReloadStatus>) -> Value {
    match reload.and_then(|reload| reload.failure.as_ref()) {
        None => json!({ "status": "healthy" }),
        Some(failure) => json!({
            "status": "healthy",
            "config_reload": {
                "status": "failed",
                "error": failure.error,
                "since": UnixTime::from_seconds(failure.since).rfc3339().as_str(),
            },
        }),
    }
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
        let reply = Probe::Readiness.reply(&config(more));
        (reply.status, serde_json::from_slice(&reply.body).unwrap())
    }

    #[test]
    fn only_a_get_of_a_probe_path_is_a_probe() {
        let alive = Probe::of(b"GET", b"/health/liveliness").unwrap();
        assert_eq!(alive.reply(&config(json!({}))).body, b"\"I'm alive!\"");
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
    fn a_configuration_that_cannot_be_used_is_told_with_its_error_and_since_when() {
        let failure = json!({ "error": "config.yaml:3: …", "since": 1_795_357_174 });
        let reload = json!({ "loaded_at": 1, "succeeded": 0, "failed": 1, "failure": failure });
        let told = json!({
            "status": "failed", "error": "config.yaml:3: …", "since": "2026-11-22T14:19:34.000Z",
        });
        let expected = json!({ "status": "healthy", "config_reload": told });
        assert_eq!(readiness(json!({ "reload": reload })), (200, expected));
    }
}
