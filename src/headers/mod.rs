//! Request headers as the host hands them over, and which of the client's reach Bedrock.
//!
//! Names are lower-case (both of Envoy's codecs see to that); values are bytes and need not be UTF-8. A repeated
//! header is several pairs.

pub mod pairs;

/// A header's name and value.
pub type HeaderPair<'a> = (&'a [u8], &'a [u8]);

/// The headers of one request, pseudo-headers included, in the order of their arrival.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a>(pub &'a [HeaderPair<'a>]);

impl<'a> Headers<'a> {
    /// Every value of a header.
    pub fn all(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter(move |(found, _)| *found == name.as_bytes())
            .map(|(_, value)| *value)
    }

    /// The only value of a header.
    ///
    /// # Errors
    /// [`Repeated`] when there are several: which of them counts would be a guess, and the next hop's may differ.
    pub fn only(self, name: &str) -> Result<Option<&'a [u8]>, Repeated> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() {
            Err(Repeated)
        } else {
            Ok(first)
        }
    }

    /// The length of the body as the client declares it, if it does. Only good for deciding early: what arrives is counted.
    pub fn content_length(self) -> Option<u64> {
        let digits = std::str::from_utf8(self.all("content-length").next()?).ok()?;
        digits.parse().ok()
    }
}

/// A header that may occur once occurs several times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated;

/// Headers of the client that Bedrock may see. All others stay here: credentials above all, and whatever another
/// signature was made over (`x-amz-*`, `amz-sdk-*`), which AWS would refuse beside ours.
const FORWARDED: [&str; 6] = [
    "content-type",
    "accept",
    "user-agent",
    "x-amzn-trace-id",
    "traceparent",
    "tracestate",
];

/// Bedrock's own request headers: guardrail, trace, performance, service tier, metadata (aws.md §1).
const FORWARDED_PREFIX: &str = "x-amzn-bedrock-";

/// Whether a header of the client reaches Bedrock.
pub fn is_forwarded(name: &[u8]) -> bool {
    FORWARDED.iter().any(|forwarded| forwarded.as_bytes() == name)
        || name.starts_with(FORWARDED_PREFIX.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_header_has_no_only_value() {
        let headers = [(&b"a"[..], &b"1"[..]), (b"b", b"2"), (b"a", b"3")];
        assert_eq!(Headers(&headers).only("a"), Err(Repeated));
        assert_eq!(Headers(&headers).only("b"), Ok(Some(&b"2"[..])));
        assert_eq!(Headers(&headers).only("c"), Ok(None));
    }

    #[test]
    fn a_declared_length_is_a_number_or_none() {
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
    fn bedrock_sees_the_headers_of_the_allow_list_only() {
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
