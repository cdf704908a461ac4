//! Requests signed by `aws-sigv4`, each then changed in one place.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::config::KnownCredential;
use crate::judge::authorization::redact;

const NOW_SECONDS: u64 = 1_789_000_000;
const TARGET: &str = "/model/arn%3Aaws%3Abedrock%3Aus-west-2%3A%3Afoundation-model%2Fa.b-v1%3A0/converse";

fn keyring() -> Keyring {
    let pair = |id: &str, token: Option<&str>| KnownCredential {
        access_key_id: id.to_owned(),
        secret_access_key: "se/cret+".to_owned(),
        session_token: token.map(str::to_owned),
    };
    Keyring::of(
        vec![pair("AKIDPLAIN", None), pair("ASIATOKEN", Some("to/ken+=="))],
        vec!["ABSKknown".to_owned()],
    )
}

struct SignedRequest {
    id: &'static str,
    secret: &'static str,
    token: Option<&'static str>,
    region: &'static str,
    service: &'static str,
    signed_at: u64,
    target: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl SignedRequest {
    fn new() -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("localhost:9"));
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        Self {
            id: "AKIDPLAIN",
            secret: "se/cret+",
            token: None,
            region: "us-west-2",
            service: "bedrock",
            signed_at: NOW_SECONDS,
            target: TARGET.to_owned(),
            headers,
            body: b"{}".to_vec(),
        }
    }

    fn sign(mut self) -> Self {
        let identity =
            Credentials::new(self.id, self.secret, self.token.map(str::to_owned), None, "t").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(UNIX_EPOCH + Duration::from_secs(self.signed_at))
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let pairs: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        let uri = format!("http://localhost:9{}", self.target);
        let request =
            SignableRequest::new("POST", uri, pairs.into_iter(), SignableBody::Bytes(&self.body)).unwrap();
        let (instructions, _) = sign(request, &params).unwrap().into_parts();
        for (name, value) in instructions.headers() {
            let name: HeaderName = name.parse().unwrap();
            self.headers.insert(name, value.parse().unwrap());
        }
        self
    }

    fn judge(&self) -> Result<Proof, &'static str> {
        let digest = hex::encode(Sha256::digest(&self.body));
        let raw = RawRequest {
            method: "POST",
            target: &self.target,
            headers: &self.headers,
            authority: None,
            body_sha256: &digest,
        };
        let now = UNIX_EPOCH + Duration::from_secs(NOW_SECONDS);
        verify(&keyring(), "us-west-2", now, &raw).map_err(|refusal| refusal.reason)
    }

    fn replace_in_authorization(&mut self, from: &str, to: &str) {
        let value = self.headers["authorization"].to_str().unwrap().replace(from, to);
        self.headers.insert("authorization", value.parse().unwrap());
    }
}

#[test]
fn a_valid_signature_is_accepted() {
    assert_eq!(SignedRequest::new().sign().judge(), Ok(Proof::Signature));
}

#[test]
fn over_http2_the_host_is_the_authority() {
    let mut request = SignedRequest::new().sign();
    let host = request.headers.remove("host").unwrap();
    let digest = hex::encode(Sha256::digest(&request.body));
    let raw = RawRequest {
        method: "POST",
        target: &request.target,
        headers: &request.headers,
        authority: Some(host.to_str().unwrap()),
        body_sha256: &digest,
    };
    let now = UNIX_EPOCH + Duration::from_secs(NOW_SECONDS);
    assert_eq!(
        verify(&keyring(), "us-west-2", now, &raw).unwrap(),
        Proof::Signature
    );
}

#[test]
fn a_changed_path_spelling_header_or_body_breaks_the_signature() {
    let mut request = SignedRequest::new().sign();
    request.target = request.target.replace("%3A", ":");
    assert_eq!(request.judge(), Err("wrong signature"));

    let mut request = SignedRequest::new().sign();
    request.target = request.target.replace("%3A", "%3a");
    assert_eq!(request.judge(), Err("wrong signature"));

    let mut request = SignedRequest::new().sign();
    request
        .headers
        .insert("content-type", HeaderValue::from_static("text/plain"));
    assert_eq!(request.judge(), Err("wrong signature"));

    let mut request = SignedRequest::new().sign();
    request.body.push(b' ');
    assert_eq!(request.judge(), Err("wrong signature"));
}

#[test]
fn a_wrong_secret_region_service_or_key_id_is_refused() {
    let request = |change: fn(&mut SignedRequest)| {
        let mut request = SignedRequest::new();
        change(&mut request);
        request.sign().judge()
    };
    assert_eq!(request(|r| r.secret = "other"), Err("wrong signature"));
    assert_eq!(request(|r| r.region = "us-east-1"), Err("wrong region"));
    assert_eq!(request(|r| r.service = "bedrock-runtime"), Err("wrong service"));
    assert_eq!(request(|r| r.id = "AKIDOTHER"), Err("unknown access key id"));
}

#[test]
fn clocks_may_differ_by_five_minutes_and_no_more() {
    let at = |signed_at| {
        let mut request = SignedRequest::new();
        request.signed_at = signed_at;
        request.sign().judge()
    };
    assert_eq!(at(NOW_SECONDS - 300), Ok(Proof::Signature));
    assert_eq!(at(NOW_SECONDS - 301), Err("expired"));
    assert_eq!(at(NOW_SECONDS + 300), Ok(Proof::Signature));
    assert_eq!(at(NOW_SECONDS + 301), Err("not yet current"));
}

