//! Authentication: a Signature Version 4, recomputed by `aws-sigv4` over the raw request, or a
//! Bedrock API key.
//!
//! Specification: AWS "Create a signed API request". Query authentication (presigned URLs) is not
//! supported, because Bedrock's SDKs never use it.

use std::time::SystemTime;

use hyper::header::AUTHORIZATION;

use super::auth_failure::AuthFailure;
use super::authorization::Authorization;
use super::raw_request::RawRequest;
use super::signature;
use crate::config::KnownCredential;

/// The known credentials and API keys.
#[derive(Debug)]
pub(crate) struct Keyring {
    /// If two have the same access key id, the first one counts.
    pub(crate) credentials: Vec<KnownCredential>,
    pub(crate) api_keys: Vec<String>,
}

/// How a request is authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    Signature,
    ApiKey,
}

/// Authenticates a request that reached the endpoint of `region` at `now`.
pub(crate) fn verify(
    keyring: &Keyring,
    region: &str,
    now: SystemTime,
    request: &RawRequest<'_>,
) -> Result<Proof, Box<AuthFailure>> {
    let mut values = request.headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(AuthFailure::new(
            "no authorization",
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        ));
    };
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
    match Authorization::parse(value)? {
        Authorization::Bearer(key) => verify_bearer(keyring, key),
        Authorization::Signature(claim) => {
            signature::verify(&keyring.credentials, region, now, request, &claim)?;
            Ok(Proof::Signature)
        }
    }
}

fn verify_bearer(keyring: &Keyring, key: &str) -> Result<Proof, Box<AuthFailure>> {
    if keyring.api_keys.iter().any(|known| known == key) {
        return Ok(Proof::ApiKey);
    }
    let message = if key.starts_with("ABSK") || key.starts_with("bedrock-api-key-") {
        "Authentication failed: Please make sure your API Key is valid."
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
