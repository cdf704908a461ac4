//! Who signed a request, and whether they really did: Signature Version 4 recomputed by `aws-sigv4` over the raw
//! request, or a Bedrock API key.
//!
//! Specification: AWS "Create a signed API request". Query authentication (presigned URLs) is not accepted, as
//! Bedrock's SDKs never use it.

mod authorization;
mod signature;

use std::time::SystemTime;

use hyper::HeaderMap;

pub use authorization::redact;
pub(crate) use authorization::{Authorization, offered_access_key_id};

use crate::config::Credential;
use crate::error::ApiError;

/// Header of the signing time.
const DATE: &str = "x-amz-date";
/// Header of the token of temporary credentials.
const SECURITY_TOKEN: &str = "x-amz-security-token";
/// Header in which a client may repeat the body's digest.
const CONTENT_SHA256: &str = "x-amz-content-sha256";
/// What a signature may be off the clock, in seconds.
const CLOCK_SKEW_LIMIT_SECONDS: u64 = 5 * 60;

/// What can be right: the known credentials and API keys.
#[derive(Debug)]
pub struct Keyring {
    /// Key pairs; the first with an access key id counts.
    pub credentials: Vec<Credential>,
    /// Bearer tokens.
    pub api_keys: Vec<String>,
}

/// A request as it arrived, with nothing decoded.
#[derive(Debug)]
pub struct Offered<'a> {
    /// The method.
    pub method: &'a str,
    /// Path and query, byte for byte.
    pub target: &'a str,
    /// Every header that was sent.
    pub headers: &'a HeaderMap,
    /// HTTP/2's `:authority`.
    pub authority: Option<&'a str>,
    /// Hex SHA-256 of the whole body.
    pub body_sha256: &'a str,
}

/// How a request proved who it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A right signature.
    Signature,
    /// A known API key.
    ApiKey,
}

/// Why a request was not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One word or two for the log and the summary.
    pub reason: &'static str,
    /// What the client gets.
    pub error: ApiError,
}

impl Refusal {
    fn new(reason: &'static str, code: &str, message: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            reason,
            error: ApiError::access(code, message),
        })
    }

    fn signature(reason: &'static str, message: impl Into<String>) -> Box<Self> {
        Self::new(reason, "InvalidSignatureException", message)
    }

    fn incomplete(message: impl Into<String>) -> Box<Self> {
        Self::new(
            "incomplete authorization",
            "IncompleteSignatureException",
            message,
        )
    }

    fn unrecognized(reason: &'static str) -> Box<Self> {
        Self::new(
            reason,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )
    }
}

/// Judges a request that reached the endpoint of `region` at `now`.
pub fn verify(
    keyring: &Keyring,
    region: &str,
    now: SystemTime,
    offered: &Offered<'_>,
) -> Result<Proof, Box<Refusal>> {
    let mut values = offered.headers.get_all(hyper::header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(Refusal::new(
            "no authorization",
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        ));
    };
    if values.next().is_some() {
        return Err(Refusal::incomplete(
            "expected one Authorization header, but found several",
        ));
    }
    let Ok(value) = value.to_str() else {
        return Err(Refusal::incomplete(
            "expected an Authorization header in ASCII, but found other bytes",
        ));
    };
    match Authorization::parse(value)? {
        Authorization::Bearer(key) => verify_bearer(keyring, key),
        Authorization::Signature(claim) => signature::verify(keyring, region, now, offered, &claim),
    }
}

fn verify_bearer(keyring: &Keyring, key: &str) -> Result<Proof, Box<Refusal>> {
    if keyring.api_keys.iter().any(|known| known == key) {
        return Ok(Proof::ApiKey);
    }
    let has_prefix = key.starts_with("ABSK") || key.starts_with("bedrock-api-key-");
    let message = match has_prefix {
        true => "Authentication failed: Please make sure your API Key is valid.",
        false => "Invalid API Key format: Must start with pre-defined prefix",
    };
    Err(Refusal::new("unknown api key", "AccessDeniedException", message))
}

#[cfg(test)]
mod tests;
