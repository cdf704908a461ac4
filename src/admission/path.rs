//! Paths: `[/bedrock]/model/{alias}/{operation}`, taken apart from the raw bytes of the request line.
//!
//! Envoy is told to leave paths alone, so this is where they are judged: exactly this grammar goes on, whatever a
//! later hop might make of anything else. The alias is percent-decoded once; it may hold slashes, raw or encoded.
//! Several slashes before `bedrock` or `model` count as one: some clients, the AWS SDK for JavaScript among them, put
//! `/model/…` after an endpoint that ends with a slash.

use crate::contract::operation::Operation;
use crate::encoding::percent;

/// Longest alias, in bytes after decoding: Bedrock's own bound of `modelId` (aws.md §1).
pub const ALIAS_MAX_BYTES: usize = 2048;

/// A path that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelPath {
    /// The model's name as the client wrote it, decoded.
    pub alias: String,
    /// What to do with it.
    pub operation: Operation,
}

/// Why a path leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// No operation of Bedrock's.
    UnknownOperation,
    /// A byte that no path may hold, or a `%` without two hexadecimal digits.
    BadByte,
    /// The alias is not UTF-8 after decoding, or holds a control character or a backslash.
    BadAlias,
    /// An empty, `.` or `..` segment, encoded or not.
    BadSegment,
    /// The alias is longer than [`ALIAS_MAX_BYTES`].
    TooLong,
}

/// Whether a path is one of those that need a key before anything is said about them.
pub fn is_guarded(path: &[u8]) -> bool {
    let path = with_one_slash(path);
    path.starts_with(b"/bedrock") || path.starts_with(b"/model")
}

/// Takes a raw `:path` apart. The query string is not looked at: it is never forwarded.
///
/// # Errors
/// [`PathError`] names what is wrong with it.
pub fn parse(path: &[u8]) -> Result<ModelPath, PathError> {
    let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
    let path = with_one_slash(path);
    let rest = path.strip_prefix(b"/bedrock").map_or(path, with_one_slash);
    let rest = rest.strip_prefix(b"/model/").ok_or(PathError::UnknownOperation)?;
    let slash = rest
        .iter()
        .rposition(|byte| *byte == b'/')
        .ok_or(PathError::UnknownOperation)?;
    let (alias, last) = rest.split_at_checked(slash).ok_or(PathError::UnknownOperation)?;
    let last = last.strip_prefix(b"/").unwrap_or(last);
    let operation = Operation::ALL
        .into_iter()
        .find(|operation| operation.segment().as_bytes() == last);
    Ok(ModelPath {
        alias: decode(alias)?,
        operation: operation.ok_or(PathError::UnknownOperation)?,
    })
}

/// `path` with the slashes that it starts with made one.
fn with_one_slash(path: &[u8]) -> &[u8] {
    let slashes = path.iter().take_while(|byte| **byte == b'/').count();
    path.get(slashes.saturating_sub(1)..).unwrap_or_default()
}

fn decode(raw: &[u8]) -> Result<String, PathError> {
    let alias = percent::decode(raw, |byte| is_path_byte(byte).then_some(byte)).ok_or(PathError::BadByte)?;
    if alias.len() > ALIAS_MAX_BYTES {
        return Err(PathError::TooLong);
    }
    let alias = String::from_utf8(alias).map_err(|_| PathError::BadAlias)?;
    if alias.contains(|c: char| c.is_control() || c == '\\') {
        return Err(PathError::BadAlias);
    }
    if alias.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        return Err(PathError::BadSegment);
    }
    Ok(alias)
}

/// RFC 3986 `pchar` and the slash.
const fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b'@' | b'/')
        || matches!(
            byte,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
        )
}

#[cfg(test)]
mod tests;
