//! The canonical URI, computed from the path.

use crate::encoding::percent;
use crate::sigv4::sink::ByteSink;

/// How often the canonical URI is percent-encoded, including the encoding of the path on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UriEncoding {
    /// The path as sent (S3).
    Once,
    /// The path as sent, encoded again: `%3A` becomes `%253A` (every other service).
    Twice,
}

/// Whether dot segments and empty segments are resolved before the path is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathNormalization {
    /// The path as sent: for S3, and for callers that never send such segments.
    AsSent,
    /// Dot segments are removed (RFC 3986) and runs of slashes merged.
    Resolved,
}

/// Writes the canonical URI of `path`, which is as sent, without the query. An empty path becomes
/// `/`.
pub(super) fn write_uri(
    path: &[u8],
    normalization: PathNormalization,
    encoding: UriEncoding,
    sink: &mut impl ByteSink,
) {
    match normalization {
        _ if path.is_empty() => sink.put(b"/"),
        PathNormalization::AsSent => write_encoded(path, encoding, sink),
        PathNormalization::Resolved => write_encoded(&resolved(path), encoding, sink),
    }
}

fn write_encoded(path: &[u8], encoding: UriEncoding, sink: &mut impl ByteSink) {
    match encoding {
        UriEncoding::Once => sink.put(path),
        UriEncoding::Twice => percent::encode(path, |byte| byte == b'/', |piece| sink.put(piece)),
    }
}

/// Removes dot segments and empty segments. A trailing slash is kept; a leading one is added if
/// missing.
fn resolved(path: &[u8]) -> Vec<u8> {
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in path.split(|&byte| byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            named => segments.push(named),
        }
    }
    let is_directory = [b"/".as_slice(), b"/.", b"/.."]
        .iter()
        .any(|end| path.ends_with(end));
    let mut result = vec![b'/'];
    result.extend(segments.join(&b'/'));
    if is_directory && !segments.is_empty() {
        result.push(b'/');
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(path: &str, normalization: PathNormalization, encoding: UriEncoding) -> String {
        let mut sink = Vec::new();
        write_uri(path.as_bytes(), normalization, encoding, &mut sink);
        String::from_utf8(sink).unwrap()
    }

    #[test]
    fn the_path_for_bedrock_is_encoded_again() {
        for (wire, canonical) in [
            (
                "/model/anthropic.claude-3-5-sonnet-20240620-v1%3A0/converse",
                "/model/anthropic.claude-3-5-sonnet-20240620-v1%253A0/converse",
            ),
            (
                "/model/amazon.nova-lite-v1:0/converse",
                "/model/amazon.nova-lite-v1%3A0/converse",
            ),
            (
                "/model/amazon.nova-lite-v1%3a0/invoke",
                "/model/amazon.nova-lite-v1%253a0/invoke",
            ),
            (
                "/model/amazon.titan-text-express-v1/invoke",
                "/model/amazon.titan-text-express-v1/invoke",
            ),
            (
                "/model/arn%3Aaws%3Abedrock%3Aus-west-2%3A123456789012%3Ainference-profile%2Fus.meta.llama3-v1%3A0/\
                 converse-stream",
                "/model/arn%253Aaws%253Abedrock%253Aus-west-2%253A123456789012%253Ainference-profile%252F\
                 us.meta.llama3-v1%253A0/converse-stream",
            ),
            (
                "/model/arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc/converse",
                "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile/abc/converse",
            ),
        ] {
            assert_eq!(
                uri(wire, PathNormalization::AsSent, UriEncoding::Twice),
                canonical
            );
        }
    }

    #[test]
    fn only_unreserved_bytes_and_slashes_are_kept() {
        let every_byte: Vec<u8> = (0..=255).collect();
        let mut encoded = Vec::new();
        write_uri(
            &every_byte,
            PathNormalization::AsSent,
            UriEncoding::Twice,
            &mut encoded,
        );
        let kept = "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let expected: String = every_byte
            .iter()
            .map(|&b| {
                if kept.as_bytes().contains(&b) {
                    char::from(b).to_string()
                } else {
                    format!("%{b:02X}")
                }
            })
            .collect();
        assert_eq!(String::from_utf8(encoded).unwrap(), expected);
    }

    #[test]
    fn a_path_encoded_once_is_the_path_as_sent() {
        assert_eq!(
            uri("/a%3Ab:c//", PathNormalization::AsSent, UriEncoding::Once),
            "/a%3Ab:c//"
        );
    }

    #[test]
    fn resolving_removes_dot_segments_and_repeated_slashes() {
        for (path, expected) in [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("a", "/a"),
            ("/a/..", "/"),
            ("/..", "/"),
            ("/../../a", "/a"),
            ("/a/b/../c/./d//", "/a/c/d/"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/a/...", "/a/..."),
        ] {
            assert_eq!(
                uri(path, PathNormalization::Resolved, UriEncoding::Twice),
                expected,
                "{path:?}"
            );
        }
    }
}
