//! The signature: what it must cover, and whether the secret produces it.

use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use hyper::header::{HOST, HeaderValue};

use super::auth_failure::AuthFailure;
use super::authorization::SignatureClaim;
use super::keyring::{Keyring, OwnedCredential};
use super::raw_request::RawRequest;
use super::signing_time::{self, CLOCK_SKEW_LIMIT};

const DATE: &str = "x-amz-date";
const SECURITY_TOKEN: &str = "x-amz-security-token";
/// Optional header with the digest of the body.
const CONTENT_SHA256: &str = "x-amz-content-sha256";

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your \
                        AWS Secret Access Key and signing method. Consult the service documentation for details.";

/// What a signature must be made for.
pub(super) struct SigningScope<'a> {
    pub(super) region: &'a str,
    pub(super) service: &'static str,
}

/// Checks the signature, and returns the credential that made it.
pub(super) fn verify<'a>(
    keyring: &'a Keyring,
    scope: &SigningScope<'_>,
    now: SystemTime,
    request: &RawRequest<'_>,
    claim: &SignatureClaim<'_>,
) -> Result<&'a OwnedCredential, Box<AuthFailure>> {
    if claim.region != scope.region {
        return Err(AuthFailure::signature(
            "wrong region",
            "Credential should be scoped to a valid region.",
        ));
    }
    if claim.service != scope.service {
        return Err(AuthFailure::signature(
            "wrong service",
            format!(
                "Credential should be scoped to correct service: '{}'.",
                scope.service
            ),
        ));
    }
    let token = single(request, SECURITY_TOKEN)?.map(HeaderValue::as_bytes);
    let owned = keyring.admit(claim.access_key_id, token, now)?;
    let signed_at = claimed_time(request, claim, now)?;
    let headers = covered_headers(request, claim)?;
    if let Some(digest) = single(request, CONTENT_SHA256)?
        && digest.as_bytes() != request.body_sha256.as_bytes()
    {
        return Err(AuthFailure::signature("wrong content digest", MISMATCH));
    }
    let identity = owned.credential.identity();
    let mut settings = SigningSettings::default();
    settings.excluded_headers = None;
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.service)
        .time(signed_at)
        .settings(settings)
        .build()
        .map_err(|_| AuthFailure::signature("unusable request", MISMATCH))?
        .into();
    let uri = format!("http://emulator{}", request.target);
    let body = SignableBody::Precomputed(request.body_sha256.to_owned());
    let computed = SignableRequest::new(request.method, uri, headers.iter().copied(), body)
        .and_then(|request| sign(request, &params))
        .map_err(|_| AuthFailure::signature("unusable request", MISMATCH))?;
    if computed.signature() == claim.signature {
        Ok(owned)
    } else {
        Err(AuthFailure::signature("wrong signature", MISMATCH))
    }
}

/// The value of a header that must not be repeated.
fn single<'a>(request: &RawRequest<'a>, name: &str) -> Result<Option<&'a HeaderValue>, Box<AuthFailure>> {
    let mut values = request.headers.get_all(name).iter();
    let first = values.next();
    match values.next() {
        None => Ok(first),
        Some(_) => Err(AuthFailure::incomplete(format!(
            "expected one {name} header, but found several"
        ))),
    }
}

/// The signing time that a request claims, if it is close enough to `now`.
fn claimed_time(
    request: &RawRequest<'_>,
    claim: &SignatureClaim<'_>,
    now: SystemTime,
) -> Result<SystemTime, Box<AuthFailure>> {
    let text = single(request, DATE)?.and_then(|value| value.to_str().ok());
    let text = text.ok_or_else(|| {
        AuthFailure::incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
        )
    })?;
    let signed_at = signing_time::parse(text, claim.date)?;
    if signed_at + CLOCK_SKEW_LIMIT < now {
        let message = format!("Signature expired: {text} is now earlier than the server's time - 5 min.");
        return Err(AuthFailure::signature("expired", message));
    }
    signing_time::check_not_in_the_future(text, signed_at, now)?;
    Ok(signed_at)
}

/// The signed headers with their values. `host` and every `x-amz-*` header of the request must be
/// among them.
fn covered_headers<'a>(
    request: &RawRequest<'a>,
    claim: &SignatureClaim<'a>,
) -> Result<Vec<(&'a str, &'a str)>, Box<AuthFailure>> {
    let names: Vec<&str> = claim.signed_headers.split(';').collect();
    if !names.is_sorted_by(|one, next| one < next) {
        return Err(AuthFailure::signature("signed headers not in order", MISMATCH));
    }
    if !names.contains(&"host") {
        let message = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
        return Err(AuthFailure::signature("host not signed", message));
    }
    if let Some(name) = request
        .headers
        .keys()
        .map(|name| name.as_str())
        .find(|name| name.starts_with("x-amz-") && !names.contains(name))
    {
        let message = format!("There were headers present in the request which were not signed: {name}");
        return Err(AuthFailure::signature("x-amz header not signed", message));
    }
    let mut covered = Vec::with_capacity(names.len());
    for name in names {
        let before = covered.len();
        if name == "host"
            && let Some(authority) = request.authority
        {
            covered.push(("host", authority));
            continue;
        }
        for value in request.headers.get_all(name) {
            let text = std::str::from_utf8(value.as_bytes())
                .map_err(|_| AuthFailure::signature("unusable request", MISMATCH))?;
            covered.push((name, text));
        }
        let host_repeated = name == "host" && request.headers.get_all(HOST).iter().nth(1).is_some();
        if covered.len() == before || host_repeated {
            return Err(AuthFailure::signature(
                "signed header absent or repeated",
                MISMATCH,
            ));
        }
    }
    Ok(covered)
}
