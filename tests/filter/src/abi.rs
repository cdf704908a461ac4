//! The numbers and the pair format of proxy-wasm ABI 0.2.1, as in Envoy's proxy-wasm-cpp-host.

/// The result of a host function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Status {
    /// Success.
    Ok = 0,
    /// No such header, key, property or metric.
    NotFound = 1,
    /// A kind out of range, or a map that does not exist in this phase.
    BadArgument = 2,
    /// A property that cannot be serialised.
    SerializationFailure = 3,
    /// A pointer outside the linear memory, or an allocator that returned null.
    InvalidMemoryAccess = 6,
    /// The shared data has changed since it was read.
    CasMismatch = 8,
    /// The host failed, or the capability is restricted.
    InternalFailure = 10,
    /// Envoy does not implement the function for this argument.
    Unimplemented = 12,
}

/// Header maps that the ABI numbers 0 to 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MapKind {
    Request,
    RequestTrailers,
    Response,
    ResponseTrailers,
    /// The headers of the answer to a call.
    Answer,
    /// Metadata of gRPC calls, and the trailers of an answer, which the filter does not read.
    Other,
}

impl MapKind {
    pub(crate) fn from_word(word: u32) -> Result<MapKind, Status> {
        Ok(match word {
            0 => MapKind::Request,
            1 => MapKind::RequestTrailers,
            2 => MapKind::Response,
            3 => MapKind::ResponseTrailers,
            6 => MapKind::Answer,
            4 | 5 | 7 => MapKind::Other,
            _ => return Err(Status::BadArgument),
        })
    }
}

/// The highest buffer kind.
pub(crate) const BUFFER_KIND_MAX: u32 = 8;

/// The longest pair block that the host reads.
const PAIRS_MAX_BYTES: usize = 1024 * 1024;
/// The most pairs in a block.
const PAIRS_MAX_COUNT: u32 = 1024;

/// Names and values, in order.
pub type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// A pair block: the count, all lengths, then each name and value followed by NUL. No pairs make an
/// empty block.
pub fn encode_pairs(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    if pairs.is_empty() {
        return Vec::new();
    }
    let mut block = (pairs.len() as u32).to_le_bytes().to_vec();
    for (name, value) in pairs {
        block.extend((name.len() as u32).to_le_bytes());
        block.extend((value.len() as u32).to_le_bytes());
    }
    for (name, value) in pairs {
        block.extend_from_slice(name);
        block.push(0);
        block.extend_from_slice(value);
        block.push(0);
    }
    block
}

/// Reads a pair block. As in Envoy, a malformed or oversized block reads as an empty one.
pub fn decode_pairs(block: &[u8]) -> Pairs {
    strict_pairs(block).unwrap_or_default()
}

fn strict_pairs(block: &[u8]) -> Option<Pairs> {
    if block.len() > PAIRS_MAX_BYTES {
        return None;
    }
    let (count, mut lengths) = word(block)?;
    if count > PAIRS_MAX_COUNT {
        return None;
    }
    let mut texts = lengths.get(count as usize * 8..)?;
    let mut pairs = Pairs::new();
    for _ in 0..count {
        let (name, rest) = word(lengths)?;
        let (value, rest) = word(rest)?;
        lengths = rest;
        pairs.push((text(&mut texts, name)?, text(&mut texts, value)?));
    }
    texts.is_empty().then_some(pairs)
}

fn word(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*word), rest))
}

fn text(texts: &mut &[u8], length: u32) -> Option<Vec<u8>> {
    let (text, rest) = texts.split_at_checked(length as usize)?;
    let (end, rest) = rest.split_first()?;
    *texts = rest;
    (*end == 0).then(|| text.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Pairs {
        vec![(b"a".to_vec(), b"1".to_vec()), (b"bc".to_vec(), Vec::new())]
    }

    #[test]
    fn pairs_survive_the_round_trip() {
        assert_eq!(decode_pairs(&encode_pairs(&sample())), sample());
        assert_eq!(decode_pairs(&encode_pairs(&[])), Pairs::new());
    }

    #[test]
    fn a_truncated_pair_block_and_one_with_trailing_bytes_read_as_empty() {
        let block = encode_pairs(&sample());
        for cut in 0..block.len() {
            assert!(decode_pairs(&block[..cut]).is_empty(), "cut at {cut}");
        }
        assert!(decode_pairs(&[block, vec![0]].concat()).is_empty());
    }

    #[test]
    fn more_than_1024_pairs_or_a_mebibyte_read_as_empty() {
        let many = |count| vec![(b"n".to_vec(), b"v".to_vec()); count];
        assert_eq!(decode_pairs(&encode_pairs(&many(1024))).len(), 1024);
        assert!(decode_pairs(&encode_pairs(&many(1025))).is_empty());
        let long = |length| vec![(Vec::new(), vec![b'v'; length])];
        assert_eq!(decode_pairs(&encode_pairs(&long(PAIRS_MAX_BYTES - 14))).len(), 1);
        assert!(decode_pairs(&encode_pairs(&long(PAIRS_MAX_BYTES - 13))).is_empty());
    }
}
