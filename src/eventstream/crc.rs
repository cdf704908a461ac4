//! CRC-32 as used by zlib, PNG and AWS's event streams (reflected polynomial 0xEDB88320).
//!
//! The checksum of every streamed byte is the decoder's main cost, so this reads eight bytes per
//! step without branches, using 8 KiB of tables.

const POLYNOMIAL: u32 = 0xEDB8_8320;
const STEP_BYTES: usize = 8;

/// `TABLES[k][b]`: the effect on the checksum of byte `b` when `k` bytes follow it in the same
/// step.
static TABLES: [[u32; 256]; STEP_BYTES] = tables();

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "runs in the compiler: a mistake fails the build"
)]
const fn tables() -> [[u32; 256]; STEP_BYTES] {
    let mut tables = [[0; 256]; STEP_BYTES];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                POLYNOMIAL ^ (value >> 1)
            } else {
                value >> 1
            };
            bit += 1;
        }
        tables[0][byte] = value;
        byte += 1;
    }
    let mut k = 1;
    while k < STEP_BYTES {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[k - 1][byte];
            tables[k][byte] = tables[0][(before & 0xFF) as usize] ^ (before >> 8);
            byte += 1;
        }
        k += 1;
    }
    tables
}

/// A checksum in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crc32(u32);

impl Default for Crc32 {
    fn default() -> Self {
        Self(!0)
    }
}

impl Crc32 {
    /// The checksum of `bytes`.
    pub(crate) fn of(bytes: &[u8]) -> u32 {
        let mut crc = Self::default();
        crc.update(bytes);
        crc.value()
    }

    /// Adds the next bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        let [t0, t1, t2, t3, t4, t5, t6, t7] = &TABLES;
        let (steps, rest) = bytes.as_chunks::<STEP_BYTES>();
        let mut crc = self.0;
        for &[a, b, c, d, e, f, g, h] in steps {
            let [a, b, c, d] = (crc ^ u32::from_le_bytes([a, b, c, d])).to_le_bytes();
            crc = entry(t7, a)
                ^ entry(t6, b)
                ^ entry(t5, c)
                ^ entry(t4, d)
                ^ entry(t3, e)
                ^ entry(t2, f)
                ^ entry(t1, g)
                ^ entry(t0, h);
        }
        for &byte in rest {
            let [low, ..] = crc.to_le_bytes();
            crc = entry(t0, low ^ byte) ^ (crc >> 8);
        }
        self.0 = crc;
    }

    /// The checksum of everything added so far.
    pub(super) fn value(self) -> u32 {
        !self.0
    }
}

/// Never out of bounds: a byte cannot exceed the table, so the compiler drops the check.
fn entry(table: &[u32; 256], byte: u8) -> u32 {
    table.get(usize::from(byte)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, bit by bit.
    fn bitwise(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| {
                (crc >> 1) ^ (POLYNOMIAL * (crc & 1))
            })
        })
    }

    #[test]
    fn known_checksums_match() {
        assert_eq!(Crc32::of(b""), 0);
        assert_eq!(Crc32::of(b"123456789"), 0xCBF4_3926); // the check value of the CRC catalogues
        assert_eq!(
            Crc32::of(b"The quick brown fox jumps over the lazy dog"),
            0x414F_A339
        );
        assert_eq!(Crc32::of(&[0; 32]), 0x190A_55AD);
        assert_eq!(Crc32::of(&[0xFF; 32]), 0xFF6C_AB0B);
    }

    proptest! {
        #[test]
        fn the_tables_match_the_definition_for_any_split(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            cut in any::<prop::sample::Index>(),
        ) {
            let (left, right) = bytes.split_at(cut.index(bytes.len() + 1));
            let mut crc = Crc32::default();
            crc.update(left);
            crc.update(right);
            prop_assert_eq!(crc.value(), bitwise(&bytes));
        }
    }
}
