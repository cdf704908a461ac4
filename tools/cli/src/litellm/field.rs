//! A value of the file together with its place, so that whatever is wrong with it can be said precisely.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::error::{Place, Problem};
use super::scalar::Scalar;
use super::yaml::{Node, Value};

/// Longest value that an error or a note quotes.
const QUOTE_MAX_CHARS: usize = 80;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// Where.
    pub place: Place,
    /// What.
    pub node: Rc<Node>,
}

impl Field {
    /// A field below this one.
    fn below(&self, place: Place, node: &Rc<Node>) -> Field {
        Field {
            place: place.on_line(node.line),
            node: Rc::clone(node),
        }
    }

    /// Whether it is there and says nothing: LiteLLM takes a null as absent.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self.node.value, Value::Scalar(Scalar::Null))
    }

    /// Its text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.node.value {
            Value::Scalar(Scalar::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// What it is, for an error: its type, and its value only where that cannot be a secret.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.node.value {
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
            Value::Scalar(Scalar::Null) => "nothing",
            Value::Scalar(Scalar::Bool(true)) => "true",
            Value::Scalar(Scalar::Bool(false)) => "false",
            Value::Scalar(Scalar::Integer(_) | Scalar::Float(_)) => "a number",
            Value::Scalar(Scalar::Text(text)) if text.is_empty() => "an empty string",
            Value::Scalar(Scalar::Text(_)) => "a string",
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
    pub(crate) fn elements(&self) -> Option<Vec<Field>> {
        let Value::Sequence(nodes) = &self.node.value else {
            return None;
        };
        let element = |(index, node)| self.below(self.place.element(index), node);
        Some(nodes.iter().enumerate().map(element).collect())
    }

    /// Its entries.
    pub(crate) fn section(&self) -> Option<Section> {
        let Value::Mapping(entries) = &self.node.value else {
            return None;
        };
        let field =
            |(name, node): &(String, Rc<Node>)| (name.clone(), self.below(self.place.field(name), node));
        Some(Section {
            place: self.place.clone(),
            fields: entries.iter().map(field).collect(),
            asked: RefCell::default(),
        })
    }
}

/// A mapping that remembers what was asked of it: what nobody asked for is what the gateway does not use.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    /// Where the mapping stands.
    pub place: Place,
    fields: Vec<(String, Field)>,
    asked: RefCell<BTreeSet<String>>,
}

impl Section {
    /// A mapping with nothing in it.
    pub(crate) fn empty(place: Place) -> Self {
        Section {
            place,
            fields: Vec::new(),
            asked: RefCell::default(),
        }
    }

    /// The field `name`, unless it is absent or null.
    pub(crate) fn field(&self, name: &str) -> Option<Field> {
        self.asked.borrow_mut().insert(name.to_owned());
        let (_, field) = self.fields.iter().find(|(known, _)| known == name)?;
        (!field.is_null()).then(|| field.clone())
    }

    /// The fields whose names fit, in the order of the file, unless they are null.
    pub(crate) fn fields_named(&self, fits: impl Fn(&str) -> bool) -> Vec<(String, Field)> {
        let names = self.fields.iter().map(|(name, _)| name);
        let names = names.filter(|name| fits(name));
        names
            .filter_map(|name| Some((name.clone(), self.field(name)?)))
            .collect()
    }

    /// All fields in the order of the file, nulls included, as if each had been asked for.
    pub(crate) fn fields(&self) -> Vec<(String, Field)> {
        self.asked
            .borrow_mut()
            .extend(self.fields.iter().map(|(name, _)| name.clone()));
        self.fields.clone()
    }

    /// All fields without nulls, in the order of the file; none counts as asked for.
    pub(crate) fn present(&self) -> impl Iterator<Item = (&str, &Field)> {
        let fields = self.fields.iter().map(|(name, field)| (name.as_str(), field));
        fields.filter(|(_, field)| !field.is_null())
    }

    /// The fields that nobody asked for, without nulls.
    pub(crate) fn unused(&self) -> Vec<(String, Field)> {
        let asked = self.asked.borrow();
        let unused = |(name, field): &&(String, Field)| !asked.contains(name) && !field.is_null();
        self.fields.iter().filter(unused).cloned().collect()
    }

    /// The names that were asked for: the ones that it could have.
    #[cfg(test)]
    pub(crate) fn known_names(&self) -> Vec<String> {
        self.asked.borrow().iter().cloned().collect()
    }

    /// Where `name` stands, or would stand.
    pub(crate) fn place_of(&self, name: &str) -> Place {
        let known = self.fields.iter().find(|(known, _)| known == name);
        known.map_or_else(|| self.place.field(name), |(_, field)| field.place.clone())
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
