//! Which keys of the file the gateway does not use, told once for each name.

use super::error::Place;
use super::field::Section;
use super::reader::Reader;

/// How alike two names are (0 to 1) before one is taken for a slip of the other.
const SIMILAR: f64 = 0.94;
/// Most places that a note lists.
const PLACES_MAX: usize = 3;

/// The keys that were not used so far.
#[derive(Default)]
pub(crate) struct Unused {
    keys: Vec<Key>,
}

struct Key {
    section: &'static str,
    name: String,
    suggestion: Option<String>,
    is_known: bool,
    places: Vec<Place>,
}

impl Unused {
    /// Takes the keys of `section` that nobody asked for. `known` are LiteLLM's.
    pub(crate) fn collect(&mut self, section: &Section, name: &'static str, known: &str) {
        let used = section.known_names();
        for (key, field) in section.unused() {
            self.add(name, &key, field.place, known, &used);
        }
    }

    /// Takes one key.
    pub(crate) fn add(
        &mut self,
        section: &'static str,
        key: &str,
        place: Place,
        known: &str,
        used: &[String],
    ) {
        if let Some(entry) = self
            .keys
            .iter_mut()
            .find(|entry| entry.section == section && entry.name == key)
        {
            entry.places.push(place);
            return;
        }
        let is_known =
            known.split_whitespace().any(|name| name == key) || used.iter().any(|name| name == key);
        let suggestion = used
            .iter()
            .map(|name| (strsim::jaro_winkler(name, key), name))
            .filter(|(likeness, _)| !is_known && *likeness >= SIMILAR)
            .max_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(_, name)| name.clone());
        self.keys.push(Key {
            section,
            name: key.to_owned(),
            suggestion,
            is_known,
            places: vec![place],
        });
    }

    /// Tells them.
    pub(crate) fn tell(self, reader: &mut Reader<'_>) {
        for Key {
            suggestion,
            is_known,
            places,
            ..
        } in self.keys
        {
            let mut text = if is_known {
                "not supported yet, so it has no effect"
            } else {
                "unknown, so it is ignored"
            }
            .to_owned();
            if let Some(suggestion) = suggestion {
                text.push_str(&format!(" (did you mean {suggestion}?)"));
            }
            let Some((first, others)) = places.split_first() else {
                continue;
            };
            if !others.is_empty() {
                let mut shown: Vec<&str> = others
                    .iter()
                    .take(PLACES_MAX)
                    .map(|place| place.path.as_str())
                    .collect();
                let more = format!("{} more", others.len().saturating_sub(PLACES_MAX));
                if others.len() > PLACES_MAX {
                    shown.push(&more);
                }
                text.push_str(&format!(" (also {})", shown.join(", ")));
            }
            reader.note(first, text);
        }
    }
}
