//! Text encodings of bytes and numbers.

pub(crate) mod base64;
pub(crate) mod decimal;
pub(crate) mod hex;
pub mod percent;
