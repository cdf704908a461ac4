//! A streaming decoder for base64 (RFC 4648, standard alphabet).

/// A character is outside the alphabet or follows the padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotBase64;

/// A resumable decoder. Padding is optional.
#[derive(Clone, Debug, Default)]
pub(crate) struct Base64 {
    /// Bits that do not make up a byte yet.
    bits: u32,
    /// The number of characters these bits come from: 0 to 3.
    characters: u8,
    padding: bool,
}

impl Base64 {
    /// Maximum bytes per call of `output`.
    const BLOCK_BYTES: usize = 192;

    /// Decodes the next characters and passes the bytes to `output`, in pieces. On an error,
    /// `output` still receives what precedes it.
    pub(crate) fn push(&mut self, text: &[u8], mut output: impl FnMut(&[u8])) -> Result<(), NotBase64> {
        let mut block = [0; Self::BLOCK_BYTES];
        let mut rest = text;
        loop {
            if self.characters == 0 && !self.padding {
                let (decoded, after) = decode_groups(rest, &mut block);
                rest = after;
                if !decoded.is_empty() {
                    output(decoded);
                    continue;
                }
            }
            let Some((&character, after)) = rest.split_first() else {
                return Ok(());
            };
            rest = after;
            if let Some(byte) = self.character(character)? {
                output(&[byte]);
            }
        }
    }

    /// Decodes one character. Returns the byte that it completes, if any.
    fn character(&mut self, character: u8) -> Result<Option<u8>, NotBase64> {
        if character == b'=' {
            self.padding = true;
            return Ok(None);
        }
        let value = value(character);
        if value == OUTSIDE || self.padding {
            return Err(NotBase64);
        }
        self.bits = (self.bits << 6) | u32::from(value);
        self.characters = self.characters.saturating_add(1);
        let byte = match self.characters {
            2 => self.bits >> 4,
            3 => self.bits >> 2,
            4 => {
                self.characters = 0;
                self.bits
            }
            _ => return Ok(None),
        };
        let [.., byte] = byte.to_be_bytes();
        Ok(Some(byte))
    }
}

/// Decodes groups of four characters into `block`, up to the first that is incomplete or has another
/// character. Returns the bytes and the rest of `text`.
fn decode_groups<'a, 'b>(text: &'a [u8], block: &'b mut [u8]) -> (&'b [u8], &'a [u8]) {
    let (groups, _) = text.as_chunks::<4>();
    let (room, _) = block.as_chunks_mut::<3>();
    let mut count: usize = 0;
    for (group, bytes) in groups.iter().zip(room) {
        let [a, b, c, d] = group.map(value);
        if a | b | c | d == OUTSIDE {
            break;
        }
        let bits = (u32::from(a) << 18) | (u32::from(b) << 12) | (u32::from(c) << 6) | u32::from(d);
        let [_, decoded @ ..] = bits.to_be_bytes();
        *bytes = decoded;
        count = count.saturating_add(1);
    }
    let decoded = block.get(..count.saturating_mul(3)).unwrap_or_default();
    (decoded, text.get(count.saturating_mul(4)..).unwrap_or_default())
}

static VALUES: [u8; 256] = values();
const OUTSIDE: u8 = 0xFF;

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "runs in the compiler: a mistake fails the build"
)]
const fn values() -> [u8; 256] {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [OUTSIDE; 256];
    let mut value = 0;
    while value < 64 {
        values[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    values
}

/// The value of a character: 0 to 63, or [`OUTSIDE`].
fn value(character: u8) -> u8 {
    VALUES.get(usize::from(character)).copied().unwrap_or(OUTSIDE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode<'a>(pieces: impl IntoIterator<Item = &'a str>) -> Result<Vec<u8>, NotBase64> {
        let (mut decoder, mut bytes) = (Base64::default(), Vec::new());
        for piece in pieces {
            decoder.push(piece.as_bytes(), |decoded| bytes.extend_from_slice(decoded))?;
        }
        Ok(bytes)
    }

    #[test]
    fn the_vectors_of_the_rfc_are_decoded() {
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(decode([text]), Ok(bytes.as_bytes().to_vec()), "{text}");
        }
        assert_eq!(decode(["+/+/"]), Ok(vec![0xFB, 0xFF, 0xBF]));
    }

    #[test]
    fn invalid_base64_is_refused() {
        for text in ["Zg-_", "Z g", "Zg==Zg", "\u{e9}"] {
            assert_eq!(decode([text]), Err(NotBase64), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_round_trip_in_any_split(
            bytes in proptest::collection::vec(any::<u8>(), 0..600),
            cut in any::<prop::sample::Index>(),
        ) {
            let text = aws_smithy_types::base64::encode(&bytes);
            let (left, right) = text.split_at(cut.index(text.len() + 1));
            prop_assert_eq!(decode([left, right]), Ok(bytes));
        }
    }
}
