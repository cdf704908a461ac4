//! Keys as clients send them, and their hashes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::error::KeysError;
use crate::random;

/// What every key starts with, as in LiteLLM.
const PREFIX: &str = "sk-";

/// A new key: 192 random bits.
pub(super) fn generate() -> Result<String, KeysError> {
    let bytes = random::bytes::<24>().map_err(KeysError::NoRandomness)?;
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// The SHA-256 of a key, in hexadecimal digits.
pub(super) fn hash(key: &str) -> String {
    hex::encode(Sha256::digest(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_another_and_its_hash_is_that_of_litellm() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 35);
        // hashlib.sha256(b"sk-1234").hexdigest()
        let expected = "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b";
        assert_eq!(hash("sk-1234"), expected);
    }
}
