//! Finds the few members that matter in a JSON document, by their path. A member of the same name
//! elsewhere, or in a string, is ignored.

use crate::json::{Malformed, Tokenizer, Tokens};

/// Longer keys and values cannot match: the longest one searched for has 32 bytes.
const MAX_WORD_BYTES: usize = 40;
/// Deepest path that is searched.
const MAX_PATH: usize = 8;

/// A member to search for, with the members to search for in its value.
#[derive(Debug)]
pub(super) struct ScanNode<F: 'static> {
    /// The key; empty for the document itself.
    pub(super) key: &'static str,
    /// What the member means.
    pub(super) field: F,
    /// Whether the value is an array, whose elements are objects with these members.
    pub(super) is_array: bool,
    /// What to search for in the value.
    pub(super) members: &'static [ScanNode<F>],
}

impl<F> ScanNode<F> {
    pub(super) const fn leaf(key: &'static str, field: F) -> Self {
        Self {
            key,
            field,
            is_array: false,
            members: &[],
        }
    }

    pub(super) const fn object(key: &'static str, field: F, members: &'static [ScanNode<F>]) -> Self {
        Self {
            key,
            field,
            is_array: false,
            members,
        }
    }

    pub(super) const fn array(key: &'static str, field: F, members: &'static [ScanNode<F>]) -> Self {
        Self {
            key,
            field,
            is_array: true,
            members,
        }
    }
}

/// Receives what the scanner finds.
pub(super) trait Visit<F> {
    /// The key was found. A repeated key replaces everything read under the first one.
    fn enter(&mut self, field: F);
    /// An object within the array `field` ended.
    fn element(&mut self, _field: F) {}
    /// The value is a number; see [`Tokens::number`].
    fn number(&mut self, _field: F, _value: Option<u64>) {}
    /// The value is a string, and this is a piece of it.
    fn piece(&mut self, _field: F, _piece: &[u8]) {}
    /// The string ended.
    fn string(&mut self, _field: F) {}
}

/// A resumable search. It does not allocate.
#[derive(Clone, Debug)]
pub(super) struct Scanner<F: 'static, V> {
    json: Tokenizer,
    walk: Walk<F, V>,
}

#[derive(Clone, Debug)]
struct Walk<F: 'static, V> {
    /// Number of open containers.
    depth: usize,
    /// The outermost `matched` containers, which may hold a member to search for.
    path: [Option<ScanLevel<F>>; MAX_PATH],
    matched: usize,
    /// The node of the last key in the innermost container.
    member: Option<&'static ScanNode<F>>,
    word: Word,
    root: &'static ScanNode<F>,
    visitor: V,
}

#[derive(Debug)]
struct ScanLevel<F: 'static> {
    node: &'static ScanNode<F>,
    object: bool,
}

impl<F> Clone for ScanLevel<F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for ScanLevel<F> {}

impl<F> ScanLevel<F> {
    fn member(&self, key: &[u8]) -> Option<&'static ScanNode<F>> {
        self.node.members.iter().find(|node| node.key.as_bytes() == key)
    }
}

/// A short string, in a buffer of fixed size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    bytes: [u8; MAX_WORD_BYTES],
    length: usize,
    overlong: bool,
}

impl Default for Word {
    fn default() -> Self {
        Self {
            bytes: [0; MAX_WORD_BYTES],
            length: 0,
            overlong: false,
        }
    }
}

impl Word {
    pub(super) fn push(&mut self, piece: &[u8]) {
        let end = self.length.saturating_add(piece.len());
        match self.bytes.get_mut(self.length..end) {
            Some(room) if !self.overlong => {
                room.copy_from_slice(piece);
                self.length = end;
            }
            _ => self.overlong = true,
        }
    }

    pub(super) fn clear(&mut self) {
        self.length = 0;
        self.overlong = false;
    }

    /// The string, or `None` if it was too long.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        if self.overlong {
            None
        } else {
            self.bytes.get(..self.length)
        }
    }
}

