//! The canonical request.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::encoding::hex;
use crate::sigv4::headers::SignedHeaders;
use crate::sigv4::payload::PayloadHash;
use crate::sigv4::query::write_query;
use crate::sigv4::sink::ByteSink;
use crate::sigv4::uri::{PathNormalization, UriEncoding, write_uri};

/// The rules that differ between services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningOptions {
    /// How often the path is percent-encoded.
    pub encoding: UriEncoding,
    /// Whether dot segments are resolved.
    pub normalization: PathNormalization,
}

impl SigningOptions {
    /// The options for Bedrock. AWS also resolves dot segments, but no path that contains any
    /// reaches the signer.
    pub const BEDROCK: Self = Self {
        encoding: UriEncoding::Twice,
        normalization: PathNormalization::AsSent,
    };
}

/// A request to sign. `Debug` omits what may hold credentials.
#[derive(Clone, Copy)]
pub struct CanonicalRequest<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The path as sent, without the query. Empty means `/`.
    pub path: &'a [u8],
    /// The query as sent, without `?`. May be empty.
    pub query: &'a [u8],
    /// The headers that the signature covers: at least `host` and every `x-amz-*` header that is
    /// sent.
    pub headers: SignedHeaders<'a>,
    /// The hash of the body.
    pub payload: &'a PayloadHash,
    /// How the service canonicalizes the path.
    pub options: SigningOptions,
}

impl<'a> CanonicalRequest<'a> {
    /// The SHA-256 of the canonical request. Its text is hashed piece by piece and never assembled.
    pub fn hash(&self) -> RequestHash {
        let mut hash = Sha256::new();
        self.write(&mut hash);
        RequestHash(hex::encode_digest(&hash.finalize().into()))
    }

    /// The text, exactly as hashed. It **includes the session token** and must not be logged: it is
    /// for tests and for comparison with AWS's response to a signature mismatch.
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        self.write(&mut text);
        text
    }

    fn head(&self) -> CanonicalHead<'a> {
        CanonicalHead {
            method: self.method,
            path: self.path,
            query: self.query,
            headers: self.headers,
            options: self.options,
        }
    }

    fn write(&self, sink: &mut impl ByteSink) {
        self.head().write(sink);
        sink.put(self.payload.as_bytes());
    }
}

/// Everything of a [`CanonicalRequest`] except the hash of a body that has not arrived yet.
#[derive(Clone, Copy)]
pub struct CanonicalHead<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The path as sent, without the query.
    pub path: &'a [u8],
    /// The query as sent, without `?`.
    pub query: &'a [u8],
    /// The headers that the signature covers.
    pub headers: SignedHeaders<'a>,
    /// How the service canonicalizes the path.
    pub options: SigningOptions,
}

impl CanonicalHead<'_> {
    /// Begins the hash of the canonical request.
    pub fn hash(&self) -> HeadHash {
        let mut hash = Sha256::new();
        self.write(&mut hash);
        HeadHash(hash)
    }

    fn write(&self, sink: &mut impl ByteSink) {
        sink.put(self.method.as_bytes());
        sink.put(b"\n");
        write_uri(self.path, self.options.normalization, self.options.encoding, sink);
        sink.put(b"\n");
        write_query(self.query, sink);
        sink.put(b"\n");
        self.headers.write(sink);
        sink.put(b"\n");
        self.headers.each_name_piece(|piece| sink.put(piece.as_bytes()));
        sink.put(b"\n");
    }
}

/// The hash of a canonical request, until the hash of the body is known.
#[derive(Clone)]
pub struct HeadHash(Sha256);

impl HeadHash {
    /// The hash of the canonical request with this body.
    pub fn complete(self, payload: &PayloadHash) -> RequestHash {
        let hash = self.0.chain_update(payload.as_bytes());
        RequestHash(hex::encode_digest(&hash.finalize().into()))
    }
}

impl fmt::Debug for HeadHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeadHash")
    }
}

/// Omits the headers and the query, which may hold credentials.
impl fmt::Debug for CanonicalRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CanonicalRequest")
            .field("method", &self.method)
            .field("path", &self.path.escape_ascii().to_string())
            .finish_non_exhaustive()
    }
}

/// SHA-256 of a canonical request, in lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestHash([u8; 64]);

impl RequestHash {
    /// The 64 digits.
    pub fn as_str(&self) -> &str {
        hex::as_str(&self.0)
    }

    pub(super) fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Debug for RequestHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sigv4::headers::SignedHeader;

    #[test]
    fn debug_output_omits_credentials() {
        let mut headers = [
            SignedHeader::new("host", b"example.com"),
            SignedHeader::new("x-amz-security-token", b"AQoDYXdz"),
        ];
        let request = CanonicalRequest {
            method: "POST",
            path: b"/model/a%3A0/converse",
            query: b"X-Amz-Security-Token=AQoDYXdz",
            headers: SignedHeaders::sort(&mut headers),
            payload: &PayloadHash::of(b""),
            options: SigningOptions::BEDROCK,
        };
        let shown = format!("{request:?} {:?}", request.headers);
        assert!(!shown.contains("AQoDYXdz"), "{shown}");
        assert!(shown.contains("/model/a%3A0/converse"), "{shown}");
        let text = String::from_utf8(request.text()).unwrap();
        assert_eq!(text.matches("AQoDYXdz").count(), 2);
    }

    proptest! {
        #[test]
        fn the_streamed_hash_is_the_hash_of_the_text(
            method in ".{0,8}",
            path: Vec<u8>,
            query: Vec<u8>,
            headers: Vec<(String, Vec<u8>)>,
            body: Vec<u8>,
            resolved: bool,
            twice: bool,
        ) {
            let mut headers: Vec<SignedHeader<'_>> = headers.iter().map(|(n, v)| SignedHeader::new(n, v)).collect();
            let request = CanonicalRequest {
                method: &method,
                path: &path,
                query: &query,
                headers: SignedHeaders::sort(&mut headers),
                payload: &PayloadHash::of(&body),
                options: SigningOptions {
                    encoding: if twice { UriEncoding::Twice } else { UriEncoding::Once },
                    normalization: if resolved { PathNormalization::Resolved } else { PathNormalization::AsSent },
                },
            };
            let (streamed, whole) = (request.hash(), PayloadHash::of(&request.text()));
            prop_assert_eq!(streamed.as_str(), whole.as_str());
            let completed = request.head().hash().complete(&PayloadHash::of(&body));
            prop_assert_eq!(completed, streamed);
        }
    }
}
