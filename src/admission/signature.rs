//! A request that a client has signed with Signature Version 4. Everything that its headers say is
//! checked when they arrive; the signature itself when the body is complete, because it covers the
//! body.
//!
//! Names and messages of errors are AWS's. Query authentication (presigned URLs), signed chunks and
//! `UNSIGNED-PAYLOAD` are refused: no SDK uses them for Bedrock, and they do not cover the body.

use crate::headers::Headers;
use crate::secret::{Secret, equal_digests};
use crate::sigv4::{
    BEDROCK, CanonicalHead, ClaimError, ClaimedSignature, HeadHash, PathNormalization, PayloadHash, Scope,
    SignedHeader, SignedHeaders, SigningKey, SigningOptions, StringToSign, UriEncoding,
};
use crate::time::{AmzDate, UnixTime};

/// Largest difference between the time of a signature and now, in seconds.
const SKEW_SECONDS: u64 = 5 * 60;

const CONTENT_SHA256: &str = "x-amz-content-sha256";
const DATE: &str = "x-amz-date";
const SECURITY_TOKEN: &str = "x-amz-security-token";
/// What the names of headers that must be signed begin with.
const AMZ_PREFIX: &[u8] = b"x-amz-";

/// As AWS does, dot segments and repeated slashes are resolved: SDKs sign such paths like that.
const OPTIONS: SigningOptions = SigningOptions {
    encoding: UriEncoding::Twice,
    normalization: PathNormalization::Resolved,
};

/// Why a signature is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureError {
    /// No access key has this id, or there is a session token, which none has.
    Unrecognized,
    /// The `authorization` header is malformed.
    Claim(ClaimError),
    /// The scope is that of another service.
    Service,
    /// `x-amz-date` is missing, repeated or malformed.
    Date,
    /// The scope and `x-amz-date` have different days.
    Day,
    /// The signature is too old.
    Expired {
        /// Its time.
        signed: AmzDate,
        /// The time now.
        now: UnixTime,
    },
    /// The signature is from the future.
    NotYetCurrent {
        /// Its time.
        signed: AmzDate,
        /// The time now.
        now: UnixTime,
    },
    /// `host` is not signed.
    Host,
    /// This header is not signed.
    Unsigned(String),
    /// `x-amz-content-sha256` is no hash of a body.
    Payload,
    /// There is a signature in the query.
    Presigned,
    /// The body ends with trailers, which the signature does not cover.
    Trailers,
    /// Another secret or another request was signed.
    Mismatch,
}

impl SignatureError {
    /// AWS's name of the error.
    pub(crate) const fn error_type(&self) -> &'static str {
        match self {
            Self::Unrecognized => "UnrecognizedClientException",
            Self::Claim(_) | Self::Date => "IncompleteSignatureException",
            _ => "InvalidSignatureException",
        }
    }

    /// The message for the client.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Unrecognized => "The security token included in the request is invalid.".into(),
            Self::Claim(ClaimError::Parameter(name)) => {
                format!("Authorization header requires '{name}' parameter once.")
            }
            Self::Claim(ClaimError::Unknown) => {
                "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters, and nothing \
                 else."
                    .into()
            }
            Self::Claim(ClaimError::Credential) => {
                "Credential must have exactly 5 slash-delimited elements, such as \
                 AKID/20270131/us-west-2/bedrock/aws4_request."
                    .into()
            }
            Self::Claim(ClaimError::Signature) => "Signature must have 64 hexadecimal digits.".into(),
            Self::Service => format!("Credential should be scoped to correct service: '{BEDROCK}'."),
            Self::Date => {
                "Authorization header requires existence of one 'X-Amz-Date' header. Date must be in ISO-8601 'basic \
                 format'."
                    .into()
            }
            Self::Day => {
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.".into()
            }
            Self::Expired { signed, now } => {
                let limit = UnixTime::from_seconds(now.seconds().saturating_sub(SKEW_SECONDS));
                format!(
                    "Signature expired: {} is now earlier than {} ({} - 5 min.)",
                    signed.as_str(),
                    limit.amz_date().as_str(),
                    now.amz_date().as_str()
                )
            }
            Self::NotYetCurrent { signed, now } => {
                let limit = UnixTime::from_seconds(now.seconds().saturating_add(SKEW_SECONDS));
                format!(
                    "Signature not yet current: {} is still later than {} ({} + 5 min.)",
                    signed.as_str(),
                    limit.amz_date().as_str(),
                    now.amz_date().as_str()
                )
            }
            Self::Host => "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".into(),
            Self::Unsigned(name) => {
                format!("There were headers present in the request which were not signed: {name}.")
            }
            Self::Payload => {
                "The signature must cover the body: 'X-Amz-Content-SHA256' must be the SHA-256 of the body, if it is \
                 sent. Unsigned and chunked payloads are not supported."
                    .into()
            }
            Self::Presigned => {
                "Signatures in the query are not supported. Sign the request in the 'Authorization' header.".into()
            }
            Self::Trailers => "The signature does not cover trailers. Send the request without them.".into(),
            Self::Mismatch => {
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                 Access Key and signing method. Consult the service documentation for details."
                    .into()
            }
        }
    }
}

/// A signature over a body that is still arriving.
pub struct PendingSignature {
    head: HeadHash,
    key: SigningKey,
    date: AmzDate,
    region: String,
    service: &'static str,
    /// The hash of the body, if the client has declared it.
    declared: Option<[u8; 64]>,
    signature: [u8; 32],
}

