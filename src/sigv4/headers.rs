//! The canonical headers and the list of signed headers.

use std::fmt;

use crate::sigv4::sink::ByteSink;

/// A header to sign, as sent.
#[derive(Clone, Copy)]
pub struct SignedHeader<'a> {
    name: &'a str,
    value: &'a [u8],
}

impl<'a> SignedHeader<'a> {
    /// The name may be in any case, and the value may be any bytes.
    pub const fn new(name: &'a str, value: &'a [u8]) -> Self {
        Self { name, value }
    }

    fn has_name_of(&self, other: &Self) -> bool {
        self.name.eq_ignore_ascii_case(other.name)
    }
}

/// Omits the value, which may be a credential.
impl fmt::Debug for SignedHeader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: [redacted]", self.name)
    }
}

/// The headers that a signature covers, sorted by lower-case name.
#[derive(Clone, Copy, Debug)]
pub struct SignedHeaders<'a>(&'a [SignedHeader<'a>]);

impl<'a> SignedHeaders<'a> {
    /// Sorts `headers` in place. Headers with the same name keep the order in which they are sent.
    pub fn sort(headers: &'a mut [SignedHeader<'a>]) -> Self {
        headers.sort_by(|left, right| lowered(left.name).cmp(lowered(right.name)));
        Self(headers)
    }

    /// Passes the `;`-separated list of lower-case names to `piece`, piece by piece.
    pub(super) fn each_name_piece(&self, mut piece: impl FnMut(&str)) {
        for (index, same_name) in self.groups().enumerate() {
            if index > 0 {
                piece(";");
            }
            if let Some(header) = same_name.first() {
                each_lowered_piece(header.name, &mut piece);
            }
        }
    }

    /// Writes one line per name: `name:value,value`.
    pub(super) fn write(&self, sink: &mut impl ByteSink) {
        for same_name in self.groups() {
            for (index, header) in same_name.iter().enumerate() {
                if index == 0 {
                    each_lowered_piece(header.name, &mut |piece| sink.put(piece.as_bytes()));
                }
                sink.put(if index == 0 { b":" } else { b"," });
                write_value(header.value, sink);
            }
            sink.put(b"\n");
        }
    }

    fn groups(&self) -> impl Iterator<Item = &'a [SignedHeader<'a>]> {
        self.0.chunk_by(SignedHeader::has_name_of)
    }
}

fn lowered(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().map(|byte| byte.to_ascii_lowercase())
}

/// Passes `name` in lower case to `piece`: in one piece if it already is, as always in HTTP/2.
fn each_lowered_piece(name: &str, piece: &mut impl FnMut(&str)) {
    if !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return piece(name);
    }
    for character in name.chars() {
        piece(character.to_ascii_lowercase().encode_utf8(&mut [0; 4]));
    }
}

/// Writes `value`, trimmed and with runs of spaces merged.
fn write_value(value: &[u8], sink: &mut impl ByteSink) {
    // Dates, hosts and session tokens have no spaces, and a search for a single byte is fast.
    if !value.contains(&b' ') {
        return sink.put(value);
    }
    let words = value.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    for (index, word) in words.enumerate() {
        if index > 0 {
            sink.put(b" ");
        }
        sink.put(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(headers: &mut [SignedHeader<'_>]) -> (Vec<u8>, String) {
        let headers: Vec<SignedHeader<'_>> = headers.to_vec();
        let mut sorted = headers.clone();
        let signed = SignedHeaders::sort(&mut sorted);
        let (mut lines, mut names) = (Vec::new(), String::new());
        signed.write(&mut lines);
        signed.each_name_piece(|piece| names.push_str(piece));
        (lines, names)
    }

    #[test]
    fn names_are_lowercased_and_sorted_and_values_joined() {
        let (lines, names) = canonical(&mut [
            SignedHeader::new("X-Amz-Date", b"20150830T123600Z"),
            SignedHeader::new("My-Header", b"  b   c "),
            SignedHeader::new("Host", b"example.com"),
            SignedHeader::new("my-header", b"a"),
            SignedHeader::new("MY-HEADER", b"   "),
        ]);
        assert_eq!(
            String::from_utf8(lines).unwrap(),
            "host:example.com\nmy-header:b c,a,\nx-amz-date:20150830T123600Z\n"
        );
        assert_eq!(names, "host;my-header;x-amz-date");
    }

    #[test]
    fn bytes_that_are_not_ascii_are_signed_unchanged() {
        let (lines, names) = canonical(&mut [SignedHeader::new("é-É", b"\xff \xfe\0\t")]);
        assert_eq!(lines, b"\xc3\xa9-\xc3\x89:\xff \xfe\0\t\n");
        assert_eq!(names, "é-É");
    }

    #[test]
    fn no_headers_produce_no_output() {
        assert_eq!(canonical(&mut []), (Vec::new(), String::new()));
    }

    #[test]
    fn debug_output_omits_values() {
        let mut headers = [
            SignedHeader::new("Host", b"example.com"),
            SignedHeader::new("X-Amz-Security-Token", b"AQoDYXdz"),
            SignedHeader::new("x-api-key", b"sk-1234"),
        ];
        let debug = format!("{:?}", SignedHeaders::sort(&mut headers));
        assert!(
            !debug.contains("AQoDYXdz") && !debug.contains("sk-1234"),
            "{debug}"
        );
    }
}
