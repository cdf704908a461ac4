//! Secrets in memory, and comparison in constant time.

use std::fmt;
use std::hint::black_box;

/// A secret access key, session token or API key.
///
/// It has no `Display`, no serialization and no `==`. `Debug` reveals nothing, not even the length.
/// Code that needs the value calls [`expose`](Self::expose).
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for a signature or a header. It must not appear in messages.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Whether two SHA-256 digests are equal, in constant time.
///
/// Otherwise, an attacker could find a valid digest byte by byte by timing the comparison.
pub fn equal_digests(left: &[u8; 32], right: &[u8; 32]) -> bool {
    // `black_box` keeps the optimizer from leaving the loop at the first difference.
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
    fn debug_output_redacts_a_secret() {
        let secret = Secret::new("wJalrXUtnFEMI");
        assert_eq!(format!("{secret:?}"), "[redacted]");
        assert_eq!(format!("{:#?}", Some(&secret)), "Some(\n    [redacted],\n)");
        assert_eq!(secret.expose(), "wJalrXUtnFEMI");
    }

    #[test]
    fn digests_differ_if_any_bit_differs() {
        let digest: [u8; 32] = std::array::from_fn(|i| i as u8);
        assert!(equal_digests(&digest, &digest.clone()));
        for bit in 0..256 {
            let mut other = digest;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!equal_digests(&digest, &other), "bit {bit}");
        }
    }
}
