//! A small random number generator: splitmix64 (Steele, Lea, Flood 2014). Not for secrets.

use crate::encoding::hex;

/// A sequence of 64-bit values, determined by its seed.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Creates a generator. The shell seeds one per VM from the host's entropy.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next value.
    pub const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A version 4 UUID (RFC 9562), as unique as the seed.
    pub fn uuid(&mut self) -> String {
        let (high, low) = (self.draw(), self.draw());
        let version = (high & !0xF000) | 0x4000;
        let variant = (low & !(3 << 62)) | (2 << 62);
        let mut digits = String::with_capacity(32);
        hex::push_u64(&mut digits, version);
        hex::push_u64(&mut digits, variant);
        let mut uuid = String::with_capacity(36);
        for (index, digit) in digits.chars().enumerate() {
            if matches!(index, 8 | 12 | 16 | 20) {
                uuid.push('-');
            }
            uuid.push(digit);
        }
        uuid
    }

    /// A value below `bound`, or 0 if `bound` is 0. The bias is less than `bound` / 2^64.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw().checked_rem(bound).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_values_match_the_published_generator() {
        let mut random = Random::new(1_234_567);
        let values: Vec<u64> = (0..3).map(|_| random.draw()).collect();
        assert_eq!(
            values,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn a_uuid_has_its_version_and_variant() {
        let mut random = Random::new(7);
        for _ in 0..100 {
            let uuid = random.uuid();
            let parts: Vec<&str> = uuid.split('-').collect();
            assert_eq!(
                parts.iter().map(|part| part.len()).collect::<Vec<_>>(),
                [8, 4, 4, 4, 12],
                "{uuid}"
            );
            assert!(
                parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']),
                "{uuid}"
            );
        }
        assert_ne!(random.uuid(), random.uuid());
    }

    #[test]
    fn a_bound_of_zero_yields_zero() {
        assert_eq!(Random::new(7).below(0), 0);
    }
}
