//! A change to a body: one insertion and any number of removals. All other bytes are unchanged.

use std::ops::Range;

/// A change to a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyEdit {
    /// Offset of the insertion, at least 1.
    pub(super) insert_at: u64,
    pub(super) insertion: Vec<u8>,
    /// The ranges to remove: sorted, without overlaps and after the insertion.
    pub(super) dropped: Vec<Range<u64>>,
}

/// A request body in Envoy's buffer. Its start can be replaced, and it can be appended to.
pub trait EditableBody {
    /// The error of a failed host call.
    type Error;

    /// Returns the first `size` bytes.
    ///
    /// # Errors
    /// A host call failed, or the body is shorter.
    fn front(&self, size: usize) -> Result<Vec<u8>, Self::Error>;

    /// Replaces the first `size` bytes.
    ///
    /// # Errors
    /// A host call failed.
    fn replace_front(&mut self, size: usize, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Appends `bytes`.
    ///
    /// # Errors
    /// A host call failed.
    fn append(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
}

/// Maximum number of bytes to edit at once. Both the old and the new version are in memory.
const EDIT_MAX_BYTES: usize = 64 * 1024;

impl BodyEdit {
    /// Applies the edit in place to a body of `size` bytes. If it only inserts, only the start of
    /// the body is replaced. Otherwise, each piece is taken from the start, edited and appended to
    /// the end.
    ///
    /// # Errors
    /// A host call failed. The body may be partially edited and must not be sent.
    pub fn apply_to<B: EditableBody>(&self, size: usize, body: &mut B) -> Result<(), B::Error> {
        let front = self.front_bytes().and_then(|bytes| usize::try_from(bytes).ok());
        if let Some(bytes) = front.filter(|bytes| *bytes <= EDIT_MAX_BYTES) {
            let piece = body.front(bytes)?;
            return body.replace_front(piece.len(), &self.apply(0, &piece));
        }
        let mut offset = 0usize;
        while offset < size {
            let piece = body.front(size.saturating_sub(offset).min(EDIT_MAX_BYTES))?;
            body.replace_front(piece.len(), &[])?;
            body.append(&self.apply(u64::try_from(offset).unwrap_or(u64::MAX), &piece))?;
            offset = offset.saturating_add(piece.len().max(1));
        }
        Ok(())
    }

    /// The number of leading bytes to replace, if the edit only inserts.
    pub(crate) fn front_bytes(&self) -> Option<u64> {
        self.dropped.is_empty().then_some(self.insert_at)
    }

    /// Applies the edit to `piece`, which starts at `offset` in the body. The concatenated results
    /// are the new body.
    pub(crate) fn apply(&self, offset: u64, piece: &[u8]) -> Vec<u8> {
        let mut edited = Vec::with_capacity(piece.len().saturating_add(self.insertion.len()));
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        let mut position = offset;
        let end = offset.saturating_add(length);
        if offset < self.insert_at && self.insert_at <= end {
            edited.extend_from_slice(within(piece, offset, position..self.insert_at));
            edited.extend_from_slice(&self.insertion);
            position = self.insert_at;
        }
        for dropped in &self.dropped {
            if dropped.end <= position || dropped.start >= end {
                continue;
            }
            edited.extend_from_slice(within(piece, offset, position..dropped.start.max(position)));
            position = dropped.end.min(end);
        }
        edited.extend_from_slice(within(piece, offset, position..end));
        edited
    }
}

/// The bytes of `piece` in `range` of the body, where `piece` starts at `offset`.
fn within(piece: &[u8], offset: u64, range: Range<u64>) -> &[u8] {
    let index = |position: u64| usize::try_from(position.saturating_sub(offset)).unwrap_or(usize::MAX);
    piece
        .get(index(range.start)..index(range.end))
        .unwrap_or_default()
}
