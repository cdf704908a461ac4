//! Who signed a request, and whether they really did: Signature Version 4 recomputed by `aws-sigv4` over the raw
//! request, or a Bedrock API key.
//!
//! Specification: AWS "Create a signed API request". Query authentication (presigned URLs) is not accepted, as
//! Bedrock's SDKs never use it.

use std::time::SystemTime;

use super::auth_failure::AuthFailure;
use super::authorization::Authorization;
use super::raw_request::RawRequest;
use super::signature;
use crate::config::KnownCredential;

/// What can be right: the known credentials and API keys.
#[derive(Debug)]
pub struct Keyring {
    /// Key pairs; the first with an access key id counts.
    pub credentials: Vec<KnownCredential>,
    /// Bearer tokens.
    pub api_keys: Vec<String>,
}

/// How a request proved who it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A right signature.
    Signature,
    /// A known API key.
    ApiKey,
}

/// Judges a request that reached the endpoint of `region` at `now`.
pub fn verify(
    keyring: &Keyring,
    region: &str,
    now: SystemTime,
    offered: &RawRequest<'_>,
) -> Result<Proof, Box<AuthFailure>> {
    let mut values = offered.headers.get_all(hyper::header::AUTHORIZATION).iter();
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
            "expected an Authorization header in ASCII, but found other bytes",
        ));
    };
    match Authorization::parse(value)? {
        Authorization::Bearer(key) => verify_bearer(keyring, key),
        Authorization::Signature(claim) => {
            signature::verify(&keyring.credentials, region, now, offered, &claim)?;
            Ok(Proof::Signature)
        }
    }
}

fn verify_bearer(keyring: &Keyring, key: &str) -> Result<Proof, Box<AuthFailure>> {
    if keyring.api_keys.iter().any(|known| known == key) {
        return Ok(Proof::ApiKey);
    }
    let has_prefix = key.starts_with("ABSK") || key.starts_with("bedrock-api-key-");
    let message = match has_prefix {
        true => "Authentication failed: Please make sure your API Key is valid.",
        false => "Invalid API Key format: Must start with pre-defined prefix",
    };
    Err(AuthFailure::new(
        "unknown api key",
        "AccessDeniedException",
        message,
    ))
}

#[cfg(test)]
mod tests;
