//! A request as the judge sees it.

use hyper::HeaderMap;

/// A request as it arrived, with nothing decoded.
#[derive(Debug)]
pub struct RawRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// Path and query, byte for byte.
    pub target: &'a str,
    /// Every header that was sent.
    pub headers: &'a HeaderMap,
    /// HTTP/2's `:authority`.
    pub authority: Option<&'a str>,
    /// Hex SHA-256 of the whole body.
    pub body_sha256: &'a str,
}
