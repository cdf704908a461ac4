//! The portal of IAM Identity Center, which profiles with `sso_…` settings get credentials from.

use std::time::{SystemTime, UNIX_EPOCH};

use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName};
use serde_json::json;

use super::error::IdentityError;
use super::form::Form;
use super::issue;
use super::reply::IdentityReply;
use super::role::RoleArn;
use crate::state::EmulatorState;

pub(super) const PATH: &str = "/federation/credentials";
const TOKEN: HeaderName = HeaderName::from_static("x-amz-sso_bearer_token");
const LIFETIME_DEFAULT_SECONDS: u64 = 3600;

/// The role that a query names by its account and name.
pub(super) fn role(query: &Form) -> Option<RoleArn> {
    let (account, name) = (query.find("account_id")?, query.find("role_name")?);
    RoleArn::parse(&format!("arn:aws:iam::{account}:role/{name}"))
}

/// The credentials of a role, for a token that `aws sso login` left in the cache.
pub(super) fn credentials(
    emulator: &EmulatorState,
    query: &Form,
    headers: &HeaderMap,
) -> Result<IdentityReply, IdentityError> {
    let role = role(query).ok_or_else(|| {
        IdentityError::of_code(
            "InvalidRequestException",
            Some("account_id or role_name is invalid"),
        )
    })?;
    let token = headers.get(TOKEN).and_then(|value| value.to_str().ok());
    let identity = token
        .and_then(|token| emulator.identity.sso_token(token))
        .filter(|identity| !identity.is_expired(SystemTime::now()))
        .ok_or_else(|| {
            IdentityError::new(
                StatusCode::UNAUTHORIZED,
                "UnauthorizedException",
                "Session token not found or invalid",
            )
        })?;
    if !identity.may_assume(&role) {
        return Err(IdentityError::new(
            StatusCode::FORBIDDEN,
            "ForbiddenException",
            "No access",
        ));
    }
    let lifetime_seconds = emulator.identity.settings().lifetime_seconds;
    let lifetime_seconds = lifetime_seconds.unwrap_or(LIFETIME_DEFAULT_SECONDS);
    let owned = issue::issue(emulator, &role, "emulated-person", lifetime_seconds);
    let expires = owned.expires.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let body = json!({ "roleCredentials": {
        "accessKeyId": owned.credential.access_key_id,
        "secretAccessKey": owned.credential.secret_access_key,
        "sessionToken": owned.credential.session_token,
        "expiration": expires.map(|at| at.as_secs() * 1000),
    }});
    let reply = IdentityReply::ok("application/json", body.to_string());
    Ok(reply.with_issued(&owned.credential.access_key_id))
}
