//! The credential scope, and the string to sign that carries it.

use std::fmt;

/// Name of the algorithm, in the string to sign and in the authorization header.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

use crate::sigv4::canonical::RequestHash;
use crate::sigv4::sink::ByteSink;
use crate::time::AmzDate;

/// Service name of every Bedrock endpoint's signatures.
pub const BEDROCK: &str = "bedrock";

/// Where and when a signature is good. Its text is `20261122/us-west-2/bedrock/aws4_request`.
///
/// It holds the whole date, so that the day of the scope cannot differ from the string to sign's date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'a> {
    /// The date of the request, as sent in `x-amz-date`.
    pub date: AmzDate,
    /// The region of the endpoint.
    pub region: &'a str,
    /// The service's signing name: [`BEDROCK`].
    pub service: &'a str,
}

impl Scope<'_> {
    /// Gives its text piece by piece.
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

/// The last part of every scope and the last link of the chain that derives a signing key.
pub(super) const TERMINATION: &str = "aws4_request";

/// What is signed. It holds no secret.
#[derive(Clone, Copy, Debug)]
pub struct StringToSign<'a> {
    /// Where and when.
    pub scope: &'a Scope<'a>,
    /// What.
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
