//! Header maps in the wire format of the proxy-wasm ABI. All numbers are little endian.
//!
//! ```text
//!  count u32 | count × (name length u32, value length u32) | count × (name, NUL, value, NUL)
//! ```

/// The name and value of a header.
pub type HeaderPair<'a> = (&'a [u8], &'a [u8]);

/// Parses a serialized header map, or returns `None` if it is malformed.
pub fn parse(bytes: &[u8]) -> Option<Vec<HeaderPair<'_>>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let (count, rest) = number(bytes)?;
    let (mut lengths, mut texts) = rest.split_at_checked(count.checked_mul(8)?)?;
    let mut pairs = Vec::with_capacity(count);
    while !lengths.is_empty() {
        let (name, value);
        (name, lengths) = number(lengths)?;
        (value, lengths) = number(lengths)?;
        let (name, after_name) = texts.split_at_checked(name)?;
        let (value, after_value) = after_name.strip_prefix(b"\0")?.split_at_checked(value)?;
        texts = after_value.strip_prefix(b"\0")?;
        pairs.push((name, value));
    }
    Some(pairs)
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*first)).ok()?, rest))
}

/// Serializes a header map. Lengths always fit `u32`, like linear memory.
pub fn serialize<'a>(pairs: impl Iterator<Item = HeaderPair<'a>> + Clone) -> Vec<u8> {
    let length = |text: &[u8]| u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes();
    let texts = |(name, value): HeaderPair<'_>| name.len().saturating_add(value.len()).saturating_add(10);
    let size = pairs.clone().map(texts).fold(4, usize::saturating_add);
    let mut bytes = Vec::with_capacity(size);
    bytes.extend(
        u32::try_from(pairs.clone().count())
            .unwrap_or(u32::MAX)
            .to_le_bytes(),
    );
    for (name, value) in pairs.clone() {
        bytes.extend(length(name));
        bytes.extend(length(value));
    }
    for (name, value) in pairs {
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.extend_from_slice(value);
        bytes.push(0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: [HeaderPair<'_>; 3] = [(b"a", b""), (b":path", b"/x"), (b"a", b"\xff\0")];

    #[test]
    fn a_map_round_trips() {
        let bytes = serialize(MAP.into_iter());
        assert_eq!(bytes.len(), bytes.capacity());
        assert_eq!(parse(&bytes).unwrap(), MAP);
        assert_eq!(parse(&serialize([].into_iter())).unwrap(), []);
        assert_eq!(parse(&[]).unwrap(), []);
    }

    #[test]
    fn a_truncated_map_is_malformed() {
        let bytes = serialize(MAP.into_iter());
        for end in 1..bytes.len() {
            assert_eq!(parse(&bytes[..end]), None, "{end}");
        }
    }

    #[test]
    fn excessive_counts_and_lengths_are_malformed() {
        let mut bytes = serialize(MAP.into_iter());
        for index in 0..4 {
            bytes[index] = 0xff;
            assert_eq!(parse(&bytes), None);
        }
        let mut bytes = serialize(MAP.into_iter());
        bytes[7] = 0xff;
        assert_eq!(parse(&bytes), None);
    }
}
