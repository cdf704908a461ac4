//! How far a string is plain text, read many bytes at a time.

/// Number of bytes before the first quote, backslash or control character (below 0x20).
pub(crate) fn plain_length(bytes: &[u8]) -> usize {
    let (blocks, _) = bytes.as_chunks::<16>();
    let plain = blocks.iter().take_while(|block| !block_has_special(block));
    let mut length = plain.count().saturating_mul(16);
    let (words, tail) = bytes.get(length..).unwrap_or_default().as_chunks::<8>();
    for word in words {
        let before = plain_bytes(word);
        length = length.saturating_add(before);
        if before < 8 {
            return length;
        }
    }
    match bytes.last_chunk::<8>() {
        // The first bytes of the last word have been read before, and are plain.
        Some(word) if !tail.is_empty() => bytes.len().saturating_sub(8).saturating_add(plain_bytes(word)),
        Some(_) => length,
        None => bytes.iter().take_while(|&&byte| !is_special(byte)).count(),
    }
}

/// Number of characters in a piece of UTF-8, which may begin and end within one. Every byte but the
/// continuation bytes begins a character.
pub(crate) fn characters(piece: &[u8]) -> usize {
    let (words, tail) = piece.as_chunks::<8>();
    let mut continued = tail.iter().filter(|&&byte| byte & 0xC0 == 0x80).count();
    // Each byte of the sum counts for itself. 31 · 8 is the most that one byte holds in the end.
    for words in words.chunks(31) {
        let sum = words.iter().fold(0u64, |sum, word| {
            let word = u64::from_le_bytes(*word);
            sum.wrapping_add((word >> 7) & !(word >> 6) & ONES)
        });
        let [.., total] = sum.wrapping_mul(ONES).to_le_bytes();
        continued = continued.saturating_add(usize::from(total));
    }
    piece.len().saturating_sub(continued)
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

const fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

/// Without comparisons, so that it compiles to few vector instructions, also in WebAssembly.
fn block_has_special(block: &[u8; 16]) -> bool {
    // Zero for a special byte.
    let weight = |byte: u8| (byte ^ b'"').min(byte ^ b'\\').min(byte.saturating_sub(0x1F));
    block
        .iter()
        .fold(false, |found, &byte| found | (weight(byte) == 0))
}

/// Number of bytes before the first special one, in memory order: 0 to 8.
fn plain_bytes(bytes: &[u8; 8]) -> usize {
    let word = u64::from_le_bytes(*bytes);
    // Flags the bytes below the bound. Those after the first one may be flagged in error.
    let below = |word: u64, bound: u8| word.wrapping_sub(ONES.wrapping_mul(u64::from(bound))) & !word & HIGHS;
    let quote = word ^ ONES.wrapping_mul(u64::from(b'"'));
    let backslash = word ^ ONES.wrapping_mul(u64::from(b'\\'));
    let special = below(word, 0x20) | below(quote, 1) | below(backslash, 1);
    usize::try_from(special.trailing_zeros() >> 3).unwrap_or(8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one_by_one(bytes: &[u8]) -> (usize, usize) {
        let special = bytes.iter().position(|&byte| is_special(byte));
        let characters = bytes.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
        (special.unwrap_or(bytes.len()), characters)
    }

    #[test]
    fn every_byte_is_found_at_every_offset() {
        for byte in 0..=u8::MAX {
            for filler in [b'x', b' ', 0x7F, 0x80, 0xFF] {
                for offset in 0..40 {
                    let mut bytes = [filler; 40];
                    bytes[offset] = byte;
                    for end in offset..=40 {
                        let bytes = &bytes[..end];
                        assert_eq!(
                            (plain_length(bytes), characters(bytes)),
                            one_by_one(bytes),
                            "{bytes:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn long_runs_are_counted() {
        for length in [247, 248, 249, 255, 256, 257, 4096] {
            for byte in [b'x', 0x80, 0xBF, 0xC0] {
                let bytes = vec![byte; length];
                assert_eq!((plain_length(&bytes), characters(&bytes)), one_by_one(&bytes));
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_as_one_by_one(
            bytes in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..80),
                proptest::collection::vec(
                    prop::sample::select(vec![0, 0x1F, 0x20, 0x21, b'"', 0x23, b'[', b'\\', b']', 0x7F, 0x80, 0xA2, 0xDC, 0xFF]),
                    0..80,
                ),
                "[ -~é😀]{0,600}[\"\\\\\n]?.{0,30}".prop_map(String::into_bytes),
            ],
        ) {
            prop_assert_eq!((plain_length(&bytes), characters(&bytes)), one_by_one(&bytes));
        }
    }
}
