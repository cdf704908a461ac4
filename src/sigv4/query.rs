//! The canonical query string. The gateway sends none upstream; a signature to verify may cover one.

use crate::sigv4::sink::ByteSink;
use crate::sigv4::uri::percent_encode;

/// Writes the canonical form of `query` (as on the wire, without `?`): pairs decoded, encoded once, and sorted.
///
/// As AWS's own signers read it, `+` is a space, `a` means `a=`, empty pairs are nothing, and a `%` without two
/// hexadecimal digits stands for itself. Allocates, unless the query is empty.
pub(super) fn write_query(query: &[u8], sink: &mut impl ByteSink) {
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = query
        .split(|&byte| byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(canonical_pair)
        .collect();
    pairs.sort();
    for (at, (name, value)) in pairs.iter().enumerate() {
        if at > 0 {
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
    percent_encode(&decoded(text), |_| false, &mut encoded);
    encoded
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let (byte, after) = match (byte, after) {
            (b'+', _) => (b' ', after),
            (b'%', [high, low, beyond @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, beyond),
                _ => (b'%', after),
            },
            _ => (byte, after),
        };
        decoded.push(byte);
        rest = after;
    }
    decoded
}

fn digit(character: u8) -> Option<u8> {
    char::from(character)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
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
    fn bytes_that_are_not_text_are_encoded_as_they_are() {
        assert_eq!(canonical(b"p=\xff%fe\0"), "p=%FF%FE%00");
    }
}
