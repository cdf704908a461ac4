//! Readiness while Envoy is being drained.

use serde_json::{Value, json};

/// Envoy's response flag of what [`filter`] refuses, and of nothing else.
pub(crate) const RESPONSE_FLAG: &str = "LH";
/// What [`filter`] replies.
pub(super) const BODY: &str = r#"{"status":"draining"}"#;

/// The filter that makes readiness false after `POST /healthcheck/fail` on the admin interface.
/// Until then it passes every request. Thus an Envoy can be drained without a new configuration,
/// and by whoever can reach its admin interface.
pub(super) fn filter() -> Value {
    let exact = |name: &str, value: &str| json!({ "name": name, "string_match": { "exact": value } });
    json!({
        "name": "envoy.filters.http.health_check",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.health_check.v3.HealthCheck",
            "pass_through_mode": true,
            "headers": [exact(":method", "GET"), exact(":path", "/health/readiness")],
        },
    })
}
