//! The `Authorization` header: what it claims, and what of it may be logged.

use super::auth_failure::AuthFailure;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What an `Authorization` header claims.
pub(crate) enum Authorization<'a> {
    /// An API key.
    Bearer(&'a str),
    /// A signature.
    Signature(SignatureClaim<'a>),
}

/// The parts of a SigV4 header, none of them checked yet.
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
                "expected the algorithm {ALGORITHM} or a bearer token, but found another scheme"
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
                        "expected key=value pairs, each once, in Authorization",
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

/// The access key id that a header names, whether or not the rest of it holds.
pub(crate) fn offered_access_key_id(value: &str) -> Option<&str> {
    match Authorization::parse(value) {
        Ok(Authorization::Signature(claim)) => Some(claim.access_key_id),
        _ => None,
    }
}

/// What may be logged of an `Authorization` header: scope and signed headers, never a signature or a key.
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
