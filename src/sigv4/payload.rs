//! The hash of a request body, computed while the body arrives.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::encoding::hex;

/// Hashes a body in chunks of any size.
#[derive(Clone, Default)]
pub struct PayloadHasher(Sha256);

impl PayloadHasher {
    /// Hashes the next chunk.
    pub fn update(&mut self, chunk: &[u8]) {
        self.0.update(chunk);
    }

    /// Returns the hash of all chunks.
    pub fn finish(self) -> PayloadHash {
        PayloadHash(hex::encode_digest(&self.0.finalize().into()))
    }
}

impl fmt::Debug for PayloadHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PayloadHasher")
    }
}

/// The SHA-256 of a body, as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PayloadHash([u8; 64]);

impl PayloadHash {
    /// The hash of a complete body.
    pub fn of(body: &[u8]) -> Self {
        Self(hex::encode_digest(&Sha256::digest(body).into()))
    }

    /// The digits, as sent in `x-amz-content-sha256`.
    pub fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// The digits as a string.
    pub fn as_str(&self) -> &str {
        hex::as_str(&self.0)
    }
}

impl fmt::Debug for PayloadHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_hashes_match() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(PayloadHasher::default().finish().as_str(), empty);
        assert_eq!(PayloadHash::of(b"abc").as_str(), abc);
    }

    #[test]
    fn every_split_of_a_body_has_the_same_hash() {
        // Three SHA-256 blocks and a remainder, so that every kind of boundary is crossed.
        let body: Vec<u8> = (0..=210).collect();
        let whole = PayloadHash::of(&body);
        for first in 0..=body.len() {
            for second in first..=body.len() {
                let mut hasher = PayloadHasher::default();
                for chunk in [&body[..first], &body[first..second], &body[second..]] {
                    hasher.update(chunk);
                }
                assert_eq!(hasher.finish(), whole, "split at {first} and {second}");
            }
        }
    }

    proptest! {
        #[test]
        fn random_chunks_have_the_hash_of_the_whole_body(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..40),
        ) {
            let mut hasher = PayloadHasher::default();
            chunks.iter().for_each(|chunk| hasher.update(chunk));
            prop_assert_eq!(hasher.finish(), PayloadHash::of(&chunks.concat()));
        }
    }
}
