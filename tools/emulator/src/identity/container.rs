//! The credential endpoints of containers: ECS, and EKS Pod Identity, which any container may use.

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap};

use super::error::IdentityError;
use super::issue;
use super::reply::IdentityReply;
use super::role::RoleArn;
use crate::state::EmulatorState;

/// Path of the ECS endpoint, up to the id of the task.
pub(super) const ECS_PREFIX: &str = "/v2/credentials/";
pub(super) const EKS_PATH: &str = "/v1/credentials";
const LIFETIME_DEFAULT_SECONDS: u64 = 6 * 3600;

/// The credentials of the task `id`.
pub(super) fn task(emulator: &EmulatorState, id: &str) -> Result<IdentityReply, IdentityError> {
    let settings = emulator.identity.settings();
    if id != settings.task_id {
        return Err(IdentityError::of_code(
            "InvalidIdInRequest",
            Some("CredentialsV2Request: Credentials not found"),
        ));
    }
    Ok(credentials(
        emulator,
        &settings.task_role,
        settings.lifetime_seconds,
    ))
}

/// The credentials of the pod whose token is in `headers`.
pub(super) fn pod(emulator: &EmulatorState, headers: &HeaderMap) -> Result<IdentityReply, IdentityError> {
    let settings = emulator.identity.settings();
    let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if !token.is_some_and(|token| settings.pod_tokens.iter().any(|known| known == token)) {
        return Err(IdentityError::new(
            StatusCode::FORBIDDEN,
            "AccessDeniedException",
            "The service account token is missing or invalid",
        ));
    }
    Ok(credentials(
        emulator,
        &settings.pod_role,
        settings.lifetime_seconds,
    ))
}

fn credentials(emulator: &EmulatorState, role: &RoleArn, lifetime_seconds: Option<u64>) -> IdentityReply {
    let lifetime_seconds = lifetime_seconds.unwrap_or(LIFETIME_DEFAULT_SECONDS);
    let owned = issue::issue(emulator, role, "emulated-container", lifetime_seconds);
    let mut body = issue::members(&owned);
    body["RoleArn"] = role.as_str().into();
    body["AccountId"] = role.account().into();
    IdentityReply::ok("application/json", body.to_string()).with_issued(&owned.credential.access_key_id)
}