impl PendingSignature {
    /// Checks what `claim` and the other headers say, for requests to `service`.
    ///
    /// # Errors
    /// [`SignatureError`]
    pub fn read(
        claim: &ClaimedSignature<'_>,
        service: &'static str,
        secret: &Secret,
        headers: Headers<'_>,
        now: UnixTime,
    ) -> Result<Self, SignatureError> {
        if claim.service != service {
            return Err(SignatureError::Service);
        }
        if headers.all(SECURITY_TOKEN).next().is_some() {
            return Err(SignatureError::Unrecognized);
        }
        let date = signing_date(claim, headers, now)?;
        let path = once(headers, ":path")?;
        let mark = path.iter().position(|byte| *byte == b'?');
        let (path, query) = mark
            .and_then(|mark| path.split_at_checked(mark))
            .unwrap_or((path, b""));
        let query = query.strip_prefix(b"?").unwrap_or(query);
        if is_presigned(query) {
            return Err(SignatureError::Presigned);
        }
        let declared = declared_payload(headers)?;
        let mut signed = signed_headers(claim, headers)?;
        let head = CanonicalHead {
            method: std::str::from_utf8(once(headers, ":method")?).map_err(|_| SignatureError::Mismatch)?,
            path,
            query,
            headers: SignedHeaders::sort(&mut signed),
            options: OPTIONS,
        };
        let scope = Scope {
            date,
            region: claim.region,
            service,
        };
        Ok(Self {
            head: head.hash(),
            key: SigningKey::derive(secret, &scope),
            date,
            region: claim.region.to_owned(),
            service,
            declared,
            signature: claim.signature,
        })
    }

    /// Checks the signature over this body, in constant time.
    ///
    /// # Errors
    /// [`SignatureError::Mismatch`]
    pub fn verify(self, body: &PayloadHash) -> Result<(), SignatureError> {
        let expected = self.key.sign(&StringToSign {
            scope: &Scope {
                date: self.date,
                region: &self.region,
                service: self.service,
            },
            request: &self.head.complete(body),
        });
        let is_declared = self.declared.is_none_or(|declared| declared == *body.as_bytes());
        if equal_digests(expected.as_bytes(), &self.signature) && is_declared {
            Ok(())
        } else {
            Err(SignatureError::Mismatch)
        }
    }
}

impl std::fmt::Debug for PendingSignature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PendingSignature")
    }
}

/// Whether a query has a signature, or another part of one.
pub(crate) fn is_presigned(query: &[u8]) -> bool {
    let mut pairs = query.split(|byte| *byte == b'&');
    pairs.any(|pair| {
        pair.get(..6)
            .is_some_and(|name| name.eq_ignore_ascii_case(AMZ_PREFIX))
    })
}

/// The value of a header that a request has once.
fn once<'a>(headers: Headers<'a>, name: &str) -> Result<&'a [u8], SignatureError> {
    let value = headers.only(name).ok().flatten();
    value.ok_or(SignatureError::Mismatch)
}

/// The time of the signature, if it is close enough to `now`.
fn signing_date(
    claim: &ClaimedSignature<'_>,
    headers: Headers<'_>,
    now: UnixTime,
) -> Result<AmzDate, SignatureError> {
    let text = headers.only(DATE).ok().flatten();
    let text = text.and_then(|text| std::str::from_utf8(text).ok());
    let time = text
        .and_then(UnixTime::parse_amz_date)
        .ok_or(SignatureError::Date)?;
    let signed = time.amz_date();
    if signed.day().as_str() != claim.day {
        return Err(SignatureError::Day);
    }
    if time.seconds().saturating_add(SKEW_SECONDS) < now.seconds() {
        return Err(SignatureError::Expired { signed, now });
    }
    if now.seconds().saturating_add(SKEW_SECONDS) < time.seconds() {
        return Err(SignatureError::NotYetCurrent { signed, now });
    }
    Ok(signed)
}

/// The hash of the body that a request declares, if it does.
fn declared_payload(headers: Headers<'_>) -> Result<Option<[u8; 64]>, SignatureError> {
    let declared = headers
        .only(CONTENT_SHA256)
        .map_err(|_| SignatureError::Payload)?;
    let Some(declared) = declared else { return Ok(None) };
    let digits = <[u8; 64]>::try_from(declared).map_err(|_| SignatureError::Payload)?;
    if digits.iter().all(u8::is_ascii_hexdigit) {
        Ok(Some(digits))
    } else {
        Err(SignatureError::Payload)
    }
}

/// The signed headers with their values. `host` and every `x-amz-*` header must be among them.
fn signed_headers<'a>(
    claim: &ClaimedSignature<'a>,
    headers: Headers<'a>,
) -> Result<Vec<SignedHeader<'a>>, SignatureError> {
    let names: Vec<&str> = claim.signed_headers.split(';').collect();
    if !names.contains(&"host") {
        return Err(SignatureError::Host);
    }
    let mut amz = headers.0.iter().map(|(name, _)| *name);
    let unsigned = amz
        .find(|name| name.starts_with(AMZ_PREFIX) && !names.iter().any(|signed| signed.as_bytes() == *name));
    if let Some(name) = unsigned {
        return Err(SignatureError::Unsigned(
            String::from_utf8_lossy(name).into_owned(),
        ));
    }
    if !names.is_sorted_by(|one, next| one < next) {
        return Err(SignatureError::Mismatch);
    }
    let mut signed = Vec::with_capacity(names.len());
    for name in names {
        if name == "host" {
            signed.push(SignedHeader::new(name, once(headers, ":authority")?));
            continue;
        }
        let before = signed.len();
        signed.extend(headers.all(name).map(|value| SignedHeader::new(name, value)));
        if signed.len() == before {
            return Err(SignatureError::Mismatch);
        }
    }
    Ok(signed)
}

#[cfg(test)]
pub(crate) mod tests;
