//! The `authorization` header and the access key id within.

use std::fmt;

use crate::sigv4::canonical::CanonicalRequest;
use crate::sigv4::key::SigningKey;
use crate::sigv4::scope::{ALGORITHM, Scope, StringToSign};

/// Longest access key id in AWS: 128 characters.
const ACCESS_KEY_ID_MAX_BYTES: usize = 128;

/// Enough for usual region names, access key ids and signed headers, so that the string rarely
/// grows.
const CAPACITY_BYTES: usize = 288;

/// The public half of an access key. It consists of 1 to 128 ASCII letters, digits, `_` and `-`, so
/// it is safe in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKeyId(String);

impl AccessKeyId {
    /// Validates an access key id.
    ///
    /// # Errors
    /// If `value` is empty, too long or contains another character.
    pub fn new(value: impl Into<String>) -> Result<Self, InvalidAccessKeyId> {
        let value = value.into();
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if value.is_empty() {
            Err(InvalidAccessKeyId::Empty)
        } else if value.len() > ACCESS_KEY_ID_MAX_BYTES {
            Err(InvalidAccessKeyId::TooLong { bytes: value.len() })
        } else if let Some(offset) = value.bytes().position(|byte| !is_allowed(byte)) {
            Err(InvalidAccessKeyId::Character { offset })
        } else {
            Ok(Self(value))
        }
    }

    /// The access key id as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a string is not an access key id. The string is not included: it may be a secret access key
/// in the wrong field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidAccessKeyId {
    /// It is empty.
    Empty,
    /// It is longer than 128 bytes.
    TooLong {
        /// The length.
        bytes: usize,
    },
    /// It contains a character other than ASCII letters, digits, `_` and `-`.
    Character {
        /// The offset of the character, in bytes.
        offset: usize,
    },
}

impl fmt::Display for InvalidAccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected an access key id of 1 to 128 letters, digits, \"_\" and \"-\", but found ")?;
        match self {
            Self::Empty => f.write_str("nothing"),
            Self::TooLong { bytes } => write!(f, "{bytes} bytes"),
            Self::Character { offset } => write!(f, "another character at offset {offset}"),
        }
    }
}

impl std::error::Error for InvalidAccessKeyId {}

/// Returns the value of the `authorization` header that signs `request`.
///
/// `key` must be derived for `scope`, and `scope.date` sent as `x-amz-date`. The headers of
/// `request` must include `x-amz-date`, `host` and any session token. The only allocation is the
/// returned string.
pub fn authorize(
    key: &SigningKey,
    access_key_id: &AccessKeyId,
    scope: &Scope<'_>,
    request: &CanonicalRequest<'_>,
) -> String {
    let signature = key.sign(&StringToSign {
        scope,
        request: &request.hash(),
    });
    let mut header = String::with_capacity(CAPACITY_BYTES);
    header.push_str(ALGORITHM);
    header.push_str(" Credential=");
    header.push_str(access_key_id.as_str());
    header.push('/');
    scope.each_piece(|piece| header.push_str(piece));
    header.push_str(", SignedHeaders=");
    request.headers.each_name_piece(|piece| header.push_str(piece));
    header.push_str(", Signature=");
    signature.write_hexadecimal(&mut header);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_key_ids_are_validated() {
        assert_eq!(
            AccessKeyId::new("AKIAIOSFODNN7EXAMPLE").unwrap().as_str(),
            "AKIAIOSFODNN7EXAMPLE"
        );
        assert!(AccessKeyId::new("a".repeat(127)).is_ok());
        assert!(AccessKeyId::new("a".repeat(128)).is_ok());
        for (text, error, found) in [
            (String::new(), InvalidAccessKeyId::Empty, "nothing"),
            (
                "a".repeat(129),
                InvalidAccessKeyId::TooLong { bytes: 129 },
                "129 bytes",
            ),
            (
                "AK/ID".into(),
                InvalidAccessKeyId::Character { offset: 2 },
                "another character at offset 2",
            ),
            (
                "AKID\r\nx: y".into(),
                InvalidAccessKeyId::Character { offset: 4 },
                "another character at offset 4",
            ),
        ] {
            assert_eq!(AccessKeyId::new(text), Err(error));
            let message = format!(
                "expected an access key id of 1 to 128 letters, digits, \"_\" and \"-\", but found {found}"
            );
            assert_eq!(error.to_string(), message);
        }
    }
}
