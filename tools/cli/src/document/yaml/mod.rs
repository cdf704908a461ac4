//! Parses a YAML document into a tree whose nodes know their lines. Anchors, aliases and `<<` merge
//! keys are resolved; keys are text.
//!
//! LiteLLM reads its file with PyYAML, so a file that PyYAML accepts has the same meaning here. The
//! exceptions are listed in `tests/yaml/differences.tsv`: each is either a clear error or a value
//! that no setting accepts. As in PyYAML, and unlike YAML 1.2, the last of several equal keys wins,
//! and all duplicates are returned. Aliases share their nodes, so a file that multiplies itself
//! uses no memory.

mod builder;
mod json;
mod node;
mod tag;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::rc::Rc;

use granit_parser::{ErrorKind, Event, Options, Parser, ScanError, options};

use self::builder::Builder;
use self::node::DuplicateKey;
pub(crate) use self::node::{SyntaxError, YamlNode, YamlValue};

/// Parses the only document in `text`. An empty text is an empty mapping.
pub(crate) fn parse(text: &str) -> Result<(Rc<YamlNode>, Vec<DuplicateKey>), SyntaxError> {
    let text = with_plain_line_breaks(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut builder = Builder::default();
    for event in Parser::new_from_str_with_options(&text, pyyaml_options()) {
        let (event, span) = event.map_err(|error| scan_error(&error))?;
        if matches!(event, Event::DocumentStart(..)) && builder.has_root() {
            return Err(SyntaxError::at(&span, "a second document (---)"));
        }
        builder.take(event, &span)?;
    }
    Ok(builder.finish())
}

/// Parses a mapping in JSON, which is YAML too, much faster than [`parse`], but without line numbers.
/// `None` if it is something else.
pub(crate) fn parse_json(text: &str) -> Option<Rc<YamlNode>> {
    let value = text
        .trim_start()
        .starts_with('{')
        .then(|| serde_json::from_str(text).ok());
    value.flatten().and_then(json::node)
}

/// PyYAML's rules for brackets, quotes and block scalars: a closing bracket may be in the column of
/// its key.
fn pyyaml_options() -> Options {
    options! {
        strict_indentation: false,
        block_scalar_eof_without_line_feed: true,
        emit_comments: false,
    }
}

/// Replaces line breaks that Python's `open` and PyYAML recognise and the parser does not.
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
            "an alias (*name) without a preceding anchor (&name): put text that starts with * in quotes"
                .to_owned()
        }
        ErrorKind::MissingAnchorOrAliasName => {
            "a * or & without a name: put text that starts with * or & in quotes".to_owned()
        }
        ErrorKind::UnexpectedCharacter { character } if character.is_control() => {
            "a control character".to_owned()
        }
        ErrorKind::UnexpectedCharacter { character } => {
            format!("a value that starts with {character}: put such text in quotes")
        }
        ErrorKind::CommentNotSeparated => "a # without a space before it: a comment needs one".to_owned(),
        ErrorKind::BomInsideDocument => {
            "a byte order mark (U+FEFF) that is not at the start of the file".to_owned()
        }
        _ => error.info(),
    };
    SyntaxError {
        line: error.marker().line(),
        column: error.marker().col() + 1,
        found,
    }
}
