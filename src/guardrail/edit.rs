//! How a body is changed: some ranges of it go, and one insertion comes. All other bytes stay as they are.

use std::ops::Range;

/// A change to a whole body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Where the insertion goes: after this many bytes, at least one.
    pub(super) insert_at: u64,
    pub(super) insertion: Vec<u8>,
    /// What goes, in order, without overlaps, and all of it after the insertion.
    pub(super) dropped: Vec<Range<u64>>,
}

impl Edit {
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
