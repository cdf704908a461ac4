//! Settings that protect and do not work here: the file is refused unless the operator accepts
//! that.

use super::known::{Fate, TABLES, TableRow};
use super::note::Class;
use super::problem::Problem;
use super::report::Reader;
use super::similar::nearest;
use super::tolerance::ACCEPT_UNPROTECTED;
use crate::document::field::quoted;
use crate::document::location::Location;

impl Reader<'_> {
    /// Records that the setting `name` of `section` protects and does not work here.
    pub(crate) fn unprotected(&mut self, section: &str, name: &str, location: &Location, lost: &'static str) {
        let tolerance = self.findings.tolerance;
        match tolerance.accepting(section, name, location) {
            Some(entry) => {
                self.findings.accepted.insert(entry.to_owned());
                self.note_of(Class::Accepted, location, lost);
            }
            None => {
                let name = name.to_owned();
                self.error(location, Problem::Unprotected { name, lost });
            }
        }
    }

    /// Checks the entries of `--accept-unprotected` that have accepted nothing.
    pub(crate) fn check_accepted(&mut self) {
        let location = Location {
            file_index: usize::MAX,
            ..Location::file(ACCEPT_UNPROTECTED)
        };
        let tolerance = self.findings.tolerance;
        let accepted = std::mem::take(&mut self.findings.accepted);
        for entry in tolerance.accepted().filter(|entry| !accepted.contains(*entry)) {
            let (_, last) = entry.rsplit_once('.').unwrap_or(("", entry));
            let (name, _) = last.split_once('[').unwrap_or((last, ""));
            if protecting().any(|known| known == name) {
                let text =
                    format!("{entry} protects nothing in this file: remove it from {ACCEPT_UNPROTECTED}");
                self.note(&location, text);
                continue;
            }
            let hint = nearest(name, protecting()).map(|nearest| format!(" (did you mean {nearest}?)"));
            let found = quoted(entry) + &hint.unwrap_or_default();
            self.unexpected(&location, "the name of a protecting setting", found);
        }
    }
}

/// The names of all settings that protect, at least with some values.
fn protecting() -> impl Iterator<Item = &'static str> {
    TABLES
        .iter()
        .flat_map(|table| table.rows)
        .filter(|TableRow(_, fate)| matches!(fate, Fate::Protects(_) | Fate::ByValue(_)))
        .flat_map(|row| row.names())
}
