//! Short-term Bedrock API keys: presigned requests for `CallWithBearerToken`, as AWS's own token
//! generators make them. The IAM identity needs the permission `bedrock:CallWithBearerToken`.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::failure::{Failure, FailureCode};

/// Longest life of a key, from AWS.
const LIFE_MAX: Duration = Duration::from_secs(12 * 60 * 60);
const HOST: &str = "bedrock.amazonaws.com";

/// An API key and when it expires: with the credential it is made from, at the latest after twelve
/// hours.
pub(super) fn make(
    keys: &Credentials,
    region: &str,
    now: SystemTime,
) -> Result<(String, SystemTime), Failure> {
    let left = match keys.expiry() {
        Some(expiry) => expiry.duration_since(now).unwrap_or_default(),
        None => LIFE_MAX,
    };
    let life = Duration::from_secs(left.min(LIFE_MAX).as_secs());
    if life.is_zero() {
        return Err(Failure::new(
            FailureCode::ExpiredToken,
            "the credential has expired",
        ));
    }
    let failed = |error: &(dyn std::error::Error + 'static)| Failure::of(error);
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(life);
    let identity: Identity = keys.clone().into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("bedrock")
        .time(now)
        .settings(settings)
        .build()
        .map_err(|error| failed(&error))?
        .into();
    let url = format!("https://{HOST}/?Action=CallWithBearerToken");
    let request = SignableRequest::new(
        "POST",
        &url,
        [("host", HOST)].into_iter(),
        SignableBody::Bytes(b""),
    )
    .map_err(|error| failed(&error))?;
    let (instructions, _) = sign(request, &parameters)
        .map_err(|error| failed(&error))?
        .into_parts();
    let mut presigned = format!("{HOST}/?Action=CallWithBearerToken");
    for (name, value) in instructions.params() {
        let value = percent_encoding::utf8_percent_encode(value, UNRESERVED);
        presigned.push_str(&format!("&{name}={value}"));
    }
    presigned.push_str("&Version=1");
    Ok((
        format!("bedrock-api-key-{}", STANDARD.encode(presigned)),
        now + life,
    ))
}

/// Everything but the unreserved characters of RFC 3986.
const UNRESERVED: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    /// 2026-11-26T12:00:00Z.
    const NOW: Duration = Duration::from_secs(1_795_694_400);

    fn keys(token: Option<&str>, life: Option<Duration>) -> Credentials {
        let expiry = life.map(|life| UNIX_EPOCH + NOW + life);
        Credentials::new(
            "AKIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            token.map(str::to_owned),
            expiry,
            "test",
        )
    }

    /// What `aws-bedrock-token-generator` 1.1.0 makes of the same keys at the same time.
    #[test]
    fn a_key_is_what_awss_own_generator_makes() {
        let vectors = include_str!("api_keys.txt");
        let mut lines = vectors.lines();
        for token in [None, Some("FwoGZXIvYXdzEXAMPLE//+token==")] {
            let (key, expiry) = make(&keys(token, None), "us-west-2", UNIX_EPOCH + NOW).unwrap();
            let encoded = key.strip_prefix("bedrock-api-key-").unwrap();
            let made = String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap();
            assert_eq!(sorted(&made), sorted(lines.next().unwrap()));
            assert_eq!(expiry, UNIX_EPOCH + NOW + LIFE_MAX);
        }
    }

    /// The parameters; their order is free.
    fn sorted(presigned: &str) -> Vec<&str> {
        let mut parts: Vec<&str> = presigned.split(['?', '&']).collect();
        parts.sort_unstable();
        parts
    }

    #[test]
    fn a_key_does_not_outlive_its_credential() {
        let now = UNIX_EPOCH + NOW;
        let life = Duration::from_secs(90);
        let (key, expiry) = make(&keys(None, Some(life)), "us-west-2", now).unwrap();
        assert_eq!(expiry, now + life);
        let presigned = STANDARD
            .decode(key.trim_start_matches("bedrock-api-key-"))
            .unwrap();
        assert!(
            String::from_utf8(presigned)
                .unwrap()
                .contains("X-Amz-Expires=90&")
        );
        let expired = make(&keys(None, Some(Duration::ZERO)), "us-west-2", now).unwrap_err();
        assert_eq!(expired.code, FailureCode::ExpiredToken);
    }
}
