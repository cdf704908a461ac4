//! Numbers that look random but are the same in every run.

/// The finaliser of SplitMix64: similar inputs get very different outputs.
pub(crate) fn mix(value: u64) -> u64 {
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

/// A SplitMix64 generator, seeded with the digest of a request body.
pub(crate) struct SplitMix(u64);

impl SplitMix {
    pub(crate) fn from_digest(digest: &[u8; 32]) -> Self {
        let mut seed = [0; 8];
        seed.copy_from_slice(&digest[..8]);
        Self(u64::from_be_bytes(seed))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }
}
