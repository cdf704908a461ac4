//! The configuration file with everything that it includes, merged as LiteLLM does: lists are joined, anything else
//! is replaced by the later file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::error::Problem;
use super::misplaced;
use super::reader::Reader;
use crate::document::field::YamlField;
use crate::document::location::Location;
use crate::document::scalar::Scalar;
use crate::document::yaml::{self, YamlNode, YamlValue};

/// Largest file: LiteLLM's largest examples have some ten kilobytes.
const FILE_MAX_BYTES: u64 = 4 * 1024 * 1024;
/// Most files that one configuration consists of.
const FILES_MAX: usize = 256;

/// Most repeated keys of a file that are noted: a file has one or two, or is not meant to be read by people.
const DUPLICATES_MAX: usize = 100;

/// The sections of a configuration, in the order of their first appearance.
pub(crate) struct Document {
    /// The file that was named, as a place.
    pub location: Location,
    sections: Vec<(String, Vec<YamlField>)>,
}

impl Document {
    /// Reads `path` and its includes. What is wrong is left with `reader`.
    pub(crate) fn read(path: &Path, reader: &mut Reader<'_>) -> Document {
        let location = Location::file(&path.display().to_string());
        let mut document = Document {
            location: location.clone(),
            sections: Vec::new(),
        };
        let mut loaded = BTreeSet::from([identity(path)]);
        let mut pending = document.merge_file(path, &location, &location, reader);
        pending.reverse();
        let mut files = 1;
        while let Some(include) = pending.pop() {
            let file = include.resolved(path);
            if !loaded.insert(identity(&file)) {
                continue;
            }
            if files == FILES_MAX {
                reader.unexpected::<()>(&include.location, format!("at most {FILES_MAX} files"), "more");
                break;
            }
            let included = Location {
                file_index: files,
                ..Location::file(&file.display().to_string())
            };
            files += 1;
            let further = document.merge_file(&file, &included, &include.location, reader);
            // LiteLLM reads breadth first: what a file includes comes after its siblings.
            pending.splice(0..0, further.into_iter().rev());
        }
        document
    }

    /// The one value of a section, unless it is absent or null.
    pub(crate) fn section(&self, name: &str) -> Option<YamlField> {
        let (_, fields) = self.sections.iter().find(|(known, _)| known == name)?;
        fields.last().filter(|field| !field.is_null()).cloned()
    }

    /// The elements of a list of all files together.
    pub(crate) fn list(&self, name: &str, reader: &mut Reader<'_>) -> Vec<YamlField> {
        let fields = self
            .sections
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, fields)| fields.clone());
        let mut elements = Vec::new();
        for field in fields.into_iter().flatten().filter(|field| !field.is_null()) {
            match field.elements() {
                Some(more) => elements.extend(more),
                None => {
                    reader.wrong::<()>(&field.location, field.not("a list"));
                }
            }
        }
        elements
    }

    /// The names of all sections and where each stands.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, &YamlField)> {
        self.sections
            .iter()
            .filter_map(|(name, fields)| Some((name.as_str(), fields.last()?)))
    }

    /// Merges `file` and returns what it includes. `asked_at` is where the file is asked for.
    fn merge_file(
        &mut self,
        file: &Path,
        location: &Location,
        asked_at: &Location,
        reader: &mut Reader<'_>,
    ) -> Vec<Include> {
        let Some(root) = load(file, location, asked_at, reader) else {
            return Vec::new();
        };
        let root = YamlField {
            location: location.clone(),
            node: root,
        };
        let Some(section) = reader.section(&root) else {
            return Vec::new();
        };
        let mut includes = Vec::new();
        for (name, field) in section.fields() {
            if name == "include" {
                includes = entries(&field, file, reader);
                continue;
            }
            self.merge(name, field);
        }
        includes
    }

    fn merge(&mut self, name: String, field: YamlField) {
        let Some((_, known)) = self.sections.iter_mut().find(|(known, _)| *known == name) else {
            self.sections.push((name, vec![field]));
            return;
        };
        let is_list = |field: &YamlField| matches!(field.node.value, YamlValue::Sequence(_));
        if !(is_list(&field) && known.iter().all(is_list)) {
            known.clear();
        }
        known.push(field);
    }
}

/// An entry of `include`.
struct Include {
    location: Location,
    name: String,
    declared_in: PathBuf,
}

impl Include {
    /// The file next to the one that includes it, else (as LiteLLM still does) next to the first of all.
    fn resolved(&self, root: &Path) -> PathBuf {
        let beside = |file: &Path| file.parent().unwrap_or(Path::new("")).join(&self.name);
        let declared = beside(&self.declared_in);
        let fallback = beside(root);
        if !declared.exists() && fallback.exists() {
            fallback
        } else {
            declared
        }
    }
}

fn entries(field: &YamlField, file: &Path, reader: &mut Reader<'_>) -> Vec<Include> {
    let Some(elements) = field.elements() else {
        reader.wrong::<()>(&field.location, field.not("a list of files"));
        return Vec::new();
    };
    let mut includes = Vec::new();
    for element in elements {
        if let YamlValue::Scalar(Scalar::Text(name)) = &element.node.value {
            let (location, name) = (element.location.clone(), name.clone());
            includes.push(Include {
                location,
                name,
                declared_in: file.to_owned(),
            });
        } else {
            reader.wrong::<()>(&element.location, element.not("the name of a file"));
        }
    }
    includes
}

fn load(
    file: &Path,
    location: &Location,
    asked_at: &Location,
    reader: &mut Reader<'_>,
) -> Option<Rc<YamlNode>> {
    let unreadable = |why: String| {
        let why = if location == asked_at {
            why
        } else {
            format!("{why} ({})", location.file)
        };
        Problem::Unreadable(why)
    };
    let text = match fs::metadata(file) {
        Ok(data) if data.len() > FILE_MAX_BYTES => {
            return reader.wrong(asked_at, unreadable(format!("more than {FILE_MAX_BYTES} bytes")));
        }
        _ => match fs::read(file)
            .map_err(|error| error.kind().to_string())
            .and_then(utf8)
        {
            Ok(text) => text,
            Err(why) => return reader.wrong(asked_at, unreadable(why)),
        },
    };
    match yaml::parse(&text) {
        Ok((root, duplicates)) => {
            for duplicate in duplicates.into_iter().take(DUPLICATES_MAX) {
                let location = Location {
                    path: String::new(),
                    ..location.clone().on_line(duplicate.line)
                };
                let key = crate::document::field::quoted(&duplicate.key);
                reader.note(
                    &location,
                    format!("the key {key} is there twice: the last one counts"),
                );
            }
            Some(root)
        }
        Err(error) => {
            let problem = Problem::Syntax {
                column: error.column,
                found: error.found + misplaced::hint(&text, error.line),
            };
            reader.wrong(&location.clone().on_line(error.line), problem)
        }
    }
}

/// The text of a file. Windows' own programs write UTF-16, which LiteLLM does not take either.
fn utf8(bytes: Vec<u8>) -> Result<String, String> {
    let is_utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = 1 + line.filter(|byte| **byte == b'\n').count();
        if is_utf16 {
            "UTF-16: save it as UTF-8".to_owned()
        } else {
            format!("a character that is not UTF-8 in line {line}: save it as UTF-8")
        }
    })
}

/// What tells two names of one file apart from two files.
fn identity(file: &Path) -> PathBuf {
    fs::canonicalize(file).unwrap_or_else(|_| file.to_owned())
}
