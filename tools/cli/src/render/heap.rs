//! The limit of Envoy's heap.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

const MEBIBYTE: u64 = 1024 * 1024;
/// An idle gateway uses 30 MiB, and a body of the default limit 32 MiB.
const MIN_BYTES: u64 = 64 * MEBIBYTE;
/// The units that a size can have, the longest name first.
const UNITS: [(&str, u64); 3] = [("KiB", 1024), ("MiB", MEBIBYTE), ("GiB", 1024 * MEBIBYTE)];

/// The memory that Envoy may allocate: all it needs except its binary, its stacks and the VMs of
/// the filter, which take 80 to 100 MiB more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeapLimit(u64);

impl HeapLimit {
    /// The default of `render`, which does not know the machine.
    pub const DEFAULT: Self = Self(2048 * MEBIBYTE);

    /// Four fifths of the memory that a gateway has: the rest is for what is not on the heap, and
    /// for what is allocated before an action of the overload manager takes effect.
    pub(crate) fn of_memory(bytes: u64) -> Self {
        Self((bytes / 5 * 4).max(MIN_BYTES))
    }

    pub(super) fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for HeapLimit {
    type Err = HeapLimitError;

    fn from_str(text: &str) -> Result<Self, HeapLimitError> {
        let wrong = || HeapLimitError(text.to_owned());
        let unit = UNITS
            .iter()
            .find_map(|(name, bytes)| Some((text.strip_suffix(name)?, *bytes)));
        let (digits, factor) = unit.unwrap_or((text, 1));
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = digits.parse().ok().filter(|_| is_number).ok_or_else(wrong)?;
        let bytes = number.checked_mul(factor).ok_or_else(wrong)?;
        (bytes >= MIN_BYTES).then_some(Self(bytes)).ok_or_else(wrong)
    }
}

/// As [`FromStr`] reads it, in the largest unit that divides it.
impl fmt::Display for HeapLimit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS
            .iter()
            .rev()
            .find(|(_, bytes)| self.0.is_multiple_of(*bytes))
        {
            Some((name, bytes)) => write!(out, "{}{name}", self.0 / bytes),
            None => write!(out, "{}", self.0),
        }
    }
}

/// Text that is not a limit of the heap.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("expected a size such as 512MiB or 2GiB, or a number of bytes, of at least 64MiB, but found '{0}'")]
pub struct HeapLimitError(String);

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Option<u64> {
        text.parse().ok().map(HeapLimit::bytes)
    }

    #[test]
    fn a_size_has_a_unit_or_is_in_bytes() {
        assert_eq!(bytes("512MiB"), Some(536_870_912));
        assert_eq!(bytes("2GiB"), Some(2_147_483_648));
        assert_eq!(bytes("131072KiB"), Some(134_217_728));
        assert_eq!(bytes("67108864"), Some(67_108_864));
        for text in ["512MiB", "2GiB", "67108865", "65537KiB"] {
            assert_eq!(text.parse::<HeapLimit>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn the_smallest_size_is_64_mebibytes() {
        assert_eq!(bytes("67108863"), None);
        assert_eq!(bytes("67108864"), Some(67_108_864));
        assert_eq!(bytes("67108865"), Some(67_108_865));
    }

    #[test]
    fn anything_else_is_refused_with_what_was_found() {
        for text in [
            "",
            "MiB",
            "2G",
            "2GB",
            "2 GiB",
            "2gib",
            "+2GiB",
            "-2GiB",
            "1.5GiB",
            "0",
            "18446744073709551616",
            "17179869184GiB",
        ] {
            let error = text.parse::<HeapLimit>().unwrap_err().to_string();
            assert!(error.ends_with(&format!("but found '{text}'")), "{text}: {error}");
        }
    }

    #[test]
    fn a_gateway_uses_four_fifths_of_its_memory() {
        assert_eq!(HeapLimit::of_memory(1_000_000_000).bytes(), 800_000_000);
        assert_eq!(HeapLimit::of_memory(1).bytes(), MIN_BYTES);
        assert_eq!(HeapLimit::of_memory(u64::MAX).bytes(), u64::MAX / 5 * 4);
    }
}
