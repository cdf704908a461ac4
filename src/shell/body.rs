//! The request's body in Envoy's buffer, changed in place.
//!
//! Envoy replaces bytes at the front of a buffer and appends to its end, nothing else. So an edit that only inserts
//! replaces the front, and one that also removes takes the body through the VM piece by piece: off the front, and what
//! is left of it onto the end.

use super::host;
use super::host::HostError;
use crate::guardrail::Edit;

/// Bytes of a body copied into the VM at once: its memory never shrinks, so one large read would stay for good.
pub(super) const READ_MAX_BYTES: usize = 256 * 1024;

/// Bytes of a body edited at once: less than is read, since a piece is there twice meanwhile.
const EDIT_MAX_BYTES: usize = 64 * 1024;

/// Applies `edit` to the body, all `size` bytes of which are in Envoy's buffer.
///
/// # Errors
/// A host call failed, or gave no bytes. The body is then neither the old nor the new one, and must not leave.
pub(super) fn edit(edit: &Edit, size: usize) -> Result<(), HostError> {
    let front = edit
        .front_bytes()
        .and_then(|bytes| usize::try_from(bytes).ok())
        .filter(|bytes| *bytes <= EDIT_MAX_BYTES);
    if let Some(bytes) = front {
        let piece = piece(bytes)?;
        return host::replace_request_body_front(piece.len(), &edit.apply(0, &piece));
    }
    let mut offset = 0usize;
    while offset < size {
        let piece = piece(size.saturating_sub(offset).min(EDIT_MAX_BYTES))?;
        host::replace_request_body_front(piece.len(), &[])?;
        let offset_bytes = u64::try_from(offset).unwrap_or(u64::MAX);
        host::append_request_body(&edit.apply(offset_bytes, &piece))?;
        offset = offset.saturating_add(piece.len());
    }
    Ok(())
}

/// The first `size` bytes of the body.
fn piece(size: usize) -> Result<Vec<u8>, HostError> {
    let piece = host::request_body(0, size)?;
    if piece.len() == size {
        Ok(piece)
    } else {
        Err(HostError::EMPTY)
    }
}
