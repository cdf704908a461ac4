//! Builds the tree from the parser's events.

use std::collections::HashMap;
use std::rc::Rc;

use granit_parser::{Event, ScalarStyle, Span, Tag};

use super::node::{DEPTH_MAX, DuplicateKey, SyntaxError, YamlNode, YamlValue};
use super::tag::{self, KnownTag};
use crate::document::scalar::Scalar;

/// Most entries that the merge keys of a file add in total. They are copied, so a small file could
/// grow without bound.
pub(super) const MERGED_MAX: usize = 100_000;

const UNKNOWN_TAG: &str = "an unsupported tag (!name): put text that starts with ! in quotes";

/// The tree under construction.
#[derive(Default)]
pub(super) struct Builder {
    root: Option<Rc<YamlNode>>,
    open: Vec<OpenNode>,
    anchors: HashMap<usize, Rc<YamlNode>>,
    duplicates: Vec<DuplicateKey>,
    merged: usize,
}

/// A list or mapping whose end has not been reached.
struct OpenNode {
    line: usize,
    anchor: usize,
    content: OpenContent,
}

enum OpenContent {
    Sequence(Vec<Rc<YamlNode>>),
    Mapping {
        key: Option<PendingKey>,
        /// The mappings of each merge key.
        merges: Vec<Vec<Rc<YamlNode>>>,
        entries: MappingEntries,
    },
}

enum PendingKey {
    Merge,
    Named(String, usize),
}

/// The entries of a mapping in file order, each key once.
#[derive(Default)]
struct MappingEntries {
    list: Vec<(String, Rc<YamlNode>)>,
    positions: HashMap<String, usize>,
}

