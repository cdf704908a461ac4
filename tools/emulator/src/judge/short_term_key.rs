//! Short-term Bedrock API keys: a presigned URL of the action `CallWithBearerToken`, in base64.
//!
//! AWS's token generators (PyPI `aws-bedrock-token-generator` and its siblings) are the
//! specification.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::auth_failure::AuthFailure;
use super::keyring::Keyring;
use super::signing_time;
use crate::percent;

/// How every short-term key starts.
pub(crate) const PREFIX: &str = "bedrock-api-key-";
pub(super) const INVALID: &str = "Authentication failed: Please make sure your API Key is valid.";
const EXPIRED: &str = "Bearer Token has expired";

const HOST: &str = "bedrock.amazonaws.com";
const ACTION: &str = "CallWithBearerToken";
/// Longest lifetime: 12 hours.
const LIFETIME_LIMIT_SECONDS: u64 = 43_200;

/// The claims in a key. None of them is checked yet.
pub(crate) struct ShortTermKey {
    pub(crate) access_key_id: String,
    scope_date: String,
    region: String,
    date: String,
    lifetime_seconds: u64,
    token: Option<String>,
    signature: String,
}

impl ShortTermKey {
    /// `None` if `key` is not a short-term key of the one form that the generators make.
    pub(crate) fn parse(key: &str) -> Option<Self> {
        let url = String::from_utf8(STANDARD.decode(key.strip_prefix(PREFIX)?).ok()?).ok()?;
        let query = url.strip_prefix(HOST)?.strip_prefix("/?")?;
        let mut members = BTreeMap::new();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=')?;
            if members.insert(name, percent::decode(value)?).is_some() {
                return None;
            }
        }
        let mut take = |name: &str| members.remove(name);
        let constants = [
            ("Action", ACTION),
            ("Version", "1"),
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-SignedHeaders", "host"),
        ];
        if !constants
            .iter()
            .all(|(name, value)| take(name).as_deref() == Some(value))
        {
            return None;
        }
        let credential = take("X-Amz-Credential")?;
        let mut scope = credential.split('/').map(str::to_owned);
        let parsed = Self {
            access_key_id: scope.next()?,
            scope_date: scope.next()?,
            region: scope.next()?,
            date: take("X-Amz-Date")?,
            lifetime_seconds: take("X-Amz-Expires")?.parse().ok()?,
            token: take("X-Amz-Security-Token"),
            signature: take("X-Amz-Signature")?,
        };
        let is_scope = scope.eq(["bedrock", "aws4_request"]);
        (is_scope && members.is_empty()).then_some(parsed)
    }

    /// The signature that the credential makes for these claims.
    fn recompute(&self, keyring: &Keyring, signed_at: SystemTime) -> Option<String> {
        let identity = keyring.find(&self.access_key_id)?.credential.identity();
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(self.lifetime_seconds));
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("bedrock")
            .time(signed_at)
            .settings(settings)
            .build()
            .ok()?
            .into();
        let url = format!("https://{HOST}/?Action={ACTION}");
        let headers = [("host", HOST)].into_iter();
        let request = SignableRequest::new("POST", url, headers, SignableBody::Bytes(b"")).ok()?;
        Some(sign(request, &params).ok()?.signature().to_owned())
    }
}

/// Checks a key that reached the endpoint of `region` at `now`.
pub(super) fn verify(
    keyring: &Keyring,
    region: &str,
    now: SystemTime,
    key: &ShortTermKey,
) -> Result<(), Box<AuthFailure>> {
    let refuse = |reason, message: &str| Err(AuthFailure::new(reason, "AccessDeniedException", message));
    if key.region != region {
        return refuse("api key of another region", INVALID);
    }
    if !(1..=LIFETIME_LIMIT_SECONDS).contains(&key.lifetime_seconds) {
        return refuse("api key with an invalid lifetime", INVALID);
    }
    let Ok(signed_at) = signing_time::parse(&key.date, &key.scope_date) else {
        return refuse("api key with an invalid date", INVALID);
    };
    if signing_time::check_not_in_the_future(&key.date, signed_at, now).is_err() {
        return refuse("api key not yet current", INVALID);
    }
    let admitted = keyring.admit(&key.access_key_id, key.token.as_deref().map(str::as_bytes), now);
    if let Err(failure) = admitted {
        let is_expired = failure.error.code == "ExpiredTokenException";
        return refuse(failure.reason, if is_expired { EXPIRED } else { INVALID });
    }
    if key.recompute(keyring, signed_at).as_deref() != Some(&key.signature) {
        return refuse("api key with a wrong signature", INVALID);
    }
    if signed_at + Duration::from_secs(key.lifetime_seconds) <= now {
        return refuse("expired api key", EXPIRED);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
