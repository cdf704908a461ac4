//! The canonical URI: the path, as the server computes it from what it received.

use crate::sigv4::sink::ByteSink;

/// How often the canonical URI has been percent-encoded, counting the encoding of the path on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UriEncoding {
    /// The path as it is on the wire (S3).
    Once,
    /// The path on the wire encoded once more, so that its `%3A` becomes `%253A` (every other service).
    Twice,
}

/// Whether dot segments and empty segments are resolved before the path is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathNormalization {
    /// The path as it is: for callers that never send such segments, and for S3.
    AsSent,
    /// RFC 3986's removal of dot segments, and runs of slashes made one.
    Resolved,
}

/// Writes the canonical URI of `path` (as on the wire, without its query). An empty path is `/`.
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
        UriEncoding::Twice => percent_encode(path, |byte| byte == b'/', sink),
    }
}

/// Writes `bytes` with everything as `%XX` except RFC 3986's unreserved characters and what `also_kept` names.
pub(super) fn percent_encode(bytes: &[u8], also_kept: impl Fn(u8) -> bool, sink: &mut impl ByteSink) {
    let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || also_kept(byte);
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|&byte| !is_kept(byte)) {
        let (kept, escaped) = rest.split_at(at);
        let Some((&byte, after)) = escaped.split_first() else {
            break;
        };
        sink.put(kept);
        sink.put(&[b'%', upper_digit(byte >> 4), upper_digit(byte & 15)]);
        rest = after;
    }
    sink.put(rest);
}

fn upper_digit(nibble: u8) -> u8 {
    b"0123456789ABCDEF"
        .get(usize::from(nibble))
        .copied()
        .unwrap_or(b'0')
}

/// `path` without dot segments and empty segments; the slash at its end is kept, and there is always one in front.
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
    fn what_bedrock_computes_is_the_wire_path_encoded_once_more() {
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
    fn only_unreserved_bytes_and_slashes_are_left_alone() {
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
    fn a_path_encoded_once_is_the_path_on_the_wire() {
        assert_eq!(
            uri("/a%3Ab:c//", PathNormalization::AsSent, UriEncoding::Once),
            "/a%3Ab:c//"
        );
    }

    #[test]
    fn resolving_removes_dots_and_doubled_slashes() {
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
