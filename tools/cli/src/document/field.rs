//! A value of the file together with its place, so that whatever is wrong with it can be said precisely.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::scalar::Scalar;
use super::yaml::{YamlNode, YamlValue};
use crate::document::location::Location;
use crate::litellm::error::Problem;

/// Longest value that an error or a note quotes.
const QUOTE_MAX_CHARS: usize = 80;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct YamlField {
    /// Where.
    pub location: Location,
    /// What.
    pub node: Rc<YamlNode>,
}

impl YamlField {
    /// A field below this one.
    fn below(&self, location: Location, node: &Rc<YamlNode>) -> YamlField {
        YamlField {
            location: location.on_line(node.line),
            node: Rc::clone(node),
        }
    }

    /// Whether it is there and says nothing: LiteLLM takes a null as absent.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self.node.value, YamlValue::Scalar(Scalar::Null))
    }

    /// Its text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.node.value {
            YamlValue::Scalar(Scalar::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// What it is, for an error: its type, and its value only where that cannot be a secret.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.node.value {
            YamlValue::Sequence(_) => "a list",
            YamlValue::Mapping(_) => "a mapping",
            YamlValue::Scalar(Scalar::Null) => "nothing",
            YamlValue::Scalar(Scalar::Bool(true)) => "true",
            YamlValue::Scalar(Scalar::Bool(false)) => "false",
            YamlValue::Scalar(Scalar::Integer(_) | Scalar::Float(_)) => "a number",
            YamlValue::Scalar(Scalar::Text(text)) if text.is_empty() => "an empty string",
            YamlValue::Scalar(Scalar::Text(_)) => "a string",
        }
    }

    /// The complaint that it is of another type than `expected`.
    pub(crate) fn not(&self, expected: &'static str) -> Problem {
        Problem::Unexpected {
            expected: expected.into(),
            found: self.kind().to_owned(),
        }
    }

    /// Its elements.
    pub(crate) fn elements(&self) -> Option<Vec<YamlField>> {
        let YamlValue::Sequence(nodes) = &self.node.value else {
            return None;
        };
        let element = |(index, node)| self.below(self.location.element(index), node);
        Some(nodes.iter().enumerate().map(element).collect())
    }

    /// Its entries.
    pub(crate) fn section(&self) -> Option<Section> {
        let YamlValue::Mapping(entries) = &self.node.value else {
            return None;
        };
        let field = |(name, node): &(String, Rc<YamlNode>)| {
            (name.clone(), self.below(self.location.field(name), node))
        };
        Some(Section {
            location: self.location.clone(),
            fields: entries.iter().map(field).collect(),
            asked: RefCell::default(),
        })
    }
}

/// A mapping that remembers what was asked of it: what nobody asked for is what the gateway does not use.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    /// Where the mapping stands.
    pub location: Location,
    fields: Vec<(String, YamlField)>,
    asked: RefCell<BTreeSet<String>>,
}

impl Section {
    /// A mapping with nothing in it.
    pub(crate) fn empty(location: Location) -> Self {
        Section {
            location,
            fields: Vec::new(),
            asked: RefCell::default(),
        }
    }

    /// The field `name`, unless it is absent or null.
    pub(crate) fn field(&self, name: &str) -> Option<YamlField> {
        self.asked.borrow_mut().insert(name.to_owned());
        let (_, field) = self.fields.iter().find(|(known, _)| known == name)?;
        (!field.is_null()).then(|| field.clone())
    }

    /// The fields whose names fit, in the order of the file, unless they are null.
    pub(crate) fn fields_named(&self, fits: impl Fn(&str) -> bool) -> Vec<(String, YamlField)> {
        let names = self.fields.iter().map(|(name, _)| name);
        let names = names.filter(|name| fits(name));
        names
            .filter_map(|name| Some((name.clone(), self.field(name)?)))
            .collect()
    }

    /// All fields in the order of the file, nulls included, as if each had been asked for.
    pub(crate) fn fields(&self) -> Vec<(String, YamlField)> {
        self.asked
            .borrow_mut()
            .extend(self.fields.iter().map(|(name, _)| name.clone()));
        self.fields.clone()
    }

    /// All fields without nulls, in the order of the file; none counts as asked for.
    pub(crate) fn present(&self) -> impl Iterator<Item = (&str, &YamlField)> {
        let fields = self.fields.iter().map(|(name, field)| (name.as_str(), field));
        fields.filter(|(_, field)| !field.is_null())
    }

    /// The fields that nobody asked for, without nulls.
    pub(crate) fn unused(&self) -> Vec<(String, YamlField)> {
        let asked = self.asked.borrow();
        let unused = |(name, field): &&(String, YamlField)| !asked.contains(name) && !field.is_null();
        self.fields.iter().filter(unused).cloned().collect()
    }

    /// The names that were asked for: the ones that it could have.
    #[cfg(test)]
    pub(crate) fn known_names(&self) -> Vec<String> {
        self.asked.borrow().iter().cloned().collect()
    }

    /// Where `name` stands, or would stand.
    pub(crate) fn location_of(&self, name: &str) -> Location {
        let known = self.fields.iter().find(|(known, _)| known == name);
        known.map_or_else(|| self.location.field(name), |(_, field)| field.location.clone())
    }
}

/// A value that is no secret, as an error or a note shows it.
pub(crate) fn quoted(value: &str) -> String {
    let mut shown: String = value.chars().take(QUOTE_MAX_CHARS).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}
