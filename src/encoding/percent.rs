//! Percent-encoding (RFC 3986 §2.1).

use crate::encoding::hex;

/// Percent-encodes `bytes` except for RFC 3986's unreserved characters and those that
/// `also_unreserved` names. `output` receives the result piece by piece; nothing is allocated.
pub(crate) fn encode(bytes: &[u8], also_unreserved: impl Fn(u8) -> bool, mut output: impl FnMut(&[u8])) {
    let is_unreserved = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') || also_unreserved(byte)
    };
    let mut rest = bytes;
    while let Some(index) = rest.iter().position(|&byte| !is_unreserved(byte)) {
        let (unreserved, reserved) = rest.split_at(index);
        let Some((&byte, after)) = reserved.split_first() else {
            break;
        };
        output(unreserved);
        let [high, low] = hex::upper_digits(byte);
        output(&[b'%', high, low]);
        rest = after;
    }
    output(rest);
}

/// Percent-encodes a model id as one path segment, as AWS SDKs do: only unreserved characters are
/// left as they are.
pub fn encode_segment(id: &str) -> String {
    let mut encoded = String::with_capacity(id.len().saturating_add(16));
    encode(
        id.as_bytes(),
        |_| false,
        |piece| encoded.push_str(std::str::from_utf8(piece).unwrap_or_default()),
    );
    encoded
}

/// Decodes `raw`, passing each byte that is not percent-encoded through `plain`. Returns `None` if
/// `plain` rejects a byte or a `%` is not followed by two hexadecimal digits.
pub fn decode(raw: &[u8], plain: impl Fn(u8) -> Option<u8>) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, after)) = rest.split_first() {
        let (byte, after) = match byte {
            b'%' => take_escaped(after)?,
            byte => (plain(byte)?, after),
        };
        decoded.push(byte);
        rest = after;
    }
    Some(decoded)
}

/// Reads the two digits after a `%`. Returns the byte they stand for and what follows them.
pub(crate) fn take_escaped(digits: &[u8]) -> Option<(u8, &[u8])> {
    let (&[high, low], after) = digits.split_first_chunk()?;
    Some((hex::decode_byte(high, low)?, after))
}