#[test]
fn the_scope_has_the_day_of_the_date_header() {
    let mut request = SignedRequest::new().sign();
    let date = request.headers["x-amz-date"].to_str().unwrap()[..8].to_owned();
    request.replace_in_authorization(&date, "20200101");
    assert_eq!(request.judge(), Err("wrong day"));
}

#[test]
fn the_token_of_temporary_credentials_must_be_present_correct_and_signed() {
    let with = |token| {
        let mut request = SignedRequest::new();
        (request.id, request.token) = ("ASIATOKEN", token);
        request.sign()
    };
    assert_eq!(with(Some("to/ken+==")).judge(), Ok(Proof::Signature));
    assert_eq!(with(Some("other")).judge(), Err("wrong security token"));
    assert_eq!(with(None).judge(), Err("wrong security token"));

    let mut unsigned = with(Some("to/ken+=="));
    unsigned.replace_in_authorization(";x-amz-security-token", "");
    assert_eq!(unsigned.judge(), Err("x-amz header not signed"));
}

#[test]
fn host_and_every_x_amz_header_must_be_signed() {
    let mut request = SignedRequest::new().sign();
    request.replace_in_authorization("host;", "");
    assert_eq!(request.judge(), Err("host not signed"));

    let mut request = SignedRequest::new().sign();
    request
        .headers
        .insert("x-amz-target", HeaderValue::from_static("late"));
    assert_eq!(request.judge(), Err("x-amz header not signed"));

    let mut request = SignedRequest::new();
    request
        .headers
        .insert("x-amz-target", HeaderValue::from_static("in time"));
    assert_eq!(request.sign().judge(), Ok(Proof::Signature));
}

#[test]
fn signed_headers_must_be_sorted_and_unique() {
    let mut request = SignedRequest::new().sign();
    request.replace_in_authorization("content-type;host", "host;content-type");
    assert_eq!(request.judge(), Err("signed headers not in order"));

    let mut request = SignedRequest::new().sign();
    request.replace_in_authorization("x-amz-date", "x-amz-date;x-amz-date");
    assert_eq!(request.judge(), Err("signed headers not in order"));
}

#[test]
fn a_digest_header_must_match_the_body() {
    let mut request = SignedRequest::new();
    request.headers.insert(
        "x-amz-content-sha256",
        HeaderValue::from_static("UNSIGNED-PAYLOAD"),
    );
    assert_eq!(request.sign().judge(), Err("wrong content digest"));
}

#[test]
fn the_authorization_must_be_one_complete_header() {
    let mut request = SignedRequest::new();
    assert_eq!(request.judge(), Err("no authorization"));
    for value in [
        "",
        "Basic x",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d",
        "AWS4-HMAC-SHA256 Signature=1,Signature=2",
    ] {
        request
            .headers
            .insert("authorization", HeaderValue::from_static(value));
        assert_eq!(request.judge(), Err("incomplete authorization"), "{value}");
    }
    let mut request = SignedRequest::new().sign();
    request
        .headers
        .append("authorization", HeaderValue::from_static("Bearer ABSKknown"));
    assert_eq!(request.judge(), Err("incomplete authorization"));
}

#[test]
fn only_known_api_keys_are_accepted() {
    let mut request = SignedRequest::new();
    let mut with = |value: &'static str| {
        request
            .headers
            .insert("authorization", HeaderValue::from_static(value));
        request.judge()
    };
    assert_eq!(with("Bearer ABSKknown"), Ok(Proof::ApiKey));
    assert_eq!(with("bearer  ABSKknown"), Ok(Proof::ApiKey));
    assert_eq!(with("Bearer ABSKother"), Err("unknown api key"));
    assert_eq!(with("Bearer sk-1234"), Err("unknown api key"));
}

#[test]
fn the_logged_authorization_has_the_scope_but_no_signature() {
    let value =
        "AWS4-HMAC-SHA256 Credential=A/20260101/r/bedrock/aws4_request, SignedHeaders=host, Signature=abc";
    let redacted = redact(value);
    assert!(
        redacted.contains("A/20260101/r/bedrock") && redacted.contains("SignedHeaders=host"),
        "{redacted}"
    );
    assert!(!redacted.contains("abc"));
    assert_eq!(redact("Bearer ABSKsecret"), "Bearer [redacted]");
    assert_eq!(redact("ABSKsecret"), "[redacted]");
}

proptest! {
    #[test]
    fn no_authorization_header_causes_a_panic(value in "(AWS4-HMAC-SHA256 )?[ -~]{0,120}") {
        let mut request = SignedRequest::new();
        request.headers.insert("authorization", value.parse().unwrap());
        prop_assert!(request.judge().is_err());
    }

    #[test]
    fn no_date_or_scope_causes_a_panic(date in "[ -~]{0,20}", scope in "[0-9A-Za-z/]{0,40}") {
        let mut request = SignedRequest::new().sign();
        request.headers.insert("x-amz-date", date.parse().unwrap());
        request.replace_in_authorization("AKIDPLAIN/", &format!("AKIDPLAIN/{scope}"));
        prop_assert!(request.judge().is_err());
    }
}
