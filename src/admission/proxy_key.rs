//! Who is calling: the proxy key, where clients put it, and how it is compared.

use sha2::{Digest, Sha256};

use crate::headers::Headers;
use crate::secret::equal_digests;

/// SHA-256 of a proxy key: what is kept of it.
#[derive(Clone)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of a key.
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// Its digits: what LiteLLM's tables call a key by.
    pub fn hexadecimal(&self) -> String {
        hex::encode(self.0)
    }

    /// Whether both are hashes of the same key. Takes the same time wherever they differ, so that the time of an
    /// answer tells nothing about how much of a guess was right.
    pub fn matches(&self, other: &Self) -> bool {
        equal_digests(&self.0, &other.0)
    }
}

impl std::fmt::Debug for KeyHash {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("[redacted]")
    }
}

/// Why a request offers no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKey {
    /// No header that can hold one.
    Missing,
    /// A header that holds one, but not in a form that is understood, or twice.
    Malformed,
}

/// Headers that hold nothing but a key, in the order in which they count.
const KEY_HEADERS: [&str; 2] = ["x-api-key", "api-key"];

/// The key that a request offers.
///
/// `litellm_user_api_key` wins, then `x-litellm-api-key`, as in LiteLLM on this route; then a bearer token in
/// `authorization`; then `x-api-key` and `api-key`. Last comes the access key id of a Signature Version 4 credential: that
/// is how an AWS SDK sends the key over plain HTTP, but one that gets the key in a header of its own signs with whatever
/// AWS keys it finds. A second `authorization` is refused even where it would not be read: no client means that.
///
/// # Errors
/// [`NoKey`] tells a missing key from one in a form that is not understood.
pub fn offered<'a>(headers: Headers<'a>) -> Result<&'a [u8], NoKey> {
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
    let mut is_there = authorization.is_some();
    for name in KEY_HEADERS {
        match once(name)? {
            Some([]) => is_there = true,
            Some(key) => return Ok(key),
            None => {}
        }
    }
    match authorization.and_then(access_key_id) {
        Some(key) => not_empty(key),
        None if is_there => Err(NoKey::Malformed),
        None => Err(NoKey::Missing),
    }
}

/// Whether a value of `authorization` is a signature of AWS's, of whatever algorithm.
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

/// What follows `Bearer` (RFC 6750; the scheme's name is case-insensitive, RFC 9110 §11.1).
fn strip_bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
}

/// The access key id of `AWS4-HMAC-SHA256 Credential=ID/date/region/service/aws4_request, …`. The signature is not
/// looked at: the id is the key here, and whoever knows it may pass. The id may hold slashes itself.
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
    // `Bearer sk-…` as an access key id puts a space into the field.
    let scoped = if first.eq_ignore_ascii_case(b"bearer") {
        parts.next()?
    } else {
        first
    };
    // A second header that a proxy or Envoy itself has joined to this one with a comma.
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
