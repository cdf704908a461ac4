//! Authentication: a Signature Version 4, recomputed by `aws-sigv4` over the raw request, or a
//! Bedrock API key.
//!
//! Specification: AWS "Create a signed API request". Query authentication (presigned URLs) is only
//! supported inside a short-term API key, because the SDKs of Bedrock and STS never use it.

use std::time::SystemTime;

use hyper::header::AUTHORIZATION;

use super::auth_failure::AuthFailure;
use super::authorization::Authorization;
use super::keyring::{Keyring, OwnedCredential};
use super::raw_request::RawRequest;
use super::short_term_key::{self, ShortTermKey};
use super::signature::{self, SigningScope};

/// How a request is authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    Signature,
    ApiKey,
    /// A Bedrock API key that a temporary or long-term credential signed.
    ShortTermApiKey,
}

/// Authenticates a request that reached Bedrock's endpoint in `region` at `now`.
pub(crate) fn verify(
    keyring: &Keyring,
    region: &str,
    now: SystemTime,
    request: &RawRequest<'_>,
) -> Result<Proof, Box<AuthFailure>> {
    match authorization(request)? {
        Authorization::Bearer(key) => verify_bearer(keyring, region, now, key),
        Authorization::Signature(claim) => {
            let scope = SigningScope {
                region,
                service: "bedrock",
            };
            signature::verify(keyring, &scope, now, request, &claim)?;
            Ok(Proof::Signature)
        }
    }
}

/// Authenticates a request that reached STS at `now`, and returns the caller's credential. The
/// endpoint is that of every region.
pub(crate) fn verify_sts<'a>(
    keyring: &'a Keyring,
    now: SystemTime,
    request: &RawRequest<'_>,
) -> Result<&'a OwnedCredential, Box<AuthFailure>> {
    match authorization(request)? {
        Authorization::Bearer(_) => Err(missing()),
        Authorization::Signature(claim) => {
            let scope = SigningScope {
                region: claim.region,
                service: "sts",
            };
            signature::verify(keyring, &scope, now, request, &claim)
        }
    }
}

fn missing() -> Box<AuthFailure> {
    AuthFailure::new(
        "no authorization",
        "MissingAuthenticationTokenException",
        "Missing Authentication Token",
    )
}

fn authorization<'a>(request: &RawRequest<'a>) -> Result<Authorization<'a>, Box<AuthFailure>> {
    let mut values = request.headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or_else(missing)?;
    if values.next().is_some() {
        return Err(AuthFailure::incomplete(
            "expected one Authorization header, but found several",
        ));
    }
    let Ok(value) = value.to_str() else {
        return Err(AuthFailure::incomplete(
            "the Authorization header has bytes that are not ASCII",
        ));
    };
    Authorization::parse(value)
}

fn verify_bearer(
    keyring: &Keyring,
    region: &str,
    now: SystemTime,
    key: &str,
) -> Result<Proof, Box<AuthFailure>> {
    if keyring.api_keys.iter().any(|known| known == key) {
        return Ok(Proof::ApiKey);
    }
    if let Some(parsed) = ShortTermKey::parse(key) {
        return short_term_key::verify(keyring, region, now, &parsed).map(|()| Proof::ShortTermApiKey);
    }
    let message = if key.starts_with("ABSK") || key.starts_with(short_term_key::PREFIX) {
        short_term_key::INVALID
    } else {
        "Invalid API Key format: Must start with pre-defined prefix"
    };
    Err(AuthFailure::new(
        "unknown api key",
        "AccessDeniedException",
        message,
    ))
}

#[cfg(test)]
mod tests;
