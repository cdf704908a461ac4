//! Hexadecimal digits, written without allocating.

/// The 64 lower-case digits of a SHA-256 or HMAC-SHA256 digest.
pub(crate) fn encode_digest(digest: &[u8; 32]) -> [u8; 64] {
    let mut digits = [b'0'; 64];
    // Fails only if the lengths do not match.
    _ = hex::encode_to_slice(digest, &mut digits);
    digits
}

/// The digits from [`encode_digest`] as a string.
pub(crate) fn as_str(digits: &[u8; 64]) -> &str {
    std::str::from_utf8(digits).unwrap_or_default()
}

/// Appends the 16 lower-case digits of `number`.
pub(crate) fn push_u64(text: &mut String, number: u64) {
    let mut digits = [b'0'; 16];
    _ = hex::encode_to_slice(number.to_be_bytes(), &mut digits);
    text.push_str(std::str::from_utf8(&digits).unwrap_or_default());
}

/// The two upper-case digits of `byte`.
pub(crate) fn upper_digits(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 15].map(|nibble| {
        b"0123456789ABCDEF"
            .get(usize::from(nibble))
            .copied()
            .unwrap_or(b'0')
    })
}

/// The byte that two digits of either case stand for.
pub(crate) fn decode_byte(high: u8, low: u8) -> Option<u8> {
    let value = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(value(high)? << 4 | value(low)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn digits_match_the_standard_library(digest: [u8; 32], number: u64, byte: u8) {
            let mut text = String::new();
            push_u64(&mut text, number);
            prop_assert_eq!(text, format!("{number:016x}"));
            let expected: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            let digits = encode_digest(&digest);
            prop_assert_eq!(as_str(&digits), expected);
            let upper = upper_digits(byte);
            prop_assert_eq!(std::str::from_utf8(&upper).unwrap(), format!("{byte:02X}"));
            for [high, low] in [upper, upper.map(|digit| digit.to_ascii_lowercase())] {
                prop_assert_eq!(decode_byte(high, low), Some(byte));
            }
        }
    }

    #[test]
    fn other_characters_are_not_digits() {
        for [high, low] in [*b"g0", *b"0G", *b"+1", *b" 1", *b"\xff0"] {
            assert_eq!(decode_byte(high, low), None);
        }
    }
}
