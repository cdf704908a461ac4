//! Values that must not be seen, and how they are compared.

use std::fmt;
use std::hint::black_box;

/// A secret in memory: an access key's secret, a session token, an API key.
///
/// It has no `Display`, no serialisation and no `==`, and its `Debug` says nothing about it, not even its length. What
/// needs the value says so with [`expose`](Self::expose).
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes `value` in; the caller keeps no copy that it could print.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself: for a signature or a header, never for a message.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Whether two SHA-256 digests are equal, in a time that does not depend on where they differ.
///
/// It closes the timing side channel by which a forged digest could be found byte by byte.
pub fn equal_digests(left: &[u8; 32], right: &[u8; 32]) -> bool {
    // `black_box` keeps the optimiser from leaving the loop at the first difference.
    let difference = left
        .iter()
        .zip(right)
        .fold(0, |seen, (l, r)| black_box(seen | (l ^ r)));
    difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_nothing_about_a_secret() {
        let secret = Secret::new("wJalrXUtnFEMI");
        assert_eq!(format!("{secret:?}"), "[redacted]");
        assert_eq!(format!("{:#?}", Some(&secret)), "Some(\n    [redacted],\n)");
        assert_eq!(secret.expose(), "wJalrXUtnFEMI");
    }

    #[test]
    fn digests_differ_when_any_single_bit_does() {
        let digest: [u8; 32] = std::array::from_fn(|i| i as u8);
        assert!(equal_digests(&digest, &digest.clone()));
        for bit in 0..256 {
            let mut other = digest;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!equal_digests(&digest, &other), "bit {bit}");
        }
    }
}
