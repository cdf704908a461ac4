//! Headers, and the selection of those that reach Bedrock or the client.
//!
//! Envoy's codecs make names lower-case. Values are bytes and may not be UTF-8. A repeated header
//! appears as several pairs.

mod added;
mod edit;
pub mod pairs;

pub use added::AddedHeaders;
pub use edit::HeaderEdit;
pub use pairs::HeaderPair;

use crate::contract::names::HEADER_PREFIX;

/// The headers of a request, including pseudo-headers, in the order of arrival.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a>(pub &'a [HeaderPair<'a>]);

impl<'a> Headers<'a> {
    /// All values of a header.
    pub fn all(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter(move |(found, _)| *found == name.as_bytes())
            .map(|(_, value)| *value)
    }

    /// The value of a header that may occur once.
    ///
    /// # Errors
    /// [`Repeated`] if there are several. The next hop might choose a different one.
    pub fn only(self, name: &str) -> Result<Option<&'a [u8]>, Repeated> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() {
            Err(Repeated)
        } else {
            Ok(first)
        }
    }

    /// The status of a response, if it has a valid one.
    pub fn status(self) -> Option<u16> {
        let status = self.all(":status").next()?;
        std::str::from_utf8(status).ok()?.parse().ok()
    }

    /// The declared length of the body, if any. It only serves to refuse a request early: the bytes
    /// that arrive are counted.
    pub fn content_length(self) -> Option<u64> {
        let digits = std::str::from_utf8(self.all("content-length").next()?).ok()?;
        digits.parse().ok()
    }
}

/// A header that may occur once is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated;

/// Client headers that are forwarded to Bedrock. All others are dropped, in particular credentials
/// and headers of the client's own signature (`x-amz-*`, `amz-sdk-*`), which AWS would reject
/// next to the gateway's.
const FORWARDED: [&str; 6] = [
    "content-type",
    "accept",
    "user-agent",
    "x-amzn-trace-id",
    "traceparent",
    "tracestate",
];

/// Bedrock's own request headers: guardrail, trace, performance, service tier and metadata.
const FORWARDED_PREFIX: &str = "x-amzn-bedrock-";

/// Prefix of LiteLLM's response headers, which the gateway adds.
pub(crate) const LITELLM_PREFIX: &str = "x-litellm-";

/// Whether an upstream must not send this response header or trailer: the router obeys the
/// gateway's own headers, and clients believe LiteLLM's.
pub(crate) fn is_reserved(name: &[u8]) -> bool {
    [HEADER_PREFIX, LITELLM_PREFIX]
        .iter()
        .any(|prefix| name.starts_with(prefix.as_bytes()))
}

/// Whether a client header is forwarded to Bedrock.
pub(crate) fn is_forwarded(name: &[u8]) -> bool {
    FORWARDED.iter().any(|forwarded| forwarded.as_bytes() == name)
        || name.starts_with(FORWARDED_PREFIX.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_header_is_an_error() {
        let headers = [(&b"a"[..], &b"1"[..]), (b"b", b"2"), (b"a", b"3")];
        assert_eq!(Headers(&headers).only("a"), Err(Repeated));
        assert_eq!(Headers(&headers).only("b"), Ok(Some(&b"2"[..])));
        assert_eq!(Headers(&headers).only("c"), Ok(None));
    }

    #[test]
    fn an_invalid_content_length_is_ignored() {
        for (value, expected) in [
            ("0", Some(0)),
            ("41943040", Some(41_943_040)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-1", None),
            ("1, 1", None),
            ("", None),
        ] {
            let headers = [(&b"content-length"[..], value.as_bytes())];
            assert_eq!(Headers(&headers).content_length(), expected, "{value}");
        }
        assert_eq!(Headers(&[]).content_length(), None);
    }

    #[test]
    fn only_the_gateways_own_response_headers_are_reserved() {
        for name in ["x-eb-", "x-eb-retry", "x-eb-anything", "x-litellm-call-id"] {
            assert!(is_reserved(name.as_bytes()), "{name}");
        }
        for name in ["x-eb", "x-litellm", "x-ebs-id", ":status", "x-amzn-requestid", ""] {
            assert!(!is_reserved(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn only_headers_on_the_allow_list_are_forwarded() {
        for name in FORWARDED
            .into_iter()
            .chain(["x-amzn-bedrock-trace", "x-amzn-bedrock-guardrailidentifier"])
        {
            assert!(is_forwarded(name.as_bytes()), "{name}");
        }
        for name in [
            "authorization",
            "cookie",
            "x-api-key",
            "x-litellm-api-key",
            "x-amz-date",
            "x-amz-security-token",
            "amz-sdk-request",
            "host",
            ":path",
            "expect",
            "te",
            "accept-encoding",
            "content-length",
            "forwarded",
            "x-forwarded-for",
            "x-eb-plan",
            "x-amzn-bedrock",
            "content-type2",
        ] {
            assert!(!is_forwarded(name.as_bytes()), "{name}");
        }
    }
}
