//! Keys minted by `aws-sigv4`. tests/e2e has those of AWS's own generator.

use std::time::UNIX_EPOCH;

use proptest::prelude::*;

use super::*;
use crate::config::KnownCredential;

const NOW_SECONDS: u64 = 1_789_000_000;
const ID: &str = "ASIATOKEN";
const TOKEN: &str = "to/ken+==";

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn keyring() -> Keyring {
    let credential = KnownCredential {
        access_key_id: ID.to_owned(),
        secret_access_key: "se/cret+".to_owned(),
        session_token: Some(TOKEN.to_owned()),
    };
    Keyring::of(vec![credential], Vec::new())
}

/// The presigned URL of a key without its scheme.
fn url(region: &str, lifetime_seconds: u64) -> String {
    let identity = keyring().find(ID).unwrap().credential.identity();
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(Duration::from_secs(lifetime_seconds));
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("bedrock")
        .time(at(NOW_SECONDS))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let url = "https://bedrock.amazonaws.com/?Action=CallWithBearerToken";
    let request = SignableRequest::new("POST", url, [].into_iter(), SignableBody::Bytes(b"")).unwrap();
    let (instructions, _) = sign(request, &params).unwrap().into_parts();
    let mut url = url.replace("https://", "");
    for (name, value) in instructions.params() {
        let value = value.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D");
        url = format!("{url}&{name}={value}");
    }
    url + "&Version=1"
}

fn key(url: &str) -> String {
    format!("{PREFIX}{}", STANDARD.encode(url))
}

fn judge(url: &str, now: u64) -> Result<(), &'static str> {
    let parsed = ShortTermKey::parse(&key(url)).ok_or("not parsed")?;
    verify(&keyring(), "us-west-2", at(now), &parsed).map_err(|failure| failure.reason)
}

#[test]
fn a_key_is_accepted_in_its_region_until_it_expires() {
    let url = url("us-west-2", 60);
    assert_eq!(judge(&url, NOW_SECONDS), Ok(()));
    assert_eq!(judge(&url, NOW_SECONDS + 59), Ok(()));
    assert_eq!(judge(&url, NOW_SECONDS + 60), Err("expired api key"));
    assert_eq!(
        judge(&self::url("us-east-1", 60), NOW_SECONDS),
        Err("api key of another region")
    );
}

#[test]
fn a_lifetime_is_from_a_second_to_twelve_hours() {
    for (seconds, is_valid) in [(0, false), (1, true), (43_200, true), (43_201, false)] {
        let verdict = judge(&url("us-west-2", seconds), NOW_SECONDS);
        assert_eq!(verdict.is_ok(), is_valid, "{seconds}: {verdict:?}");
    }
}

#[test]
fn a_key_from_the_future_is_refused() {
    let url = url("us-west-2", 60);
    assert_eq!(judge(&url, NOW_SECONDS - 300), Ok(()));
    assert_eq!(judge(&url, NOW_SECONDS - 301), Err("api key not yet current"));
}

#[test]
fn every_claim_is_signed() {
    let url = url("us-west-2", 60);
    for (from, to, reason) in [
        (
            "X-Amz-Expires=60",
            "X-Amz-Expires=61",
            "api key with a wrong signature",
        ),
        ("to%2Fken", "other", "wrong security token"),
        (ID, "ASIAOTHER", "unknown access key id"),
        (
            "X-Amz-Date=2026",
            "X-Amz-Date=x026",
            "api key with an invalid date",
        ),
        ("&Version=1", "&Version=2", "not parsed"),
        ("&Version=1", "&Version=1&Version=1", "not parsed"),
        ("Action=CallWithBearerToken", "Action=Other", "not parsed"),
        ("aws4_request", "aws4_request%2F", "not parsed"),
    ] {
        assert!(url.contains(from), "{from} in {url}");
        assert_eq!(judge(&url.replace(from, to), NOW_SECONDS), Err(reason), "{to}");
    }
    assert_eq!(judge(&url, NOW_SECONDS), Ok(()));
}

proptest! {
    #[test]
    fn no_key_causes_a_panic(text in "\\PC{0,80}") {
        let _ = ShortTermKey::parse(&text);
        prop_assert!(ShortTermKey::parse(&key(&text)).is_none());
    }

    #[test]
    fn no_cut_key_is_accepted(cut in 0_usize..400) {
        let url = url("us-west-2", 60);
        prop_assume!(cut < url.len());
        prop_assert!(judge(&url[..cut], NOW_SECONDS).is_err());
    }
}
