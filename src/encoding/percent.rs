//! Percent-encoding (RFC 3986 §2.1).

/// Decodes `raw`; `plain` says what a byte that is not encoded stands for, if it may stand there. `None` if one may not, or
/// a `%` has no two hexadecimal digits behind it.
pub fn decode(raw: &[u8], plain: impl Fn(u8) -> Option<u8>) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter();
    while let Some(&byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(|byte| char::from(*byte).to_digit(16));
                let (high, low) = (digit()?, digit()?);
                u8::try_from((high << 4) | low).ok()?
            }
            byte => plain(byte)?,
        });
    }
    Some(decoded)
}

/// Percent-encodes a model id as one path segment: everything outside the unreserved set, as AWS SDKs do.
pub fn encode_segment(id: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(id.len().saturating_add(16));
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for nibble in [byte >> 4, byte & 15] {
                encoded.push(char::from(HEX.get(usize::from(nibble)).copied().unwrap_or(b'0')));
            }
        }
    }
    encoded
}
