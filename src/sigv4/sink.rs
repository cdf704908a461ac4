//! Where the pieces of a canonical request go: into a hash as they come, or into text for people.

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// Takes bytes in order.
pub(super) trait ByteSink {
    /// Appends `bytes`.
    fn put(&mut self, bytes: &[u8]);
}

impl ByteSink for Sha256 {
    fn put(&mut self, bytes: &[u8]) {
        Digest::update(self, bytes);
    }
}

impl ByteSink for Hmac<Sha256> {
    fn put(&mut self, bytes: &[u8]) {
        Mac::update(self, bytes);
    }
}

impl ByteSink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A digest in lower-case hexadecimal, on the stack.
pub(super) fn hexadecimal(digest: &[u8; 32]) -> [u8; 64] {
    let mut text = [b'0'; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(digest) {
        pair.copy_from_slice(&[hexadecimal_digit(byte >> 4), hexadecimal_digit(byte & 15)]);
    }
    text
}

fn hexadecimal_digit(nibble: u8) -> u8 {
    b"0123456789abcdef"
        .get(usize::from(nibble))
        .copied()
        .unwrap_or(b'0')
}

/// `hexadecimal`'s output, which is ASCII by construction.
pub(super) fn as_text(hexadecimal: &[u8; 64]) -> &str {
    std::str::from_utf8(hexadecimal).unwrap_or_default()
}
