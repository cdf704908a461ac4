//! Random identifiers and secrets, in AWS's forms.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::config::KnownCredential;

const ID_LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const SECRET_BYTES: usize = 30;
/// Session tokens of AWS have up to about a thousand characters.
const TOKEN_BYTES: usize = 600;

/// A new temporary credential.
pub(crate) fn credential() -> KnownCredential {
    let letters = bytes(16)
        .into_iter()
        .map(|byte| char::from(ID_LETTERS[usize::from(byte % 32)]));
    KnownCredential {
        access_key_id: "ASIA".chars().chain(letters).collect(),
        secret_access_key: text(SECRET_BYTES),
        session_token: Some(format!("IQoJb3JpZ2luX2Vj{}", text(TOKEN_BYTES))),
    }
}

/// A token of 40 characters.
pub(crate) fn token() -> String {
    text(30)
}

/// A UUID of version 4.
pub(crate) fn request_id() -> String {
    let hex = hex::encode(bytes(16));
    format!(
        "{}-{}-4{}-a{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..]
    )
}

fn text(count: usize) -> String {
    STANDARD.encode(bytes(count))
}

/// Unpredictable enough for a test: the standard library's randomness, hashed.
fn bytes(count: usize) -> Vec<u8> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let mut out = Vec::with_capacity(count + 32);
    while out.len() < count {
        let mut block = Sha256::new();
        for _ in 0..4 {
            let number = COUNTER.fetch_add(1, Ordering::Relaxed);
            block.update(RandomState::new().hash_one(number).to_be_bytes());
            block.update(number.to_be_bytes());
        }
        out.extend(block.finalize());
    }
    out.truncate(count);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_have_the_lengths_of_aws_and_differ() {
        let (one, other) = (credential(), credential());
        assert_eq!((one.access_key_id.len(), one.secret_access_key.len()), (20, 40));
        assert!(one.session_token.as_ref().unwrap().len() > 800);
        assert_ne!(one.access_key_id, other.access_key_id);
        assert_ne!(one.secret_access_key, other.secret_access_key);
        assert_ne!(one.session_token, other.session_token);
        assert_eq!(request_id().len(), 36);
    }
}
