//! The tree, put together from the parser's events.

use std::collections::HashMap;
use std::rc::Rc;

use granit_parser::{Event, ScalarStyle, Span, Tag};

use super::super::scalar::Scalar;
use super::tag::{self, Known};
use super::{DEPTH_MAX, DuplicateKey, Node, SyntaxError, Value};

/// Most entries that all merge keys of a file bring in: they are copied, so a small file could multiply itself.
pub(super) const MERGED_MAX: usize = 100_000;

const UNKNOWN_TAG: &str = "a tag (!name) that no setting takes: text that starts with ! needs quotes";

/// The state of one reading.
#[derive(Default)]
pub(super) struct Builder {
    root: Option<Rc<Node>>,
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    duplicates: Vec<DuplicateKey>,
    merged: usize,
}

/// A list or mapping whose end has not come yet.
struct Open {
    line: usize,
    anchor: usize,
    content: Content,
}

enum Content {
    Sequence(Vec<Rc<Node>>),
    Mapping {
        key: Option<Key>,
        /// What each merge key names.
        merges: Vec<Vec<Rc<Node>>>,
        entries: Entries,
    },
}

enum Key {
    Merge,
    Named(String, usize),
}

/// The entries of a mapping in order, each key once.
#[derive(Default)]
struct Entries {
    list: Vec<(String, Rc<Node>)>,
    positions: HashMap<String, usize>,
}

impl Entries {
    /// Adds an entry, or replaces the one with the same key, and says whether it replaced one.
    fn put(&mut self, name: String, node: Rc<Node>) -> bool {
        let known = self.positions.get(&name).copied();
        match known.and_then(|position| self.list.get_mut(position)) {
            Some(entry) => entry.1 = node,
            None => {
                self.positions.insert(name.clone(), self.list.len());
                self.list.push((name, node));
            }
        }
        known.is_some()
    }
}

impl Builder {
    /// Whether a document is complete.
    pub(super) fn has_root(&self) -> bool {
        self.root.is_some()
    }

    /// The document and the keys that it has twice.
    pub(super) fn finish(self) -> (Rc<Node>, Vec<DuplicateKey>) {
        let empty = || Node {
            line: 1,
            value: Value::Mapping(Vec::new()),
            height: 1,
        };
        let root = self
            .root
            .filter(|root| !matches!(root.value, Value::Scalar(Scalar::Null)))
            .unwrap_or_else(|| Rc::new(empty()));
        (root, self.duplicates)
    }

