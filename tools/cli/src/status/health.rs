//! The state of deployments, from the gateway's `GET /health`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use http::header::{AUTHORIZATION, HOST};
use http::{Request, StatusCode};
use http_body_util::Empty;

use super::counts::DeploymentName;
use crate::exchange::exchange;

/// The state of each deployment that the key may use.
pub(super) type States = BTreeMap<DeploymentName, DeploymentState>;

/// The state of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub(super) struct DeploymentState {
    model_group: String,
    model_id: String,
    /// `ready`, `cooling`, `probe_due`, `probing` or `no_credentials`.
    pub(super) state: String,
    /// RFC 3339.
    pub(super) cooldown_until: Option<String>,
    /// The status that caused the cooldown; 0 if there was no response.
    pub(super) last_status: Option<u16>,
    pub(super) in_flight: Option<u64>,
}

#[derive(serde::Deserialize)]
struct HealthAnswer {
    healthy_endpoints: Vec<DeploymentState>,
    unhealthy_endpoints: Vec<DeploymentState>,
}

/// Asks the gateway. The error says why nothing is known.
pub(super) async fn ask(gateway: SocketAddr, key: &str) -> Result<States, String> {
    let request = Request::get("/health")
        .header(HOST, "localhost")
        .header(AUTHORIZATION, format!("Bearer {key}"));
    let request = request
        .body(Empty::new())
        .map_err(|_| "expected a key that a header can contain, found other characters".to_owned())?;
    let answer = exchange(gateway, request).await;
    let (status, body) = answer.ok_or_else(|| format!("GET http://{gateway}/health was not answered"))?;
    if status != StatusCode::OK {
        return Err(format!(
            "GET http://{gateway}/health: expected status 200, found {status}. Is this a key of the gateway?"
        ));
    }
    parse(&body).map_err(|error| format!("GET http://{gateway}/health: {error}"))
}

/// Parses the answer.
pub(super) fn parse(body: &str) -> Result<States, serde_json::Error> {
    let health: HealthAnswer = serde_json::from_str(body)?;
    let all = health
        .healthy_endpoints
        .into_iter()
        .chain(health.unhealthy_endpoints);
    let named = all.map(|state| ((state.model_group.clone(), state.model_id.clone()), state));
    Ok(named.collect())
}
