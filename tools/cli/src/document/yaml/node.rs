//! The tree that a YAML document becomes.

use std::rc::Rc;

use granit_parser::Span;

use crate::document::scalar::Scalar;

/// Deepest nesting: LiteLLM's own files stay below 10, and the tree is dropped recursively.
pub(super) const DEPTH_MAX: usize = 64;

/// A node and the line it starts on.
#[derive(Debug)]
pub(crate) struct YamlNode {
    /// Line, from 1.
    pub line: usize,
    /// The value.
    pub value: YamlValue,
    pub(super) height: usize,
}

/// A value.
#[derive(Debug)]
pub(crate) enum YamlValue {
    /// Neither a list nor a mapping.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Rc<YamlNode>>),
    /// A mapping in file order, each key once.
    Mapping(Vec<(String, Rc<YamlNode>)>),
}

impl YamlValue {
    /// The values directly inside this one.
    pub(super) fn children(&self) -> Box<dyn Iterator<Item = &Rc<YamlNode>> + '_> {
        match self {
            YamlValue::Scalar(_) => Box::new(std::iter::empty()),
            YamlValue::Sequence(nodes) => Box::new(nodes.iter()),
            YamlValue::Mapping(entries) => Box::new(entries.iter().map(|(_, node)| node)),
        }
    }
}

/// A key that occurs more than once in a mapping.
#[derive(Debug)]
pub(crate) struct DuplicateKey {
    /// The key.
    pub key: String,
    /// Line of the later occurrence, from 1.
    pub line: usize,
}

/// Why a text is not valid YAML, or exceeds a limit.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong. It quotes no value of the file.
    pub found: String,
}

impl SyntaxError {
    pub(super) fn at(span: &Span, found: &str) -> Self {
        SyntaxError {
            line: span.start.line(),
            column: span.start.col() + 1,
            found: found.to_owned(),
        }
    }
}
