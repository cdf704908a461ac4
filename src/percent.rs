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
