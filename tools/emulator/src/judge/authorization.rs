//! The `Authorization` header: its parts, and its form for the log.

use super::auth_failure::AuthFailure;
use super::short_term_key::{PREFIX, ShortTermKey};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A parsed `Authorization` header.
pub(crate) enum Authorization<'a> {
    /// A Bedrock API key.
    Bearer(&'a str),
    Signature(SignatureClaim<'a>),
}

/// The parts of a SigV4 header. None of them is checked yet.
pub(crate) struct SignatureClaim<'a> {
    pub(crate) access_key_id: &'a str,
    pub(crate) date: &'a str,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    pub(crate) signed_headers: &'a str,
    pub(crate) signature: &'a str,
}

impl<'a> Authorization<'a> {
    pub(crate) fn parse(value: &'a str) -> Result<Self, Box<AuthFailure>> {
        let (scheme, rest) = value.trim().split_once(' ').unwrap_or((value, ""));
        if scheme.eq_ignore_ascii_case("bearer") {
            return Ok(Self::Bearer(rest.trim()));
        }
        if scheme != ALGORITHM {
            return Err(AuthFailure::incomplete(format!(
                "the Authorization header has neither the algorithm {ALGORITHM} nor a bearer token"
            )));
        }
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for part in rest.split(',') {
            match part.trim().split_once('=') {
                Some(("Credential", value)) if credential.is_none() => credential = Some(value),
                Some(("SignedHeaders", value)) if signed_headers.is_none() => signed_headers = Some(value),
                Some(("Signature", value)) if signature.is_none() => signature = Some(value),
                _ => {
                    return Err(AuthFailure::incomplete(
                        "the Authorization header must have Credential, SignedHeaders and Signature, each once",
                    ));
                }
            }
        }
        let missing = |name: &str| {
            AuthFailure::incomplete(format!("Authorization header requires '{name}' parameter."))
        };
        let credential = credential.ok_or_else(|| missing("Credential"))?;
        let signed_headers = signed_headers.ok_or_else(|| missing("SignedHeaders"))?;
        let signature = signature.ok_or_else(|| missing("Signature"))?;
        let mut scope = credential.rsplitn(5, '/');
        let (terminator, service) = (scope.next(), scope.next());
        match (terminator, service, scope.next(), scope.next(), scope.next()) {
            (Some("aws4_request"), Some(service), Some(region), Some(date), Some(access_key_id)) => {
                let claim = SignatureClaim {
                    access_key_id,
                    date,
                    region,
                    service,
                    signed_headers,
                    signature,
                };
                Ok(Self::Signature(claim))
            }
            _ => Err(AuthFailure::incomplete(
                "Credential must have exactly 5 slash-delimited elements, the last of them 'aws4_request'.",
            )),
        }
    }
}

/// The access key id in a header, whether or not its signature is valid. That of a short-term API
/// key is the one that signed the key.
pub(crate) fn claimed_access_key_id(value: &str) -> Option<String> {
    match Authorization::parse(value) {
        Ok(Authorization::Signature(claim)) => Some(claim.access_key_id.to_owned()),
        Ok(Authorization::Bearer(key)) => ShortTermKey::parse(key).map(|key| key.access_key_id),
        Err(_) => None,
    }
}

/// The region that a request is signed for, whether or not its signature is valid.
pub(crate) fn claimed_region(value: &str) -> Option<String> {
    match Authorization::parse(value) {
        Ok(Authorization::Signature(claim)) => Some(claim.region.to_owned()),
        _ => None,
    }
}

/// The short-term API key in a header.
pub(crate) fn short_term_key(value: &str) -> Option<&str> {
    match Authorization::parse(value) {
        Ok(Authorization::Bearer(key)) if key.starts_with(PREFIX) => Some(key),
        _ => None,
    }
}

/// The header for the log: scope and signed headers, but neither the signature nor an API key.
pub(crate) fn redact(value: &str) -> String {
    match Authorization::parse(value) {
        Ok(Authorization::Signature(claim)) => format!(
            "{ALGORITHM} Credential={}/{}/{}/{}/aws4_request, SignedHeaders={}, Signature=[redacted]",
            claim.access_key_id, claim.date, claim.region, claim.service, claim.signed_headers
        ),
        Ok(Authorization::Bearer(_)) => "Bearer [redacted]".to_owned(),
        Err(_) => "[redacted]".to_owned(),
    }
}
