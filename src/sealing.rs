//! Secrets inside the rendered configuration, readable only with a key from Envoy's environment.
//!
//! The environment of a process is fixed, so a secret that changes while Envoy runs has to come
//! with the configuration. It is encrypted as in a synthetic initialization vector (SIV, RFC 5297),
//! with HMAC-SHA256 as the only primitive: the vector is the MAC of the name and the secret, and
//! the keystream is the MAC of the vector and a counter. So the same input gives the same text,
//! which keeps rendering reproducible, and a text that was changed or moved to another name is
//! refused.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::secret::{Secret, equal_digests};

/// Variable of the Envoy process with the sealing key: 64 hexadecimal digits.
pub const SEALING_KEY: &str = "ENVOY_BEDROCK_SEALING_KEY";

const DIGEST_BYTES: usize = 32;

/// A key that seals and opens secrets.
#[derive(Clone)]
pub struct SealingKey {
    authentication: Hmac<Sha256>,
    keystream: Hmac<Sha256>,
}

impl SealingKey {
    /// Reads the 64 hexadecimal digits of a key.
    pub fn parse(digits: &str) -> Option<Self> {
        let mut key = [0; DIGEST_BYTES];
        hex::decode_to_slice(digits.trim(), &mut key).ok()?;
        let derive = |purpose: &[u8]| keyed(&mac(&keyed(&key), &[purpose]));
        Some(Self {
            authentication: derive(b"authentication"),
            keystream: derive(b"keystream"),
        })
    }

    /// Seals the secret called `name`, as hexadecimal digits. Reveals the length of the secret, and
    /// whether it is equal to an earlier one of the same name.
    pub fn seal(&self, name: &str, secret: &Secret) -> String {
        let mut text = secret.expose().as_bytes().to_vec();
        let vector = self.vector(name, &text);
        self.encrypt(&vector, &mut text);
        hex::encode([&vector[..], &text].concat())
    }

    /// Opens what [`seal`](Self::seal) returned for `name` under this key. Anything else is `None`.
    pub fn open(&self, name: &str, sealed: &str) -> Option<Secret> {
        let bytes = hex::decode(sealed).ok()?;
        let (vector, text) = bytes.split_first_chunk::<DIGEST_BYTES>()?;
        let mut text = text.to_vec();
        self.encrypt(vector, &mut text);
        if !equal_digests(vector, &self.vector(name, &text)) {
            return None;
        }
        String::from_utf8(text).ok().map(Secret::new)
    }

    fn vector(&self, name: &str, text: &[u8]) -> [u8; DIGEST_BYTES] {
        // The length separates the name from the secret.
        let length = u64::try_from(name.len()).unwrap_or(u64::MAX).to_be_bytes();
        mac(&self.authentication, &[&length, name.as_bytes(), text])
    }

    /// Encrypts, or decrypts, `text` in place.
    fn encrypt(&self, vector: &[u8; DIGEST_BYTES], text: &mut [u8]) {
        for (counter, block) in (0u64..).zip(text.chunks_mut(DIGEST_BYTES)) {
            let stream = mac(&self.keystream, &[vector, &counter.to_be_bytes()]);
            block
                .iter_mut()
                .zip(stream)
                .for_each(|(byte, mask)| *byte ^= mask);
        }
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey([redacted])")
    }
}

/// HMAC with a key of 32 bytes, padded to SHA-256's block.
fn keyed(key: &[u8; DIGEST_BYTES]) -> Hmac<Sha256> {
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(slot, byte)| *slot = *byte);
    Hmac::new(&block.into())
}

fn mac(keyed: &Hmac<Sha256>, parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
    let mut mac = keyed.clone();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(digit: &str) -> SealingKey {
        SealingKey::parse(&digit.repeat(64)).unwrap()
    }

    proptest! {
        #[test]
        fn a_sealed_secret_opens_under_its_name_and_key_only(name in ".{0,40}", secret in ".{0,200}") {
            let sealed = key("a").seal(&name, &Secret::new(&secret));
            prop_assert_eq!(&sealed, &key("a").seal(&name, &Secret::new(&secret)));
            let opened = key("a").open(&name, &sealed).unwrap();
            prop_assert_eq!(opened.expose(), &secret);
            prop_assert!(key("b").open(&name, &sealed).is_none());
            let other = name + "x";
            prop_assert!(key("a").open(&other, &sealed).is_none());
        }
    }

    #[test]
    fn a_changed_digit_is_refused_wherever_it_is() {
        let sealed = key("a").seal("NAME", &Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"));
        assert!(!sealed.contains(&hex::encode("wJalr")));
        for position in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[position] = if changed[position] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(key("a").open("NAME", &changed).is_none(), "{position}");
        }
        for wrong in ["", "00", &sealed[..63], &sealed[..64], &sealed[2..], "zz"] {
            assert!(key("a").open("NAME", wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_name_and_a_secret_cannot_trade_letters() {
        let sealed = key("a").seal("AB", &Secret::new("C"));
        assert_ne!(sealed[..64], key("a").seal("A", &Secret::new("BC"))[..64]);
    }

    #[test]
    fn a_key_has_64_hexadecimal_digits() {
        for (text, is_key) in [
            ("0".repeat(64), true),
            ("F".repeat(64) + "\n", true),
            ("0".repeat(63), false),
            ("0".repeat(65), false),
            ("g".repeat(64), false),
            (String::new(), false),
        ] {
            assert_eq!(SealingKey::parse(&text).is_some(), is_key, "{text}");
        }
    }
}
