//! How a body is changed: some ranges of it go, and one insertion comes. All other bytes stay as they are.

use std::ops::Range;

/// A change to a whole body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyEdit {
    /// Where the insertion goes: after this many bytes, at least one.
    pub(super) insert_at: u64,
    pub(super) insertion: Vec<u8>,
    /// What goes, in order, without overlaps, and all of it after the insertion.
    pub(super) dropped: Vec<Range<u64>>,
}

/// A request body in Envoy's buffer, whose front can be replaced and whose end can be extended.
pub trait EditableBody {
    /// Why the host failed.
    type Error;

    /// The first `size` bytes.
    ///
    /// # Errors
    /// The host failed, or has fewer.
    fn front(&self, size: usize) -> Result<Vec<u8>, Self::Error>;

    /// Replaces the first `size` bytes.
    ///
    /// # Errors
    /// The host failed.
    fn replace_front(&mut self, size: usize, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Appends to the end.
    ///
    /// # Errors
    /// The host failed.
    fn append(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
}

/// Bytes of a body edited at once: less than is read, since a piece is in memory twice meanwhile.
const EDIT_MAX_BYTES: usize = 64 * 1024;

impl BodyEdit {
    /// Edits a body of `size` bytes in place. An edit that only inserts replaces the front. One that
    /// also removes takes the body through memory piece by piece: off the front, and what is left of it
    /// onto the end.
    ///
    /// # Errors
    /// The host failed. The body is then neither the old nor the new one, and must not leave.
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

    /// How many bytes from the start are all that the edit needs to touch, if nothing goes.
    pub fn front_bytes(&self) -> Option<u64> {
        self.dropped.is_empty().then_some(self.insert_at)
    }

    /// What becomes of `piece`, which stands at `offset` in the body. The pieces one after the other are the new body.
    pub fn apply(&self, offset: u64, piece: &[u8]) -> Vec<u8> {
        let mut edited = Vec::with_capacity(piece.len().saturating_add(self.insertion.len()));
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        let mut at = offset;
        let end = offset.saturating_add(length);
        if offset < self.insert_at && self.insert_at <= end {
            edited.extend_from_slice(within(piece, offset, at..self.insert_at));
            edited.extend_from_slice(&self.insertion);
            at = self.insert_at;
        }
        for dropped in &self.dropped {
            if dropped.end <= at || dropped.start >= end {
                continue;
            }
            edited.extend_from_slice(within(piece, offset, at..dropped.start.max(at)));
            at = dropped.end.min(end);
        }
        edited.extend_from_slice(within(piece, offset, at..end));
        edited
    }
}

/// The bytes of `piece` at `range` of the body; `offset` is where the piece begins.
fn within(piece: &[u8], offset: u64, range: Range<u64>) -> &[u8] {
    let index = |at: u64| usize::try_from(at.saturating_sub(offset)).unwrap_or(usize::MAX);
    piece
        .get(index(range.start)..index(range.end))
        .unwrap_or_default()
}