impl MappingEntries {
    /// Adds an entry, or replaces the one with the same key. Returns whether there was one.
    fn put(&mut self, name: String, node: Rc<YamlNode>) -> bool {
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
    /// Whether the document is complete.
    pub(super) fn has_root(&self) -> bool {
        self.root.is_some()
    }

    /// The document and its duplicate keys.
    pub(super) fn finish(self) -> (Rc<YamlNode>, Vec<DuplicateKey>) {
        let empty = || YamlNode {
            line: 1,
            value: YamlValue::Mapping(Vec::new()),
            height: 1,
        };
        let root = self
            .root
            .filter(|root| !matches!(root.value, YamlValue::Scalar(Scalar::Null)))
            .unwrap_or_else(|| Rc::new(empty()));
        (root, self.duplicates)
    }

    /// Processes the parser's next event.
    pub(super) fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), SyntaxError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                // The parser represents an absent value as a tilde.
                let is_absent = style == ScalarStyle::Plain && span.is_empty();
                let text = if is_absent { "" } else { &text };
                self.scalar(text, style, anchor, known_tag(tag.as_deref(), span)?, span)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(node) => self.finished(node, 0, span),
                None => Err(SyntaxError::at(
                    span,
                    "an alias inside the value of its own anchor",
                )),
            },
            Event::SequenceStart(_, anchor, tag) => match known_tag(tag.as_deref(), span)? {
                KnownTag::No | KnownTag::Lone | KnownTag::Sequence => {
                    self.open(anchor, OpenContent::Sequence(Vec::new()), span)
                }
                _ => Err(SyntaxError::at(span, "a list with a tag of another type")),
            },
            Event::MappingStart(_, anchor, tag) => match known_tag(tag.as_deref(), span)? {
                KnownTag::No | KnownTag::Lone | KnownTag::Mapping => {
                    let content = OpenContent::Mapping {
                        key: None,
                        merges: Vec::new(),
                        entries: MappingEntries::default(),
                    };
                    self.open(anchor, content, span)
                }
                _ => Err(SyntaxError::at(span, "a mapping with a tag of another type")),
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
        tag: KnownTag,
        span: &Span,
    ) -> Result<(), SyntaxError> {
        let line = span.start.line();
        let node = tag::typed(text, style, tag).map(|value| {
            Rc::new(YamlNode {
                line,
                value: YamlValue::Scalar(value),
                height: 1,
            })
        });
        if let Some(OpenNode {
            content: OpenContent::Mapping { key: key @ None, .. },
            ..
        }) = self.open.last_mut()
        {
            let is_merge = tag == KnownTag::Merge
                || (text == "<<" && style == ScalarStyle::Plain && tag == KnownTag::No);
            *key = Some(if is_merge {
                PendingKey::Merge
            } else if text.is_empty() && style == ScalarStyle::Plain {
                PendingKey::Named("~".to_owned(), line)
            } else {
                PendingKey::Named(text.to_owned(), line)
            });
            if let (Some(node), true) = (node, anchor != 0) {
                self.anchors.insert(anchor, node);
            }
            return Ok(());
        }
        match node {
            Some(node) => self.finished(node, anchor, span),
            None => Err(SyntaxError::at(
                span,
                "a value that does not have the type of its tag",
            )),
        }
    }

    fn open(&mut self, anchor: usize, content: OpenContent, span: &Span) -> Result<(), SyntaxError> {
        if let Some(OpenNode {
            content: OpenContent::Mapping { key: None, .. },
            ..
        }) = self.open.last()
        {
            return Err(SyntaxError::at(span, "a list or mapping as a key"));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(SyntaxError::at(span, "nesting that is too deep"));
        }
        self.open.push(OpenNode {
            line: span.start.line(),
            anchor,
            content,
        });
        Ok(())
    }

    fn close(&mut self, span: &Span) -> Result<(), SyntaxError> {
        let Some(OpenNode {
            line,
            anchor,
            content,
        }) = self.open.pop()
        else {
            return Ok(());
        };
        let value = match content {
            OpenContent::Sequence(nodes) => YamlValue::Sequence(nodes),
            OpenContent::Mapping { merges, entries, .. } => {
                YamlValue::Mapping(self.with_merged(entries, &merges, span)?)
            }
        };
        let height = value.children().map(|child| child.height).max().unwrap_or(0) + 1;
        if height > DEPTH_MAX {
            return Err(SyntaxError::at(span, "nesting that is too deep"));
        }
        self.finished(Rc::new(YamlNode { line, value, height }), anchor, span)
    }

    /// Adds a complete node to the innermost open list or mapping, or makes it the root.
    fn finished(&mut self, node: Rc<YamlNode>, anchor: usize, span: &Span) -> Result<(), SyntaxError> {
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.content {
            OpenContent::Sequence(nodes) => nodes.push(node),
            OpenContent::Mapping { key, merges, entries } => match key.take() {
                Some(PendingKey::Named(name, line)) => {
                    if entries.put(name.clone(), node) {
                        self.duplicates.push(DuplicateKey { key: name, line });
                    }
                }
                Some(PendingKey::Merge) => match mergeable(&node) {
                    Some(mappings) => merges.push(mappings),
                    None => {
                        let found =
                            "a merge key (<<) whose value is neither a mapping nor a list of mappings";
                        return Err(SyntaxError::at(span, found));
                    }
                },
                // The key is an alias.
                None => match &node.value {
                    YamlValue::Scalar(Scalar::Text(name)) => {
                        *key = Some(PendingKey::Named(name.clone(), span.start.line()))
                    }
                    YamlValue::Scalar(_) => {
                        return Err(SyntaxError::at(
                            span,
                            "a key that is an alias of something other than a string",
                        ));
                    }
                    _ => return Err(SyntaxError::at(span, "a list or mapping as a key")),
                },
            },
        }
        Ok(())
    }

    /// The entries of a mapping, then those that its merge keys add. As in PyYAML, a later merge
    /// key takes precedence over an earlier one, and in the list of one merge key the earlier
    /// mapping does.
    fn with_merged(
        &mut self,
        mut entries: MappingEntries,
        merges: &[Vec<Rc<YamlNode>>],
        span: &Span,
    ) -> Result<Vec<(String, Rc<YamlNode>)>, SyntaxError> {
        for node in merges.iter().rev().flatten() {
            let YamlValue::Mapping(additions) = &node.value else {
                continue;
            };
            self.merged = self.merged.saturating_add(additions.len());
            if self.merged > MERGED_MAX {
                return Err(SyntaxError::at(span, "merge keys (<<) that add too many entries"));
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

fn known_tag(tag: Option<&Tag>, span: &Span) -> Result<KnownTag, SyntaxError> {
    tag::known(tag).ok_or_else(|| SyntaxError::at(span, UNKNOWN_TAG))
}

/// The mappings that a merge key adds.
fn mergeable(node: &Rc<YamlNode>) -> Option<Vec<Rc<YamlNode>>> {
    match &node.value {
        YamlValue::Mapping(_) => Some(vec![Rc::clone(node)]),
        YamlValue::Sequence(nodes) => nodes
            .iter()
            .all(|node| matches!(node.value, YamlValue::Mapping(_)))
            .then(|| nodes.clone()),
        YamlValue::Scalar(_) => None,
    }
}
