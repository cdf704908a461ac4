//! A configuration file and the files that it includes, merged as in LiteLLM: lists are
//! concatenated, and a later file replaces any other section.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::field::YamlField;
use super::location::Location;
use super::problem::{FileProblem, UnreadableConfig};
use super::reader::{FileNote, Findings, Read, ValueReader};
use super::template;
use super::yaml::{self, YamlNode, YamlValue};

/// Largest file: LiteLLM's largest examples have tens of kilobytes.
const FILE_MAX_BYTES: u64 = 4 * 1024 * 1024;
/// Most files in one configuration.
const FILES_MAX: usize = 256;
/// Most duplicate keys of a file that are reported. A file written by hand has one or two.
const DUPLICATES_MAX: usize = 100;

/// The merged sections of a configuration, in the order in which they first appear.
pub(crate) struct ConfigDocument {
    /// The file that the caller named.
    pub location: Location,
    /// This file and those that it includes, whether or not they can be read.
    pub files: Vec<PathBuf>,
    sections: Vec<(String, Vec<YamlField>)>,
}

impl ConfigDocument {
    /// Reads `path` and its includes. Errors are recorded by `reader`.
    pub(crate) fn read<F: Findings>(path: &Path, reader: &mut ValueReader<'_, F>) -> Self {
        let location = Location::file(&path.display().to_string());
        let mut document = ConfigDocument {
            location: location.clone(),
            files: vec![path.to_owned()],
            sections: Vec::new(),
        };
        let mut loaded = BTreeSet::from([identity(path)]);
        let mut pending = document.merge_file(path, &location, &location, reader);
        pending.reverse();
        while let Some(include) = pending.pop() {
            let file = include.resolved(path);
            if !loaded.insert(identity(&file)) {
                continue;
            }
            if document.files.len() == FILES_MAX {
                reader.unexpected(&include.location, format!("at most {FILES_MAX} files"), "more");
                break;
            }
            let included = Location {
                file_index: document.files.len(),
                ..Location::file(&file.display().to_string())
            };
            document.files.push(file.clone());
            let further = document.merge_file(&file, &included, &include.location, reader);
            // LiteLLM reads breadth first: the includes of a file come after its siblings.
            pending.splice(0..0, further.into_iter().rev());
        }
        document
    }

    /// The value of a section, unless it is absent or null.
    pub(crate) fn section(&self, name: &str) -> Option<YamlField> {
        let field = self.fields(name).last()?;
        (!field.is_null()).then(|| field.clone())
    }

    /// The elements of a list section, from all files.
    pub(crate) fn list<F: Findings>(&self, name: &str, reader: &mut ValueReader<'_, F>) -> Vec<YamlField> {
        let mut elements = Vec::new();
        for field in self.fields(name).iter().filter(|field| !field.is_null()) {
            match field.elements() {
                Some(more) => elements.extend(more),
                None => {
                    reader.file_error(&field.location, field.not("a list"));
                }
            }
        }
        elements
    }

    /// The names of all sections, each with its last value.
    pub(crate) fn sections(&self) -> impl Iterator<Item = (&str, &YamlField)> {
        self.sections
            .iter()
            .filter_map(|(name, fields)| Some((name.as_str(), fields.last()?)))
    }

    fn fields(&self, name: &str) -> &[YamlField] {
        let section = self.sections.iter().find(|(known, _)| known == name);
        section.map_or(&[], |(_, fields)| fields)
    }

    /// Reads a file that is not merged. An error that concerns the whole file is reported at
    /// `requested_at`. With `as_json`, a file in JSON is read faster, but without line numbers.
    pub(crate) fn further_file<F: Findings>(
        &self,
        file: &Path,
        as_json: bool,
        requested_at: &Location,
        reader: &mut ValueReader<'_, F>,
    ) -> Read<YamlField> {
        let location = Location {
            file_index: self.files.len(),
            ..Location::file(&file.display().to_string())
        };
        let text = as_json.then(|| text_of(file).ok()).flatten();
        if let Some(node) = text.and_then(|text| yaml::parse_json(&text)) {
            return Ok(YamlField { location, node });
        }
        let node = load(file, &location, requested_at, reader)?;
        Ok(YamlField { location, node })
    }

    /// Merges `file` and returns its includes. An error that concerns the whole file is reported at
    /// `requested_at`.
    fn merge_file<F: Findings>(
        &mut self,
        file: &Path,
        location: &Location,
        requested_at: &Location,
        reader: &mut ValueReader<'_, F>,
    ) -> Vec<Include> {
        let section = load(file, location, requested_at, reader).and_then(|node| {
            reader.section(&YamlField {
                location: location.clone(),
                node,
            })
        });
        let Ok(section) = section else {
            return Vec::new();
        };
        let mut includes = Vec::new();
        for (name, field) in section.fields() {
            if name == "include" {
                includes = include_list(&field, file, reader);
            } else {
                self.merge(name, field);
            }
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
    /// The file next to the one that includes it or, as in LiteLLM, next to the main file.
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

fn include_list<F: Findings>(
    field: &YamlField,
    file: &Path,
    reader: &mut ValueReader<'_, F>,
) -> Vec<Include> {
    let Some(elements) = field.elements() else {
        reader.file_error(&field.location, field.not("a list of files"));
        return Vec::new();
    };
    let mut includes = Vec::new();
    for element in elements {
        match element.text() {
            Some(name) => includes.push(Include {
                location: element.location.clone(),
                name: name.to_owned(),
                declared_in: file.to_owned(),
            }),
            None => {
                reader.file_error(&element.location, element.not("a file name"));
            }
        }
    }
    includes
}

fn load<F: Findings>(
    file: &Path,
    location: &Location,
    requested_at: &Location,
    reader: &mut ValueReader<'_, F>,
) -> Read<Rc<YamlNode>> {
    let text = text_of(file).map_err(|reason| {
        let included = (location != requested_at).then(|| location.file.clone());
        reader.file_error(requested_at, FileProblem::Unreadable { included, reason })
    })?;
    let (root, duplicates) = yaml::parse(&text).map_err(|error| {
        let problem = FileProblem::Syntax {
            column: error.column,
            found: error.found + template::hint(&text, error.line),
        };
        reader.file_error(&location.clone().on_line(error.line), problem)
    })?;
    for duplicate in duplicates.into_iter().take(DUPLICATES_MAX) {
        let location = location.whole_file().on_line(duplicate.line);
        reader
            .findings
            .note(&location, FileNote::DuplicateKey(duplicate.key));
    }
    Ok(root)
}

fn text_of(file: &Path) -> Result<String, UnreadableConfig> {
    if fs::metadata(file).is_ok_and(|data| data.len() > FILE_MAX_BYTES) {
        return Err(UnreadableConfig::TooLarge(FILE_MAX_BYTES));
    }
    let bytes = fs::read(file).map_err(|error| UnreadableConfig::Io(error.kind()))?;
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(UnreadableConfig::Utf16);
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        UnreadableConfig::NotUtf8 {
            line: 1 + valid.filter(|byte| **byte == b'\n').count(),
        }
    })
}

/// The same for two names of one file, and different for two files.
fn identity(file: &Path) -> PathBuf {
    fs::canonicalize(file).unwrap_or_else(|_| file.to_owned())
}
