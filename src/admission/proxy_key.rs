//! The proxy key: where clients send it and how it is compared.

use sha2::{Digest, Sha256};

use crate::headers::Headers;
use crate::secret::equal_digests;

/// The SHA-256 of a proxy key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of a key.
    pub(crate) fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// Reads 64 hexadecimal digits of either case.
    pub(crate) fn parse(digits: &str) -> Option<Self> {
        let mut digest = [0; 32];
        hex::decode_to_slice(digits, &mut digest).ok()?;
        Some(Self(digest))
    }

    /// The hexadecimal digits, by which LiteLLM's tables identify a key.
    pub(crate) fn hexadecimal(&self) -> String {
        hex::encode(self.0)
    }

    /// Whether both are hashes of the same key. The comparison takes constant time, so that
    /// response times do not help to guess a key.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        equal_digests(&self.0, &other.0)
    }
}

impl std::fmt::Debug for KeyHash {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("[redacted]")
    }
}

/// Why a request presents no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKey {
    /// No header contains a key.
    Missing,
    /// A header for keys is malformed or repeated.
    Malformed,
}

/// Headers that contain nothing but a key, in order of precedence.
const KEY_HEADERS: [&str; 2] = ["x-api-key", "api-key"];

/// Returns the key that a request presents.
///
/// As in LiteLLM, `litellm_user_api_key` and then `x-litellm-api-key` take precedence, followed by
/// a bearer token in `authorization`, then `x-api-key` and `api-key`. The access key id of a
/// Signature Version 4 credential comes last: AWS SDKs send the key this way over plain HTTP, but
/// an SDK that sends the key in its own header signs with any AWS credentials it finds. A repeated
/// `authorization` header is always refused, because no client sends one on purpose.
///
/// # Errors
/// [`NoKey`] if the key is missing or malformed.
pub(crate) fn presented<'a>(headers: Headers<'a>) -> Result<&'a [u8], NoKey> {
    let once = |name| headers.only(name).map_err(|_| NoKey::Malformed);
    let authorization = once("authorization")?;
    for name in ["litellm_user_api_key", "x-litellm-api-key"] {
        if let Some(value) = once(name)? {
            return not_empty(strip_bearer(value).unwrap_or(value));
        }
    }
    match authorization {
        Some(value) if !is_aws_signature(value) => {
            return strip_bearer(value).ok_or(NoKey::Malformed).and_then(not_empty);
        }
        _ => {}
    }
    let mut is_present = authorization.is_some();
    for name in KEY_HEADERS {
        match once(name)? {
            Some([]) => is_present = true,
            Some(key) => return Ok(key),
            None => {}
        }
    }
    match authorization.and_then(access_key_id) {
        Some(key) => not_empty(key),
        None if is_present => Err(NoKey::Malformed),
        None => Err(NoKey::Missing),
    }
}

/// Whether an `authorization` value is an AWS signature, of any algorithm.
fn is_aws_signature(value: &[u8]) -> bool {
    let scheme = value.get(..5).unwrap_or_default();
    scheme.eq_ignore_ascii_case(b"aws4-")
}

fn not_empty(key: &[u8]) -> Result<&[u8], NoKey> {
    if key.is_empty() {
        Err(NoKey::Malformed)
    } else {
        Ok(key)
    }
}

/// Returns what follows `Bearer` (RFC 6750). The scheme is case-insensitive (RFC 9110 §11.1).
fn strip_bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
}

/// Returns the access key id of `AWS4-HMAC-SHA256 Credential=ID/date/region/service/aws4_request,
/// …`. The id is the proxy key, so the signature is not verified. The id may contain slashes.
fn access_key_id(value: &[u8]) -> Option<&[u8]> {
    let (algorithm, parameters) = value.split_at_checked(16)?;
    if !algorithm.eq_ignore_ascii_case(b"aws4-hmac-sha256") {
        return None;
    }
    let mut parts = parameters
        .split(|byte| matches!(byte, b',' | b' '))
        .filter(|part| {
            !part.is_empty() && !part.starts_with(b"SignedHeaders=") && !part.starts_with(b"Signature=")
        });
    let first = parts.next()?.strip_prefix(b"Credential=")?;
    // An access key id of `Bearer sk-…` adds a space to the field.
    let scoped = if first.eq_ignore_ascii_case(b"bearer") {
        parts.next()?
    } else {
        first
    };
    // A second header that a proxy or Envoy has joined to this one with a comma.
    if parts.next().is_some() {
        return None;
    }
    let scope_end = b"/aws4_request";
    let scoped = scoped.strip_suffix(scope_end.as_slice())?;
    let mut parts = scoped.rsplitn(4, |byte| *byte == b'/');
    let (_service, _region, _date) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next()
}

#[cfg(test)]
mod tests;
