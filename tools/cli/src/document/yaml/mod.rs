//! A YAML document as a tree that knows its lines: anchors, aliases and `<<` merge keys are resolved, keys are text.
//!
//! LiteLLM reads its file with PyYAML, so what PyYAML takes is read here with the same meaning. The exceptions, each a
//! clear error or a value that no setting has a use for, are the rows of `tests/yaml/differences.tsv`.
//! Like PyYAML, and unlike YAML 1.2, a later duplicate of a key wins; the reader reports each. Aliases share
//! their nodes, so a file that multiplies itself costs no memory.

mod builder;
mod tag;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::rc::Rc;

use granit_parser::{ErrorKind, Event, Options, Parser, ScanError, Span, options};

use self::builder::Builder;
use crate::document::scalar::Scalar;

/// Deepest nesting: LiteLLM's own files stay below 10, and the tree is dropped recursively.
const DEPTH_MAX: usize = 64;

/// A node and the line it starts on.
#[derive(Debug)]
pub(crate) struct YamlNode {
    /// Line, from 1.
    pub line: usize,
    /// The value.
    pub value: YamlValue,
    height: usize,
}

/// A value.
#[derive(Debug)]
pub(crate) enum YamlValue {
    /// Neither list nor mapping.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Rc<YamlNode>>),
    /// A mapping in the order of the file, each key once.
    Mapping(Vec<(String, Rc<YamlNode>)>),
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
    /// What is wrong there. It quotes no value of the file.
    pub found: String,
}

impl SyntaxError {
    fn at(span: &Span, found: &str) -> Self {
        SyntaxError {
            line: span.start.line(),
            column: span.start.col() + 1,
            found: found.to_owned(),
        }
    }
}

/// Reads the only document of `text`; an empty one is an empty mapping.
pub(crate) fn parse(text: &str) -> Result<(Rc<YamlNode>, Vec<DuplicateKey>), SyntaxError> {
    let text = with_plain_line_breaks(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut builder = Builder::default();
    for event in Parser::new_from_str_with_options(&text, as_pyyaml()) {
        let (event, span) = event.map_err(|error| scan_error(&error))?;
        if matches!(event, Event::DocumentStart(..)) && builder.has_root() {
            return Err(SyntaxError::at(&span, "a second document (---)"));
        }
        builder.take(event, &span)?;
    }
    Ok(builder.finish())
}

/// Brackets, quoted text and block scalars as PyYAML has them: the closing bracket may stand at the column of its key.
fn as_pyyaml() -> Options {
    options! {
        strict_indentation: false,
        block_scalar_eof_without_line_feed: true,
        emit_comments: false,
    }
}

/// Python's `open` and PyYAML end a line at each of these; the parser only at the first two.
fn with_plain_line_breaks(text: &str) -> Cow<'_, str> {
    const BREAKS: [char; 4] = ['\r', '\u{85}', '\u{2028}', '\u{2029}'];
    if !text.contains(BREAKS) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace("\r\n", "\n").replace(BREAKS, "\n"))
}

fn scan_error(error: &ScanError) -> SyntaxError {
    let found = match error.kind() {
        ErrorKind::UnknownAnchor => {
            "an alias (*name) without an anchor (&name) before it: text that starts with * needs quotes"
                .to_owned()
        }
        ErrorKind::MissingAnchorOrAliasName => {
            "a * or & without a name after it: text that starts with one needs quotes".to_owned()
        }
        ErrorKind::UnexpectedCharacter { character } if character.is_control() => {
            "a control character".to_owned()
        }
        ErrorKind::UnexpectedCharacter { character } => {
            format!("a {character} that starts a value: such text needs quotes")
        }
        ErrorKind::CommentNotSeparated => {
            "a # without a space in front of it: a comment needs one".to_owned()
        }
        ErrorKind::BomInsideDocument => {
            "a byte order mark (U+FEFF), which may stand only at the start of the file".to_owned()
        }
        _ => error.info(),
    };
    SyntaxError {
        line: error.marker().line(),
        column: error.marker().col() + 1,
        found,
    }
}
