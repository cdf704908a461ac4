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

/// The key that a request offers.
///
/// `x-litellm-api-key` wins, as in LiteLLM; then `authorization` (a bearer token, or the access key id of a
/// Signature Version 4 credential, which is how an AWS SDK sends it over plain HTTP); then `x-api-key`, `api-key`.
/// A second `authorization` is refused even where it would not be read: it is nothing that a client means.
///
/// # Errors
/// [`NoKey`] tells a missing key from one in a form that is not understood.
pub fn offered<'a>(headers: Headers<'a>) -> Result<&'a [u8], NoKey> {
    let once = |name| headers.only(name).map_err(|_| NoKey::Malformed);
    let authorization = once("authorization")?;
    if let Some(value) = once("x-litellm-api-key")? {
        return not_empty(strip_bearer(value).unwrap_or(value));
    }
    if let Some(value) = authorization {
        return strip_bearer(value)
            .or_else(|| access_key_id(value))
            .ok_or(NoKey::Malformed)
            .and_then(not_empty);
    }
    match (once("x-api-key")?, once("api-key")?) {
        (Some(value), _) | (None, Some(value)) => not_empty(value),
        (None, None) => Err(NoKey::Missing),
    }
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
mod tests {
    use super::*;

    fn offer(headers: &[(&str, &str)]) -> Result<String, NoKey> {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        offered(Headers(&headers)).map(|key| String::from_utf8(key.to_vec()).unwrap())
    }

    const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=sk-1234/20261122/us-west-2/bedrock/aws4_request, \
                          SignedHeaders=host;x-amz-date, Signature=ab";

    #[test]
    fn every_place_of_a_key_is_read() {
        for (name, value) in [
            ("authorization", "Bearer sk-1234"),
            ("authorization", "bearer sk-1234"),
            ("authorization", "BEARER   sk-1234 "),
            ("authorization", SIGNED),
            ("authorization", &SIGNED.replace("=sk-1234", "=Bearer sk-1234")),
            ("authorization", &SIGNED.replace(", ", ",")),
            ("authorization", &SIGNED.replace("SHA256 ", "SHA256   ")),
            ("x-litellm-api-key", "sk-1234"),
            ("x-litellm-api-key", "Bearer sk-1234"),
            ("x-api-key", "sk-1234"),
            ("api-key", "sk-1234"),
        ] {
            assert_eq!(
                offer(&[(name, value)]).as_deref(),
                Ok("sk-1234"),
                "{name}: {value}"
            );
        }
    }

    #[test]
    fn a_key_with_slashes_survives_the_credential_field() {
        let value = SIGNED.replace("sk-1234", "sk-a/b/c");
        assert_eq!(offer(&[("authorization", &value)]).as_deref(), Ok("sk-a/b/c"));
    }

    #[test]
    fn the_litellm_header_wins_over_authorization_and_authorization_over_the_rest() {
        let litellm = ("x-litellm-api-key", "sk-l");
        assert_eq!(
            offer(&[("authorization", SIGNED), litellm]).as_deref(),
            Ok("sk-l")
        );
        assert_eq!(
            offer(&[("authorization", "nonsense"), litellm]).as_deref(),
            Ok("sk-l")
        );
        assert_eq!(
            offer(&[("x-api-key", "sk-x"), ("authorization", "Bearer sk-a")]).as_deref(),
            Ok("sk-a")
        );
        assert_eq!(
            offer(&[("x-api-key", "sk-x"), ("authorization", "nonsense")]),
            Err(NoKey::Malformed)
        );
        assert_eq!(
            offer(&[("api-key", "sk-b"), ("x-api-key", "sk-x")]).as_deref(),
            Ok("sk-x")
        );
    }

    #[test]
    fn malformed_and_repeated_headers_offer_no_key() {
        for value in [
            "",
            " ",
            "sk-1234",
            "Bearer",
            "Bearer ",
            "Bearersk-1234",
            "Basic sk-1234",
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA256 Credential=",
            "AWS4-HMAC-SHA256 Credential=sk-1234",
            "AWS4-HMAC-SHA256 Credential=sk-1234/us-west-2/bedrock/aws4_request",
            "AWS4-HMAC-SHA256 Credential=Bearer",
            "AWS4-HMAC-SHA256 Signature=ab",
            "AWS4-HMAC-SHA256 Credential=/20261122/us-west-2/bedrock/aws4_request",
            &format!("{SIGNED},{SIGNED}"),
            &format!("{SIGNED}, Bearer sk-1234"),
            &format!("{SIGNED} Credential=sk-5678/20261122/us-west-2/bedrock/aws4_request"),
        ] {
            assert_eq!(
                offer(&[("authorization", value)]),
                Err(NoKey::Malformed),
                "{value}"
            );
        }
        let twice = ("authorization", "Bearer sk-1234");
        assert_eq!(offer(&[twice, twice]), Err(NoKey::Malformed));
        assert_eq!(
            offer(&[twice, twice, ("x-litellm-api-key", "sk-1234")]),
            Err(NoKey::Malformed)
        );
        assert_eq!(
            offer(&[("x-api-key", "sk-1"), ("x-api-key", "sk-1")]),
            Err(NoKey::Malformed)
        );
        assert_eq!(
            offer(&[("cookie", "sk-1234"), (":path", "/?key=sk-1234")]),
            Err(NoKey::Missing)
        );
    }

    #[test]
    fn only_the_same_key_matches() {
        let hash = KeyHash::of(b"sk-1234");
        assert!(hash.matches(&KeyHash::of(b"sk-1234")));
        for other in ["", "sk-123", "sk-12345", "SK-1234"] {
            assert!(!hash.matches(&KeyHash::of(other.as_bytes())), "{other}");
        }
        assert_eq!(format!("{hash:?}"), "[redacted]");
    }
}
