//! The canonical request: what client and server agree was sent.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::sigv4::headers::SignedHeaders;
use crate::sigv4::payload::PayloadHash;
use crate::sigv4::query::write_query;
use crate::sigv4::sink::{ByteSink, as_text, hexadecimal};
use crate::sigv4::uri::{PathNormalization, UriEncoding, write_uri};

/// In what services differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningOptions {
    /// How often the path is encoded.
    pub encoding: UriEncoding,
    /// Whether dot segments are resolved.
    pub normalization: PathNormalization,
}

impl SigningOptions {
    /// Bedrock's. AWS resolves dot segments too; no path with one reaches the signer, so nothing is spent on them.
    pub const BEDROCK: Self = Self {
        encoding: UriEncoding::Twice,
        normalization: PathNormalization::AsSent,
    };
}

/// A request as it goes on the wire, together with how its service reads it. `Debug` shows its redacted form.
#[derive(Clone, Copy)]
pub struct CanonicalRequest<'a> {
    /// In upper case.
    pub method: &'a str,
    /// As on the wire, without the query. Empty means `/`.
    pub path: &'a [u8],
    /// As on the wire, without `?`. Empty when there is none.
    pub query: &'a [u8],
    /// What the signature covers: at least `host`, and every `x-amz-*` header that is sent.
    pub headers: SignedHeaders<'a>,
    /// The hash of the whole body.
    pub payload: &'a PayloadHash,
    /// How the service reads the path.
    pub options: SigningOptions,
}

impl<'a> CanonicalRequest<'a> {
    /// Its SHA-256. The text is never put together: its pieces go into the hash as they are found.
    pub fn hash(&self) -> RequestHash {
        let mut hash = Sha256::new();
        self.write(&mut hash);
        RequestHash(hexadecimal(&hash.finalize().into()))
    }

    /// Its text, byte for byte as hashed, **session token included**: for tests and for comparing with AWS's answer to
    /// a signature mismatch. Never for a log.
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        self.write(&mut text);
        text
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
        sink.put(self.payload.as_bytes());
    }
}

/// Without the headers and the query, which may hold credentials.
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
        as_text(&self.0)
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
    fn debug_output_shows_no_credential() {
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
        }
    }
}
