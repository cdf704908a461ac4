//! Values with their locations, and mappings that know which of their fields have been read.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::location::Location;
use super::problem::FileProblem;
use super::scalar::Scalar;
use super::yaml::{YamlNode, YamlValue};

/// Longest value that a message quotes.
const QUOTE_MAX_CHARS: usize = 80;

/// A value and its location.
#[derive(Clone, Debug)]
pub(crate) struct YamlField {
    /// Where the value is.
    pub location: Location,
    /// The value.
    pub node: Rc<YamlNode>,
}

impl YamlField {
    fn child(location: Location, node: &Rc<YamlNode>) -> YamlField {
        YamlField {
            location: location.on_line(node.line),
            node: Rc::clone(node),
        }
    }

    /// Whether the value is null, which LiteLLM treats as absent.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self.node.value, YamlValue::Scalar(Scalar::Null))
    }

    /// Whether both are scalars with the same value.
    pub(crate) fn is_same_scalar(&self, other: &YamlField) -> bool {
        match (&self.node.value, &other.node.value) {
            (YamlValue::Scalar(one), YamlValue::Scalar(other)) => one == other,
            _ => false,
        }
    }

    /// The text, if the value is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.node.value {
            YamlValue::Scalar(Scalar::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The kind of value, for error messages. The value itself is shown only where it cannot be a
    /// secret.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.node.value {
            YamlValue::Sequence(_) => "a list",
            YamlValue::Mapping(_) => "a mapping",
            YamlValue::Scalar(Scalar::Null) => "null",
            YamlValue::Scalar(Scalar::Bool(true)) => "true",
            YamlValue::Scalar(Scalar::Bool(false)) => "false",
            YamlValue::Scalar(Scalar::Integer(_) | Scalar::Float(_)) => "a number",
            YamlValue::Scalar(Scalar::Text(text)) if text.is_empty() => "an empty string",
            YamlValue::Scalar(Scalar::Text(_)) => "a string",
        }
    }

    /// The problem that the value is not `expected`.
    pub(crate) fn not(&self, expected: &'static str) -> FileProblem {
        FileProblem::Unexpected {
            expected: expected.into(),
            found: self.kind().to_owned(),
        }
    }

    /// The elements, if the value is a list.
    pub(crate) fn elements(&self) -> Option<Vec<YamlField>> {
        let YamlValue::Sequence(nodes) = &self.node.value else {
            return None;
        };
        let element = |(index, node)| Self::child(self.location.element(index), node);
        Some(nodes.iter().enumerate().map(element).collect())
    }

    /// The entries, if the value is a mapping.
    pub(crate) fn section(&self) -> Option<Section> {
        let YamlValue::Mapping(entries) = &self.node.value else {
            return None;
        };
        let field = |(name, node): &(String, Rc<YamlNode>)| {
            (name.clone(), Self::child(self.location.field(name), node))
        };
        Some(Section {
            location: self.location.clone(),
            fields: entries.iter().map(field).collect(),
            read: RefCell::default(),
        })
    }
}

/// A mapping that remembers which of its fields have been read. The gateway does not use the
/// others.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    /// Where the mapping is.
    pub location: Location,
    fields: Vec<(String, YamlField)>,
    read: RefCell<BTreeSet<String>>,
}

impl Section {
    /// A mapping without entries.
    pub(crate) fn empty(location: Location) -> Self {
        Section {
            location,
            fields: Vec::new(),
            read: RefCell::default(),
        }
    }

    /// Reads the field `name`. `None` if it is absent or null.
    pub(crate) fn field(&self, name: &str) -> Option<YamlField> {
        self.read.borrow_mut().insert(name.to_owned());
        self.peek(name).cloned()
    }

    /// The field `name`, which does not count as read by this. `None` if it is absent or null.
    pub(crate) fn peek(&self, name: &str) -> Option<&YamlField> {
        let (_, field) = self.fields.iter().find(|(known, _)| known == name)?;
        (!field.is_null()).then_some(field)
    }

    /// Reads the fields whose names satisfy `matches`, in file order, without nulls.
    pub(crate) fn fields_named(&self, matches: impl Fn(&str) -> bool) -> Vec<(String, YamlField)> {
        self.fields
            .iter()
            .filter(|(name, _)| matches(name))
            .filter_map(|(name, _)| Some((name.clone(), self.field(name)?)))
            .collect()
    }

    /// Reads all fields, in file order, with nulls.
    pub(crate) fn fields(&self) -> Vec<(String, YamlField)> {
        let names = self.fields.iter().map(|(name, _)| name.clone());
        self.read.borrow_mut().extend(names);
        self.fields.clone()
    }

    /// All fields without nulls, in file order. None of them counts as read by this.
    pub(crate) fn present(&self) -> impl Iterator<Item = (&str, &YamlField)> {
        self.fields
            .iter()
            .map(|(name, field)| (name.as_str(), field))
            .filter(|(_, field)| !field.is_null())
    }

    /// The fields that have not been read, without nulls.
    pub(crate) fn unused(&self) -> Vec<(String, YamlField)> {
        let read = self.read.borrow();
        self.fields
            .iter()
            .filter(|(name, field)| !read.contains(name) && !field.is_null())
            .cloned()
            .collect()
    }

    /// The names that have been asked for, present or not.
    #[cfg(test)]
    pub(crate) fn names_read(&self) -> Vec<String> {
        self.read.borrow().iter().cloned().collect()
    }

    /// Where `name` is, or would be.
    pub(crate) fn location_of(&self, name: &str) -> Location {
        let known = self.fields.iter().find(|(known, _)| known == name);
        known.map_or_else(|| self.location.field(name), |(_, field)| field.location.clone())
    }
}

/// A value that is not secret, as messages show it.
pub(crate) fn quoted(value: &str) -> String {
    let mut shown: String = value.chars().take(QUOTE_MAX_CHARS).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}
