//! A request as it arrived.

use hyper::HeaderMap;

/// A request as it arrived, with nothing decoded.
#[derive(Debug)]
pub(crate) struct RawRequest<'a> {
    pub(crate) method: &'a str,
    /// Path and query, byte for byte.
    pub(crate) target: &'a str,
    /// All headers.
    pub(crate) headers: &'a HeaderMap,
    /// `:authority` of HTTP/2.
    pub(crate) authority: Option<&'a str>,
    /// Hex SHA-256 of the whole body.
    pub(crate) body_sha256: &'a str,
}
