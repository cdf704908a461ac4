//! A change of a header map.

use std::fmt;

use crate::headers::added::AddedHeaders;
use crate::headers::pairs;

/// Removes some headers of a map and adds others.
///
/// A host that can only write whole maps writes [`serialized`](Self::serialized). One that can
/// change a map removes [`removed`](Self::removed), then adds [`added`](Self::added).
pub struct HeaderEdit {
    /// The map as it was received, serialized.
    received: Vec<u8>,
    is_kept: fn(&[u8]) -> bool,
    added: AddedHeaders,
}

impl HeaderEdit {
    /// Keeps those of the serialized headers `received` whose names satisfy `is_kept`, and adds
    /// `added`.
    pub(crate) const fn new(received: Vec<u8>, is_kept: fn(&[u8]) -> bool, added: AddedHeaders) -> Self {
        Self {
            received,
            is_kept,
            added,
        }
    }

    /// The whole map after the change, serialized.
    pub fn serialized(&self) -> Vec<u8> {
        let received = pairs::parse(&self.received).unwrap_or_default();
        let kept = received.iter().copied().filter(|(name, _)| (self.is_kept)(name));
        pairs::serialize(kept.chain(self.added()))
    }

    /// The names of the headers that are removed, each once.
    pub fn removed(&self) -> Vec<&[u8]> {
        let mut removed = Vec::new();
        for (name, _) in pairs::parse(&self.received).unwrap_or_default() {
            if !(self.is_kept)(name) && !removed.contains(&name) {
                removed.push(name);
            }
        }
        removed
    }

    /// The headers that are added.
    pub fn added(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        let added = self.added.iter();
        added.map(|(name, value)| (name.as_bytes(), value.as_bytes()))
    }
}

/// The received headers may contain a key.
impl fmt::Debug for HeaderEdit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HeaderEdit")
            .field("added", &self.added)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_map_is_what_the_changes_make() {
        let received = [
            (&b":path"[..], &b"/"[..]),
            (b"x-eb-a", b"1"),
            (b"b", b"2"),
            (b"x-eb-a", b"3"),
            (b"b", b"4"),
        ];
        let is_kept = |name: &[u8]| !name.starts_with(b"x-eb-");
        let mut added = AddedHeaders::default();
        added.push("x-eb-a", "5");
        added.push("c", "");
        let edit = HeaderEdit::new(pairs::serialize(received.into_iter()), is_kept, added);
        let whole = edit.serialized();
        let expected = [
            (&b":path"[..], &b"/"[..]),
            (b"b", b"2"),
            (b"b", b"4"),
            (b"x-eb-a", b"5"),
            (b"c", b""),
        ];
        assert_eq!(pairs::parse(&whole).unwrap(), expected);
        assert_eq!(edit.removed(), [b"x-eb-a"]);
        assert_eq!(edit.added().collect::<Vec<_>>(), expected[3..]);
    }

    #[test]
    fn what_was_received_is_not_shown() {
        let received = pairs::serialize([(&b"authorization"[..], &b"sk-secret"[..])].into_iter());
        let mut added = AddedHeaders::default();
        added.push("a", "b");
        let shown = format!("{:?}", HeaderEdit::new(received, |_| true, added));
        assert_eq!(shown, r#"HeaderEdit { added: {"a": "b"}, .. }"#);
    }
}
