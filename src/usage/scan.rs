//! Finds the few members that matter in a document, by their place in it: a member of the same name elsewhere, or in a
//! string, is not looked at.

use crate::json::{Malformed, Tokenizer, Tokens};

/// A key or a short value that is longer cannot be one that is looked for (the longest has 32 bytes).
const MAX_WORD_BYTES: usize = 40;
/// Members are looked for this deep at most.
const MAX_PATH: usize = 8;

/// A member that is looked for, and what is looked for in it.
#[derive(Debug)]
pub(super) struct ScanNode<F: 'static> {
    /// Its key; empty for the document itself.
    pub(super) key: &'static str,
    /// What it means.
    pub(super) field: F,
    /// Whether its value is an array, and the members are those of the objects in it.
    pub(super) each: bool,
    /// What is looked for in it.
    pub(super) members: &'static [ScanNode<F>],
}

impl<F> ScanNode<F> {
    pub(super) const fn leaf(key: &'static str, field: F) -> Self {
        Self {
            key,
            field,
            each: false,
            members: &[],
        }
    }

    pub(super) const fn object(key: &'static str, field: F, members: &'static [ScanNode<F>]) -> Self {
        Self {
            key,
            field,
            each: false,
            members,
        }
    }

    pub(super) const fn array(key: &'static str, field: F, members: &'static [ScanNode<F>]) -> Self {
        Self {
            key,
            field,
            each: true,
            members,
        }
    }
}

/// Who gets what is found.
pub(super) trait Visit<F> {
    /// The key is there. A second one replaces the first with all that is in it.
    fn enter(&mut self, field: F);
    /// An object that is an element of the array `field` ends.
    fn element(&mut self, _field: F) {}
    /// Its value is a number (see [`Tokens::number`]).
    fn number(&mut self, _field: F, _value: Option<u64>) {}
    /// Its value is a string: a piece of it.
    fn piece(&mut self, _field: F, _piece: &[u8]) {}
    /// The string ends.
    fn string(&mut self, _field: F) {}
}

/// A resumable search. Memory: itself.
#[derive(Clone, Debug)]
pub(super) struct Scanner<F: 'static, V> {
    json: Tokenizer,
    walk: Walk<F, V>,
}

#[derive(Clone, Debug)]
struct Walk<F: 'static, V> {
    /// Containers open around the place.
    depth: usize,
    /// The outermost `found` of them lie on the way to something that is looked for.
    path: [Option<ScanLevel<F>>; MAX_PATH],
    found: usize,
    /// What the key means that was read last, in the innermost container.
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

/// A short string.
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

    /// The string, `None` if it was too long.
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
                found: 0,
                member: None,
                word: Word::default(),
                root,
                visitor,
            },
        }
    }

    /// Begins the next document where the last one was: a stream has thousands, and moving a scanner is not free.
    pub(super) fn restart(&mut self)
    where
        V: Default,
    {
        self.json = Tokenizer::default();
        self.walk.depth = 0;
        self.walk.found = 0;
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
}

impl<F: Copy, V: Visit<F>> Walk<F, V> {
    /// The innermost container, if it is on the way.
    fn place(&self) -> Option<ScanLevel<F>> {
        if self.found != self.depth {
            return None;
        }
        self.path.get(self.found.checked_sub(1)?).copied().flatten()
    }

    /// What a string or a number means that stands here as a value.
    fn field(&self) -> Option<F> {
        let place = self.place()?;
        let node = if place.object { self.member? } else { return None };
        Some(node.field)
    }
}

impl<F: Copy, V: Visit<F>> Tokens for Walk<F, V> {
    fn open(&mut self, object: bool) {
        let node = match (self.depth, self.place()) {
            (0, _) => object.then_some(self.root),
            (_, None) => None,
            (_, Some(place)) if place.object => self.member.filter(|node| node.each != object),
            (_, Some(place)) => object.then_some(place.node),
        };
        let room = self.path.get_mut(self.found);
        if let (true, Some(node), Some(room)) = (self.found == self.depth, node, room) {
            *room = Some(ScanLevel { node, object });
            self.found = self.found.saturating_add(1);
        }
        self.depth = self.depth.saturating_add(1);
        self.member = None;
    }

    fn close(&mut self) {
        if let Some(place) = self.place() {
            self.found = self.found.saturating_sub(1);
            if place.object && place.node.each {
                self.visitor.element(place.node.field);
            }
        }
        self.depth = self.depth.saturating_sub(1);
        self.member = None;
    }

    fn string(&mut self, key: bool) -> bool {
        if key {
            self.word.clear();
            self.place().is_some()
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
        self.member = match (self.place(), self.word.bytes()) {
            (Some(place), Some(word)) => place.node.members.iter().find(|node| node.key.as_bytes() == word),
            _ => None,
        };
        if let Some(node) = self.member {
            self.visitor.enter(node.field);
        }
    }

    fn number(&mut self, value: Option<u64>) {
        if let Some(field) = self.field() {
            self.visitor.number(field, value);
        }
    }
}
