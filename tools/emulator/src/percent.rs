//! Percent-decoding.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Decodes every `%XX` once. `None` if the result is not UTF-8, or for a broken escape such as
/// `%3`, which `percent_encoding` leaves as it is.
pub(crate) fn decode(text: &str) -> Option<String> {
    let is_escape = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.split('%').skip(1).all(is_escape) {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_once() {
        assert_eq!(decode("a%3A0%252F+%c3%a4"), Some("a:0%2F+\u{e4}".to_owned()));
    }

    #[test]
    fn broken_escapes_and_invalid_utf8_are_rejected() {
        for text in ["%", "%3", "%zz", "%%41", "a%+1", "%ff"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
