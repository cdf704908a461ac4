//! AWS Signature Version 4 in headers: canonical request → string to sign → signing key → signature
//! → `Authorization`.
//!
//! Signatures in the query string (presigned URLs), signed chunks and trailers, `UNSIGNED-PAYLOAD`
//! and SigV4a are not supported, because the gateway does not need them. The caller sends exactly
//! the bytes that it signs.
//!
//! The session token and the payload hash are signed if they are among the headers.
//!
//! ```
//! use envoy_bedrock::secret::Secret;
//! use envoy_bedrock::sigv4::*;
//! use envoy_bedrock::time::UnixTime;
//!
//! let access_key_id = AccessKeyId::new("AKIDEXAMPLE").unwrap();
//! let (secret, token) = (Secret::new("wJalrXUtnFEMI/K7MDENG"), Some(Secret::new("AQoDYXdz")));
//! let payload = PayloadHash::of(b"{}");
//! let mut keys = SigningKeys::default();
//!
//! let date = UnixTime::from_nanoseconds(1_795_357_174_000_000_000).amz_date();
//! let scope = Scope { date, region: "us-west-2", service: BEDROCK };
//! let host = SignedHeader::new("host", b"bedrock-runtime.us-west-2.amazonaws.com");
//! let now = SignedHeader::new("x-amz-date", date.as_bytes());
//! let headers: &mut [SignedHeader] = match &token {
//!     Some(token) => &mut [host, now, SignedHeader::new("x-amz-security-token", token.expose().as_bytes())],
//!     None => &mut [host, now],
//! };
//! let request = CanonicalRequest {
//!     method: "POST",
//!     path: b"/model/amazon.nova-lite-v1%3A0/converse",
//!     query: b"",
//!     headers: SignedHeaders::sort(headers),
//!     payload: &payload,
//!     options: SigningOptions::BEDROCK,
//! };
//! let key = keys.key(CredentialId(0), &secret, &scope);
//! let authorization = authorize(&key, &access_key_id, &scope, &request);
//! assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-west-2/bedrock/aws4_request, \
//!     SignedHeaders=host;x-amz-date;x-amz-security-token, Signature="));
//! ```
//!
//! Specification: "Create a signed AWS API request" in the IAM User Guide.

mod authorization;
mod canonical;
mod claim;
mod headers;
mod key;
mod key_cache;
mod payload;
mod query;
mod scope;
mod sink;
mod uri;

pub use authorization::{AccessKeyId, InvalidAccessKeyId, authorize};
pub use canonical::{CanonicalHead, CanonicalRequest, HeadHash, RequestHash, SigningOptions};
pub use claim::{ClaimError, ClaimedSignature};
pub use headers::{SignedHeader, SignedHeaders};
pub use key::{Signature, SigningKey};
pub use key_cache::{CredentialId, SIGNING_KEYS_MAX, SigningKeys};
pub use payload::{PayloadHash, PayloadHasher};
pub use scope::{BEDROCK, Scope, StringToSign};
pub use uri::{PathNormalization, UriEncoding};
