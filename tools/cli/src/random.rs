//! Random bytes from the operating system, for keys.

use std::fs::File;
use std::io::{self, Read};

/// As many random bytes as the caller needs.
pub(crate) fn bytes<const COUNT: usize>() -> io::Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
