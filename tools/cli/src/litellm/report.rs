//! What a reading finds: errors and notes, in reading order until the end.

use std::collections::BTreeSet;

use super::note::{Class, Note};
use super::problem::{Problem, ReadError};
use super::tolerance::Tolerance;
use crate::document::field::quoted;
use crate::document::location::Location;
use crate::document::problem::FileProblem;
use crate::document::reader::{self, FileNote, Findings, Reported};

/// A reader of LiteLLM's settings.
pub(crate) type Reader<'a> = reader::ValueReader<'a, ReadReport<'a>>;

/// Errors and notes.
pub(crate) struct ReadReport<'a> {
    /// What the operator accepts.
    pub tolerance: &'a Tolerance,
    /// The entries of `--accept-unprotected` that have accepted something.
    pub accepted: BTreeSet<String>,
    errors: Vec<ReadError>,
    notes: Vec<Note>,
}

/// A point in a report.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    errors: usize,
    notes: usize,
}

impl<'a> ReadReport<'a> {
    /// An empty report.
    pub(crate) fn new(tolerance: &'a Tolerance) -> Self {
        ReadReport {
            tolerance,
            accepted: BTreeSet::new(),
            errors: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a note, unless it is there already.
    pub(crate) fn add(&mut self, note: Note) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Whether there are errors.
    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// The current end of the report.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            errors: self.errors.len(),
            notes: self.notes.len(),
        }
    }

    /// Whether there are errors after `mark`.
    pub(crate) fn has_errors_since(&self, mark: Mark) -> bool {
        self.errors.len() > mark.errors
    }

    /// Removes what was found after `mark` and returns the errors.
    pub(crate) fn take_back(&mut self, mark: Mark) -> Vec<ReadError> {
        self.notes.truncate(mark.notes);
        self.errors.split_off(mark.errors.min(self.errors.len()))
    }

    /// The errors and the notes, each in the order of the files.
    pub(crate) fn finish(self) -> (Vec<ReadError>, Vec<Note>) {
        let ReadReport {
            mut errors,
            mut notes,
            ..
        } = self;
        // Deployments that share a credential also share its errors.
        let mut seen = BTreeSet::new();
        errors.retain(|error| seen.insert(error.to_string()));
        errors.sort_by_key(|error| position(&error.location));
        notes.sort_by_key(|note| position(&note.location));
        (errors, notes)
    }
}

impl Findings for ReadReport<'_> {
    fn error(&mut self, location: &Location, problem: FileProblem) {
        self.errors.push(ReadError {
            location: location.clone(),
            problem: problem.into(),
        });
    }

    fn note(&mut self, location: &Location, note: FileNote) {
        self.add(match note {
            FileNote::DuplicateKey(key) => {
                let text = format!("duplicate key {}: the last one counts", quoted(&key));
                Note::new(Class::General, location, text)
            }
            FileNote::LiteralSecret { variable } => {
                let text = "literal secret: Envoy gets it in an environment variable";
                Note::new(Class::General, location, text).with_detail(variable)
            }
        });
    }
}

impl Reader<'_> {
    /// Records an error.
    pub(crate) fn error(&mut self, location: &Location, problem: Problem) -> Reported {
        let location = location.clone();
        self.findings.errors.push(ReadError { location, problem });
        Reported
    }

    /// Records a note without a more specific class.
    pub(crate) fn note(&mut self, location: &Location, text: impl Into<String>) {
        self.note_of(Class::General, location, text);
    }

    /// Records a note.
    pub(crate) fn note_of(&mut self, class: Class, location: &Location, text: impl Into<String>) {
        self.findings.add(Note::new(class, location, text));
    }

    /// Records a note of which only `detail` differs between locations: such notes are shown as
    /// one.
    pub(crate) fn note_with(
        &mut self,
        location: &Location,
        text: impl Into<String>,
        detail: impl Into<String>,
    ) {
        let note = Note::new(Class::General, location, text).with_detail(detail);
        self.findings.add(note);
    }
}

fn position(location: &Location) -> (usize, usize) {
    (location.file_index, location.line.unwrap_or(usize::MAX))
}
