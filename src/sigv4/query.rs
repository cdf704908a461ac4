//! The canonical query string. The gateway sends none upstream, but a signature to verify may cover
//! one.

use crate::encoding::percent;
use crate::sigv4::sink::ByteSink;

/// Writes the canonical form of `query`, which is as sent, without `?`: its pairs are decoded,
/// encoded again and sorted.
///
/// As in AWS's own signers, `+` is a space, `a` means `a=`, empty pairs are dropped, and a `%`
/// without two hexadecimal digits stands for itself. Allocates unless the query is empty.
pub(super) fn write_query(query: &[u8], sink: &mut impl ByteSink) {
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = query
        .split(|&byte| byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(canonical_pair)
        .collect();
    pairs.sort();
    for (index, (name, value)) in pairs.iter().enumerate() {
        if index > 0 {
            sink.put(b"&");
        }
        sink.put(name);
        sink.put(b"=");
        sink.put(value);
    }
}

fn canonical_pair(pair: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut halves = pair.splitn(2, |&byte| byte == b'=');
    (
        recoded(halves.next().unwrap_or_default()),
        recoded(halves.next().unwrap_or_default()),
    )
}

fn recoded(text: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(text.len());
    percent::encode(
        &decoded(text),
        |_| false,
        |piece| encoded.extend_from_slice(piece),
    );
    encoded
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let (byte, after) = match byte {
            b'+' => (b' ', after),
            b'%' => percent::take_escaped(after).unwrap_or((b'%', after)),
            _ => (byte, after),
        };
        decoded.push(byte);
        rest = after;
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(query: &[u8]) -> String {
        let mut sink = Vec::new();
        write_query(query, &mut sink);
        String::from_utf8(sink).unwrap()
    }

    #[test]
    fn pairs_are_sorted_and_encoded_once() {
        for (query, expected) in [
            ("", ""),
            ("x", "x="),
            ("&&", ""),
            ("=", "="),
            ("b=2&a=1&a=0&A=9", "A=9&a=0&a=1&b=2"),
            ("a=b=c", "a=b%3Dc"),
            ("p=a+b%20c", "p=a%20b%20c"),
            ("p=%3a%3A:", "p=%3A%3A%3A"),
            ("p=%zz%4", "p=%25zz%254"),
            ("p=%", "p=%25"),
        ] {
            assert_eq!(canonical(query.as_bytes()), expected, "{query:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_encoded_unchanged() {
        assert_eq!(canonical(b"p=\xff%fe\0"), "p=%FF%FE%00");
    }
}
