//! The credential scope and the string to sign.

use std::fmt;

/// The algorithm, as named in the string to sign and the `authorization` header.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

use crate::sigv4::canonical::RequestHash;
use crate::sigv4::sink::ByteSink;
use crate::time::AmzDate;

/// The signing name of Bedrock's endpoints.
pub const BEDROCK: &str = "bedrock";

/// The credential scope, such as `20261122/us-west-2/bedrock/aws4_request`.
///
/// It holds the full timestamp, so that its day always matches the date in the string to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'a> {
    /// The time of the request, as sent in `x-amz-date`.
    pub date: AmzDate,
    /// The region of the endpoint.
    pub region: &'a str,
    /// The signing name of the service: [`BEDROCK`].
    pub service: &'a str,
}

impl Scope<'_> {
    /// Passes the text to `piece`, piece by piece.
    pub(super) fn each_piece(&self, mut piece: impl FnMut(&str)) {
        piece(self.date.day().as_str());
        piece("/");
        piece(self.region);
        piece("/");
        piece(self.service);
        piece("/");
        piece(TERMINATION);
    }
}

impl fmt::Display for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut result = Ok(());
        self.each_piece(|piece| result = result.and_then(|()| f.write_str(piece)));
        result
    }
}

/// The last part of every scope, and the last input to the derivation of a signing key.
pub(super) const TERMINATION: &str = "aws4_request";

/// The string to sign. It holds no secret.
#[derive(Clone, Copy, Debug)]
pub struct StringToSign<'a> {
    /// The credential scope.
    pub scope: &'a Scope<'a>,
    /// The hash of the canonical request.
    pub request: &'a RequestHash,
}

impl StringToSign<'_> {
    pub(super) fn write(&self, sink: &mut impl ByteSink) {
        sink.put(ALGORITHM.as_bytes());
        sink.put(b"\n");
        sink.put(self.scope.date.as_bytes());
        sink.put(b"\n");
        self.scope.each_piece(|piece| sink.put(piece.as_bytes()));
        sink.put(b"\n");
        sink.put(self.request.as_bytes());
    }
}

impl fmt::Display for StringToSign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        self.write(&mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}
