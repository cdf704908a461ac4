//! IMDSv2: the metadata of an EC2 instance.

use std::time::{Duration, SystemTime};

use hyper::header::{HeaderMap, HeaderName};
use hyper::{Method, StatusCode};
use serde_json::json;

use super::endpoint::IdentityEndpoint;
use super::error::IdentityError;
use super::issue::{self, rfc3339};
use super::reply::IdentityReply;
use super::role::RoleArn;
use crate::state::EmulatorState;

const TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");
const TOKEN_LIFETIME: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");
const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");
const TOKEN_LIFETIME_LIMIT_SECONDS: u64 = 21_600;
const LIFETIME_DEFAULT_SECONDS: u64 = 6 * 3600;
const INSTANCE_ID: &str = "i-0123456789abcdef0";

const CREDENTIALS: &str = "/latest/meta-data/iam/security-credentials";

/// The endpoint of a path below `/latest/`.
pub(super) fn endpoint(method: &Method, path: &str) -> IdentityEndpoint {
    let credentials = path.strip_prefix(CREDENTIALS).filter(|_| method == Method::GET);
    match (method.as_str(), path, credentials) {
        ("PUT", "/latest/api/token", _) => IdentityEndpoint::ImdsToken,
        (_, _, Some("" | "/")) => IdentityEndpoint::ImdsRole,
        (_, _, Some(rest)) if rest.starts_with('/') => IdentityEndpoint::ImdsCredentials,
        _ => IdentityEndpoint::ImdsDocument,
    }
}

/// Issues a token.
pub(super) fn token(emulator: &EmulatorState, headers: &HeaderMap) -> Result<IdentityReply, IdentityError> {
    if headers.contains_key(FORWARDED) {
        return Err(status(StatusCode::FORBIDDEN));
    }
    let value = headers
        .get(TOKEN_LIFETIME)
        .ok_or_else(|| status(StatusCode::BAD_REQUEST))?;
    let seconds = value
        .to_str()
        .ok()
        .and_then(|text| text.parse().ok())
        .filter(|seconds| (1..=TOKEN_LIFETIME_LIMIT_SECONDS).contains(seconds))
        .ok_or_else(|| status(StatusCode::BAD_REQUEST))?;
    let token = emulator
        .identity
        .issue_metadata_token(Duration::from_secs(seconds), SystemTime::now());
    Ok(IdentityReply {
        header: Some((TOKEN_LIFETIME, value.clone())),
        ..IdentityReply::ok("text/plain", token)
    })
}

/// Answers what a token is needed for.
pub(super) fn metadata(
    emulator: &EmulatorState,
    path: &str,
    headers: &HeaderMap,
) -> Result<IdentityReply, IdentityError> {
    let token = headers.get(TOKEN).and_then(|value| value.to_str().ok());
    if !token.is_some_and(|token| emulator.identity.is_metadata_token(token, SystemTime::now())) {
        return Err(status(StatusCode::UNAUTHORIZED));
    }
    let settings = emulator.identity.settings();
    if let Some(rest) = path.strip_prefix(CREDENTIALS) {
        let role = settings
            .instance_role
            .ok_or_else(|| status(StatusCode::NOT_FOUND))?;
        return match rest.trim_matches('/') {
            "" => Ok(text(role.name())),
            name if name == role.name() => Ok(credentials(emulator, &role, settings.lifetime_seconds)),
            _ => Err(status(StatusCode::NOT_FOUND)),
        };
    }
    let region = settings.region;
    match path {
        "/latest/meta-data/placement/region" => Ok(text(&region)),
        "/latest/meta-data/placement/availability-zone" => Ok(text(&format!("{region}a"))),
        "/latest/dynamic/instance-identity/document" => {
            let account = settings.instance_role.as_ref().map(RoleArn::account);
            let document = json!({
                "accountId": account,
                "availabilityZone": format!("{region}a"),
                "instanceId": INSTANCE_ID,
                "region": region,
                "version": "2017-09-30",
            });
            Ok(text(&document.to_string()))
        }
        _ => Err(status(StatusCode::NOT_FOUND)),
    }
}

fn credentials(emulator: &EmulatorState, role: &RoleArn, lifetime_seconds: Option<u64>) -> IdentityReply {
    let lifetime_seconds = lifetime_seconds.unwrap_or(LIFETIME_DEFAULT_SECONDS);
    let owned = issue::issue(emulator, role, INSTANCE_ID, lifetime_seconds);
    let mut body = issue::members(&owned);
    body["Code"] = "Success".into();
    body["Type"] = "AWS-HMAC".into();
    body["LastUpdated"] = rfc3339(SystemTime::now()).into();
    text(&body.to_string()).with_issued(&owned.credential.access_key_id)
}

fn text(body: &str) -> IdentityReply {
    IdentityReply::ok("text/plain", body.to_owned())
}

/// SDKs look at nothing but the status.
fn status(status: StatusCode) -> IdentityError {
    IdentityError::new(status, status.canonical_reason().unwrap_or_default(), "")
}
