//! What is said about the settings that nothing here reads.

use super::alike::most_alike;
use super::judge;
use super::known::{self, Fate, Table};
use super::note::Class;
use super::reader::Reader;
use crate::document::field::{Section, YamlField};
use crate::document::location::Location;

/// How alike two names are (0 to 1) before one is taken for a slip of the other.
const SIMILAR: f64 = 0.92;
/// Most letters that a slip changes, unless it only adds or leaves out the end. Long names with the same beginning are
/// alike, but are not slips of each other.
const EDITS_MAX: usize = 4;
/// Shortest name that is compared: very short ones are alike by chance.
const SIMILAR_MIN_CHARS: usize = 4;

/// Why a setting that is off needs no attention.
pub(crate) const OFF: &str = "it is switched off in the file";

/// Why a section for anchors needs no attention.
const HOLDER: &str = "it only holds what anchors repeat";

/// Whether a section is one for anchors by its name, as in Docker Compose.
fn is_holder(name: &str) -> bool {
    name.starts_with("x-") || name.starts_with('.') || name.starts_with('_')
}

/// Says something about each setting of `section` that nobody asked for.
pub(crate) fn tell(section: &Section, table: &Table, reader: &mut Reader<'_>) {
    #[cfg(test)]
    assert_documented(section, table);
    for (name, field) in section.unused() {
        setting(table, &name, &field, reader);
    }
}

/// Says something about one setting.
pub(crate) fn setting(table: &Table, name: &str, field: &YamlField, reader: &mut Reader<'_>) {
    let location = &field.location;
    match table.fate(name) {
        None => unknown(table, name, location, reader),
        Some(Fate::NotNeeded(why)) => reader.note_of(Class::NotNeeded, location, why, ""),
        Some(Fate::NoEffect(_) | Fate::Protects(_)) if judge::is_off(table, name, field, reader) => {
            reader.note_of(Class::NotNeeded, location, OFF, "");
        }
        Some(Fate::NoEffect(lost)) => reader.note_of(Class::NoEffect, location, lost, ""),
        Some(Fate::Protects(lost)) => reader.protects(table.name, name, location, lost),
        Some(Fate::ByValue(_)) => judge::by_value(table, name, field, reader),
        // Of a credential that no deployment names.
        Some(Fate::Used(_) | Fate::Refused(_)) => reader.note(location, "nothing reads it"),
    }
}

/// A name that LiteLLM does not have there either.
fn unknown(table: &Table, name: &str, location: &Location, reader: &mut Reader<'_>) {
    if let Some((home, works)) = known::homes(name, table.name).into_iter().next() {
        let text = if works {
            format!("LiteLLM does not read it there: it belongs {home}")
        } else {
            format!("LiteLLM reads it {home}, where it has no effect here either")
        };
        return reader.note_of(Class::Unknown, location, text, "");
    }
    if table.name == known::SECTIONS.name && is_holder(name) {
        return reader.note_of(Class::NotNeeded, location, HOLDER, "");
    }
    if let Some(nearest) = nearest(name, table.names()) {
        return reader.note_of(Class::Unknown, location, format!("did you mean {nearest}?"), "");
    }
    if table.name == known::MODEL_INFO.name {
        let text = "it only describes the deployment";
        return reader.note_of(Class::NotNeeded, location, text, "");
    }
    let text = if table.name == known::LITELLM_PARAMS.name {
        "LiteLLM would add it to a request's body, and nothing is added here"
    } else {
        "LiteLLM has no such setting"
    };
    reader.note_of(Class::Unknown, location, text, "");
}

/// The name that `name` is probably a slip of.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if name.chars().count() < SIMILAR_MIN_CHARS {
        return None;
    }
    let is_near = |known: &&str| {
        let is_cut = known.starts_with(name) || name.starts_with(known);
        is_cut || strsim::damerau_levenshtein(known, name) <= EDITS_MAX
    };
    most_alike(names.filter(is_near), SIMILAR, |known| {
        strsim::jaro_winkler(known, name)
    })
}

/// Whatever the reading asks for is in the tables, and so in the documentation.
#[cfg(test)]
fn assert_documented(section: &Section, table: &Table) {
    use crate::prices::{RateField, is_other_unit};
    for name in section.known_names() {
        let is_known = matches!(table.fate(&name), Some(Fate::Used(_) | Fate::Refused(_)));
        assert!(
            is_known || RateField::parse(&name).is_some() || is_other_unit(&name),
            "{}.{name} is read, but the table does not say so",
            table.name
        );
    }
}