impl<F: Copy, V: Visit<F>> Scanner<F, V> {
    pub(super) fn new(root: &'static ScanNode<F>, visitor: V) -> Self {
        Self {
            json: Tokenizer::default(),
            walk: Walk {
                depth: 0,
                path: [None; MAX_PATH],
                matched: 0,
                member: None,
                word: Word::default(),
                root,
                visitor,
            },
        }
    }

    /// Starts the next document in place. A stream has thousands of documents, and moving a scanner
    /// is not free.
    pub(super) fn restart(&mut self)
    where
        V: Default,
    {
        self.json = Tokenizer::default();
        self.walk.depth = 0;
        self.walk.matched = 0;
        self.walk.member = None;
        self.walk.word.clear();
        self.walk.visitor = V::default();
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        self.json.push(bytes, &mut self.walk)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.json.is_complete()
    }

    pub(super) fn visitor(&self) -> &V {
        &self.walk.visitor
    }

    pub(super) const fn visitor_mut(&mut self) -> &mut V {
        &mut self.walk.visitor
    }
}

impl<F: Copy, V: Visit<F>> Walk<F, V> {
    /// The innermost container, if it matched.
    fn innermost(&self) -> Option<ScanLevel<F>> {
        if self.matched != self.depth {
            return None;
        }
        self.path.get(self.matched.checked_sub(1)?).copied().flatten()
    }

    /// What a string or number at the current position means.
    fn field(&self) -> Option<F> {
        let level = self.innermost()?;
        let node = if level.object { self.member? } else { return None };
        Some(node.field)
    }

    fn enter(&mut self) {
        if let Some(node) = self.member {
            self.visitor.enter(node.field);
        }
    }
}

impl<F: Copy, V: Visit<F>> Tokens for Walk<F, V> {
    fn open(&mut self, object: bool) {
        let node = match (self.depth, self.innermost()) {
            (0, _) => object.then_some(self.root),
            (_, None) => None,
            (_, Some(level)) if level.object => self.member.filter(|node| node.is_array != object),
            (_, Some(level)) => object.then_some(level.node),
        };
        let room = self.path.get_mut(self.matched);
        if let (true, Some(node), Some(room)) = (self.matched == self.depth, node, room) {
            *room = Some(ScanLevel { node, object });
            self.matched = self.matched.saturating_add(1);
        }
        self.depth = self.depth.saturating_add(1);
        self.member = None;
    }

    fn close(&mut self) {
        if let Some(level) = self.innermost() {
            self.matched = self.matched.saturating_sub(1);
            if level.object && level.node.is_array {
                self.visitor.element(level.node.field);
            }
        }
        self.depth = self.depth.saturating_sub(1);
        self.member = None;
    }

    fn string(&mut self, key: bool) -> bool {
        if key {
            self.word.clear();
            self.innermost().is_some()
        } else {
            self.field().is_some()
        }
    }

    fn piece(&mut self, key: bool, piece: &[u8]) {
        if key {
            self.word.push(piece);
        } else if let Some(field) = self.field() {
            self.visitor.piece(field, piece);
        }
    }

    fn string_end(&mut self, key: bool) {
        if !key {
            if let Some(field) = self.field() {
                self.visitor.string(field);
            }
            return;
        }
        self.member = match (self.innermost(), self.word.bytes()) {
            (Some(level), Some(word)) => level.member(word),
            _ => None,
        };
        self.enter();
    }

    fn plain_string(&mut self, key: bool, text: &[u8]) {
        if key {
            // Without a copy.
            self.member = self.innermost().and_then(|level| level.member(text));
            self.enter();
        } else if let Some(field) = self.field() {
            if !text.is_empty() {
                self.visitor.piece(field, text);
            }
            self.visitor.string(field);
        }
    }

    fn number(&mut self, value: Option<u64>) {
        if let Some(field) = self.field() {
            self.visitor.number(field, value);
        }
    }
}
