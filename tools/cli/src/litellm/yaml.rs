//! A YAML document as a tree that knows its lines: anchors, aliases and `<<` merge keys are resolved, keys are text.
//!
//! Like PyYAML, and unlike YAML 1.2, it lets a later duplicate of a key win; the reader reports each. Aliases share
//! their nodes, so a file that multiplies itself costs no memory.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::scalar::{self, Scalar};

/// Deepest nesting: LiteLLM's own files stay below 10, and the tree is dropped recursively.
const DEPTH_MAX: usize = 64;

/// A node and the line it starts on.
#[derive(Debug)]
pub(crate) struct Node {
    /// Line, from 1.
    pub line: usize,
    /// The value.
    pub value: Value,
    height: usize,
}

/// A value.
#[derive(Debug)]
pub(crate) enum Value {
    /// Neither list nor mapping.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Rc<Node>>),
    /// A mapping in the order of the file, each key once.
    Mapping(Vec<(String, Rc<Node>)>),
}

/// A key that a mapping has twice.
#[derive(Debug)]
pub(crate) struct DuplicateKey {
    /// The key.
    pub key: String,
    /// Line of the one that counts, from 1.
    pub line: usize,
}

/// What is no YAML, or none that can be read.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What the parser says. It quotes no value of the file.
    pub found: String,
}

/// Reads the first document of `text`; an empty one is an empty mapping.
pub(crate) fn parse(text: &str) -> Result<(Rc<Node>, Vec<DuplicateKey>), SyntaxError> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        let (event, span) = event.map_err(|error| scan_error(&error))?;
        if matches!(event, Event::DocumentStart(_)) && builder.root.is_some() {
            return Err(builder.error(&span, "a second document"));
        }
        builder.take(event, &span)?;
    }
    let root = builder
        .root
        .filter(|root| !matches!(root.value, Value::Scalar(Scalar::Null)))
        .unwrap_or_else(|| {
            Rc::new(Node {
                line: 1,
                value: Value::Mapping(Vec::new()),
                height: 1,
            })
        });
    Ok((root, builder.duplicates))
}

fn scan_error(error: &ScanError) -> SyntaxError {
    SyntaxError {
        line: error.marker().line(),
        column: error.marker().col() + 1,
        found: error.info().to_owned(),
    }
}

#[derive(Default)]
struct Builder {
    root: Option<Rc<Node>>,
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    duplicates: Vec<DuplicateKey>,
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
        merged: Vec<Rc<Node>>,
        entries: Vec<(String, Rc<Node>)>,
    },
}

enum Key {
    Merge,
    Named(String, usize),
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), SyntaxError> {
        let line = span.start.line();
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_merge = style == ScalarStyle::Plain && text == "<<" && tag.is_none();
                if is_merge && self.key_is_due() {
                    return self.key(Key::Merge, span);
                }
                if self.key_is_due() {
                    return self.key(Key::Named(text.into_owned(), line), span);
                }
                let value = Value::Scalar(typed(&text, style, tag.as_deref()));
                let node = Rc::new(Node {
                    line,
                    value,
                    height: 1,
                });
                self.finished(node, anchor, span)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(node) => self.finished(node, 0, span),
                None => Err(self.error(span, "an alias of what is not complete")),
            },
            Event::SequenceStart(anchor, _) => self.open(line, anchor, Content::Sequence(Vec::new()), span),
            Event::MappingStart(anchor, _) => {
                let content = Content::Mapping {
                    key: None,
                    merged: Vec::new(),
                    entries: Vec::new(),
                };
                self.open(line, anchor, content, span)
            }
            Event::SequenceEnd | Event::MappingEnd => {
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
                    Content::Mapping { merged, entries, .. } => Value::Mapping(with_merged(entries, &merged)),
                };
                let height = 1 + children(&value).map(|child| child.height).max().unwrap_or(0);
                if height > DEPTH_MAX {
                    return Err(self.error(span, "too deep a nesting"));
                }
                self.finished(Rc::new(Node { line, value, height }), anchor, span)
            }
            _ => Ok(()),
        }
    }

    fn key_is_due(&self) -> bool {
        matches!(
            self.open.last(),
            Some(Open {
                content: Content::Mapping { key: None, .. },
                ..
            })
        )
    }

    fn key(&mut self, found: Key, _: &Span) -> Result<(), SyntaxError> {
        if let Some(Open {
            content: Content::Mapping { key, .. },
            ..
        }) = self.open.last_mut()
        {
            *key = Some(found);
        }
        Ok(())
    }

    fn open(&mut self, line: usize, anchor: usize, content: Content, span: &Span) -> Result<(), SyntaxError> {
        if self.key_is_due() {
            return Err(self.error(span, "a list or mapping as a key"));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(self.error(span, "too deep a nesting"));
        }
        self.open.push(Open {
            line,
            anchor,
            content,
        });
        Ok(())
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
            Content::Mapping { key, merged, entries } => match key.take() {
                Some(Key::Named(name, line)) => {
                    let before = entries.len();
                    entries.retain(|(known, _)| *known != name);
                    if entries.len() < before {
                        self.duplicates.push(DuplicateKey {
                            key: name.clone(),
                            line,
                        });
                    }
                    entries.push((name, node));
                }
                Some(Key::Merge) => match mergeable(&node) {
                    Some(mappings) => merged.extend(mappings),
                    None => {
                        return Err(
                            self.error(span, "a merge key (<<) with neither a mapping nor a list of them")
                        );
                    }
                },
                None => match &node.value {
                    Value::Scalar(Scalar::Text(name)) => *key = Some(Key::Named(name.clone(), node.line)),
                    _ => return Err(self.error(span, "a list or mapping as a key")),
                },
            },
        }
        Ok(())
    }

    fn error(&self, span: &Span, found: &str) -> SyntaxError {
        SyntaxError {
            line: span.start.line(),
            column: span.start.col() + 1,
            found: found.to_owned(),
        }
    }
}

fn typed(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Scalar {
    let plain_by_tag = tag.is_none_or(|tag| tag.is_yaml_core_schema() && tag.suffix != "str");
    if style == ScalarStyle::Plain && plain_by_tag {
        return scalar::plain(text);
    }
    Scalar::Text(text.to_owned())
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

/// A mapping's own entries, then what merge keys add to them: earlier ones win.
fn with_merged(mut entries: Vec<(String, Rc<Node>)>, merged: &[Rc<Node>]) -> Vec<(String, Rc<Node>)> {
    for node in merged {
        let Value::Mapping(additions) = &node.value else {
            continue;
        };
        for (name, addition) in additions {
            if !entries.iter().any(|(known, _)| known == name) {
                entries.push((name.clone(), Rc::clone(addition)));
            }
        }
    }
    entries
}