    /// Takes the parser's next event.
    pub(super) fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), SyntaxError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                // The parser writes a value that is not there as a tilde.
                let is_absent = style == ScalarStyle::Plain && span.is_empty();
                let text = if is_absent { "" } else { &text };
                self.scalar(text, style, anchor, known_tag(tag.as_deref(), span)?, span)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(node) => self.finished(node, 0, span),
                None => Err(SyntaxError::at(span, "an alias of what is not complete")),
            },
            Event::SequenceStart(_, anchor, tag) => match known_tag(tag.as_deref(), span)? {
                Known::No | Known::Lone | Known::Sequence => {
                    self.open(anchor, Content::Sequence(Vec::new()), span)
                }
                _ => Err(SyntaxError::at(span, "a list with the tag of something else")),
            },
            Event::MappingStart(_, anchor, tag) => match known_tag(tag.as_deref(), span)? {
                Known::No | Known::Lone | Known::Mapping => {
                    let content = Content::Mapping {
                        key: None,
                        merges: Vec::new(),
                        entries: Entries::default(),
                    };
                    self.open(anchor, content, span)
                }
                _ => Err(SyntaxError::at(span, "a mapping with the tag of something else")),
            },
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            _ => Ok(()),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Known,
        span: &Span,
    ) -> Result<(), SyntaxError> {
        let line = span.start.line();
        let node = tag::typed(text, style, tag).map(|value| {
            Rc::new(Node {
                line,
                value: Value::Scalar(value),
                height: 1,
            })
        });
        if let Some(Open {
            content: Content::Mapping { key: key @ None, .. },
            ..
        }) = self.open.last_mut()
        {
            let is_merge =
                tag == Known::Merge || (text == "<<" && style == ScalarStyle::Plain && tag == Known::No);
            *key = Some(if is_merge {
                Key::Merge
            } else if text.is_empty() && style == ScalarStyle::Plain {
                Key::Named("~".to_owned(), line)
            } else {
                Key::Named(text.to_owned(), line)
            });
            if let (Some(node), true) = (node, anchor != 0) {
                self.anchors.insert(anchor, node);
            }
            return Ok(());
        }
        match node {
            Some(node) => self.finished(node, anchor, span),
            None => Err(SyntaxError::at(span, "a value that is not what its tag says")),
        }
    }

    fn open(&mut self, anchor: usize, content: Content, span: &Span) -> Result<(), SyntaxError> {
        if let Some(Open {
            content: Content::Mapping { key: None, .. },
            ..
        }) = self.open.last()
        {
            return Err(SyntaxError::at(span, "a list or mapping as a key"));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(SyntaxError::at(span, "too deep a nesting"));
        }
        self.open.push(Open {
            line: span.start.line(),
            anchor,
            content,
        });
        Ok(())
    }

    fn close(&mut self, span: &Span) -> Result<(), SyntaxError> {
        let Some(Open {
            line,
            anchor,
            content,
        }) = self.open.pop()
        else {
            return Ok(());
        };
        let value = match content {
            Content::Sequence(nodes) => Value::Sequence(nodes),
            Content::Mapping { merges, entries, .. } => {
                Value::Mapping(self.with_merged(entries, &merges, span)?)
            }
        };
        let height = children(&value).map(|child| child.height).max().unwrap_or(0) + 1;
        if height > DEPTH_MAX {
            return Err(SyntaxError::at(span, "too deep a nesting"));
        }
        self.finished(Rc::new(Node { line, value, height }), anchor, span)
    }

    /// Puts a complete node where it belongs: into the list or mapping that is open, else at the root.
    fn finished(&mut self, node: Rc<Node>, anchor: usize, span: &Span) -> Result<(), SyntaxError> {
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.content {
            Content::Sequence(nodes) => nodes.push(node),
            Content::Mapping { key, merges, entries } => match key.take() {
                Some(Key::Named(name, line)) => {
                    if entries.put(name.clone(), node) {
                        self.duplicates.push(DuplicateKey { key: name, line });
                    }
                }
                Some(Key::Merge) => match mergeable(&node) {
                    Some(mappings) => merges.push(mappings),
                    None => {
                        let found = "a merge key (<<) with neither a mapping nor a list of them";
                        return Err(SyntaxError::at(span, found));
                    }
                },
                // An alias as a key.
                None => match &node.value {
                    Value::Scalar(Scalar::Text(name)) => {
                        *key = Some(Key::Named(name.clone(), span.start.line()))
                    }
                    Value::Scalar(_) => {
                        return Err(SyntaxError::at(span, "an alias as a key that is not of a string"));
                    }
                    _ => return Err(SyntaxError::at(span, "a list or mapping as a key")),
                },
            },
        }
        Ok(())
    }

    /// A mapping's own entries, then what merge keys add to them. As in PyYAML a later merge key goes before an
    /// earlier one, and within the list of one key an earlier mapping before a later.
    fn with_merged(
        &mut self,
        mut entries: Entries,
        merges: &[Vec<Rc<Node>>],
        span: &Span,
    ) -> Result<Vec<(String, Rc<Node>)>, SyntaxError> {
        for node in merges.iter().rev().flatten() {
            let Value::Mapping(additions) = &node.value else {
                continue;
            };
            self.merged = self.merged.saturating_add(additions.len());
            if self.merged > MERGED_MAX {
                return Err(SyntaxError::at(
                    span,
                    "merge keys (<<) that bring in too many entries",
                ));
            }
            for (name, addition) in additions {
                if !entries.positions.contains_key(name) {
                    entries.put(name.clone(), Rc::clone(addition));
                }
            }
        }
        Ok(entries.list)
    }
}

fn known_tag(tag: Option<&Tag>, span: &Span) -> Result<Known, SyntaxError> {
    tag::known(tag).ok_or_else(|| SyntaxError::at(span, UNKNOWN_TAG))
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Rc<Node>> + '_> {
    match value {
        Value::Scalar(_) => Box::new(std::iter::empty()),
        Value::Sequence(nodes) => Box::new(nodes.iter()),
        Value::Mapping(entries) => Box::new(entries.iter().map(|(_, node)| node)),
    }
}

/// The mappings that a merge key brings in.
fn mergeable(node: &Rc<Node>) -> Option<Vec<Rc<Node>>> {
    match &node.value {
        Value::Mapping(_) => Some(vec![Rc::clone(node)]),
        Value::Sequence(nodes) => nodes
            .iter()
            .all(|node| matches!(node.value, Value::Mapping(_)))
            .then(|| nodes.clone()),
        Value::Scalar(_) => None,
    }
}
