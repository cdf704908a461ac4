//! The signing key, derived from a secret for one scope, and the signatures it makes.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::encoding::hex;
use crate::secret::Secret;
use crate::sigv4::scope::{Scope, StringToSign, TERMINATION};

/// The block size of SHA-256, to which HMAC pads its keys.
const BLOCK_BYTES: usize = 64;

/// The key for one secret, day, region and service.
///
/// It is stored as the HMAC state after both pads have been hashed, so signing only copies it. It
/// is as sensitive as the secret for the rest of its day, and `Debug` redacts it.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// Derives the key: secret → day → region → service → `aws4_request`. This is twice as
    /// expensive as signing: cache the key in [`SigningKeys`](crate::sigv4::SigningKeys).
    pub fn derive(secret: &Secret, scope: &Scope<'_>) -> Self {
        let day = scope.date.day();
        let links = [day.as_str(), scope.region, scope.service, TERMINATION];
        let first = keyed(&[b"AWS4", secret.expose().as_bytes()]);
        Self(links.into_iter().fold(first, |mut mac, link| {
            mac.update(link.as_bytes());
            keyed(&[&mac.finalize().into_bytes()])
        }))
    }

    /// HMAC-SHA256 of `string`.
    pub fn sign(&self, string: &StringToSign<'_>) -> Signature {
        let mut mac = self.0.clone();
        string.write(&mut mac);
        Signature(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey([redacted])")
    }
}

/// HMAC with the concatenation of `parts` as its key. Unlike `Hmac::new_from_slice`, it cannot
/// fail: keys are padded to a block, and longer ones are hashed first.
fn keyed(parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut block = [0; BLOCK_BYTES];
    let fits = parts.iter().map(|part| part.len()).sum::<usize>() <= BLOCK_BYTES;
    if fits {
        block
            .iter_mut()
            .zip(parts.iter().copied().flatten())
            .for_each(|(slot, byte)| *slot = *byte);
    } else {
        let hash = parts
            .iter()
            .fold(Sha256::new(), |hash, part| hash.chain_update(part))
            .finalize();
        block.iter_mut().zip(hash).for_each(|(slot, byte)| *slot = byte);
    }
    Hmac::new(&block.into())
}

/// A signature. Compare signatures with [`equal_digests`](crate::secret::equal_digests), in
/// constant time.
#[derive(Clone, Copy)]
pub struct Signature([u8; 32]);

impl Signature {
    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Appends the 64 lower-case hexadecimal digits.
    pub fn write_hexadecimal(&self, text: &mut String) {
        text.push_str(hex::as_str(&hex::encode_digest(&self.0)));
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(hex::as_str(&hex::encode_digest(&self.0)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_around_the_block_size_match_hmac() {
        for length in [0, 1, 32, 63, 64, 65, 200] {
            let key = vec![b'k'; length];
            let theirs = Hmac::<Sha256>::new_from_slice(&key)
                .unwrap()
                .chain_update(b"x")
                .finalize();
            for cut in [0, length / 2, length] {
                let ours = keyed(&[&key[..cut], &key[cut..]]).chain_update(b"x").finalize();
                assert_eq!(
                    ours.into_bytes(),
                    theirs.clone().into_bytes(),
                    "{length} bytes split at {cut}"
                );
            }
        }
    }

    #[test]
    fn debug_output_redacts_the_key() {
        let date = crate::time::UnixTime::from_nanoseconds(0).amz_date();
        let scope = Scope {
            date,
            region: "us-east-1",
            service: "bedrock",
        };
        let key = SigningKey::derive(&Secret::new("secret"), &scope);
        assert_eq!(format!("{key:?}"), "SigningKey([redacted])");
    }

    proptest! {
        #[test]
        fn a_signature_is_written_in_hexadecimal(bytes: [u8; 32]) {
            let mut text = String::new();
            Signature(bytes).write_hexadecimal(&mut text);
            prop_assert_eq!(&text, &::hex::encode(bytes));
            prop_assert_eq!(format!("{:?}", Signature(bytes)), text);
        }
    }
}
