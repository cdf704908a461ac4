//! Parses request paths: `[/bedrock]/model/{alias}/{operation}`.
//!
//! Envoy is configured not to normalize paths, so they are validated here: only this grammar is
//! accepted. The alias is percent-decoded once and may contain slashes, plain or encoded. Repeated
//! slashes before `bedrock` or `model` count as one, because some clients, including the AWS SDK
//! for JavaScript, append `/model/…` to an endpoint that ends with a slash.

use crate::contract::operation::Operation;
use crate::encoding::percent;

/// Longest alias, in bytes after decoding: Bedrock's own limit for `modelId`.
pub const ALIAS_MAX_BYTES: usize = 2048;

/// A valid path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelPath {
    /// The model name from the path, decoded.
    pub alias: String,
    /// The operation.
    pub operation: Operation,
}

/// Why a path is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// The path is not that of a Bedrock operation.
    UnknownOperation,
    /// The path contains a byte that must be percent-encoded, or a `%` without two hexadecimal
    /// digits.
    BadByte,
    /// The decoded alias is not UTF-8 or contains a control character or a backslash.
    BadAlias,
    /// The alias contains an empty, `.` or `..` segment, encoded or not.
    BadSegment,
    /// The alias is longer than [`ALIAS_MAX_BYTES`].
    TooLong,
}

/// Whether the key must be checked before any other error is reported for this path.
pub(crate) fn is_guarded(path: &[u8]) -> bool {
    let path = with_one_slash(path);
    path.starts_with(b"/bedrock") || path.starts_with(b"/model")
}

/// Parses a `:path`. The query string is ignored and never forwarded.
///
/// # Errors
/// [`PathError`] if the path is invalid.
pub(crate) fn parse(path: &[u8]) -> Result<ModelPath, PathError> {
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

/// Merges the leading slashes of `path` into one.
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
