//! Text forms of bytes and numbers.

pub mod base64;
pub mod decimal;
pub mod percent;
