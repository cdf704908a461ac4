//! What the operator accepts of a file that cannot be served as it is written.

use std::collections::BTreeSet;

use clap::builder::FalseyValueParser;

use super::error::Problem;
use super::known::{Fate, TABLES};
use super::note::Class;
use super::reader::Reader;
use super::unused::nearest;
use crate::document::field::quoted;
use crate::document::location::Location;

/// Where the names stand that are accepted.
const FLAG: &str = "--accept-unprotected";

/// What the operator accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct Tolerance {
    /// Start without the protection of these settings (allowed_ips, or general_settings.allowed_ips), which do not work
    /// here; may be repeated.
    #[arg(
        long,
        env = "ACCEPT_UNPROTECTED",
        value_name = "NAME[,NAME…]",
        value_delimiter = ','
    )]
    pub accept_unprotected: Vec<String>,
    /// Start without the deployments that cannot be served; each is named with the reason.
    #[arg(long, env = "LEAVE_OUT_UNSUPPORTED", value_parser = FalseyValueParser::new())]
    pub leave_out_unsupported: bool,
}

impl Tolerance {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.accept_unprotected
            .iter()
            .map(|name| name.trim())
            .filter(|name| !name.is_empty())
    }

    /// The entry that accepts the setting `name` of `section` at `place`.
    pub(crate) fn accepting(&self, section: &str, name: &str, location: &Location) -> Option<&str> {
        let accepts = |entry: &&str| {
            let qualified = entry.rsplit_once('.');
            *entry == name || *entry == location.path || qualified == Some((section, name))
        };
        self.names().find(accepts)
    }

    /// Checks the names that nothing in the file asked for. `used` are the others.
    pub(crate) fn check(&self, used: &BTreeSet<String>, reader: &mut Reader<'_>) {
        let location = Location {
            file_index: usize::MAX,
            ..Location::file(FLAG)
        };
        for entry in self.names().filter(|entry| !used.contains(*entry)) {
            let name = entry.rsplit('.').next().unwrap_or_default();
            let name = name.split('[').next().unwrap_or_default();
            if protecting().any(|known| known == name) {
                let text = format!("{entry} protects nothing in this file: leave it out of {FLAG}");
                reader.note_of(Class::General, &location, text, "");
                continue;
            }
            let mut found = quoted(entry);
            if let Some(nearest) = nearest(name, protecting()) {
                found.push_str(&format!(" (did you mean {nearest}?)"));
            }
            reader.unexpected::<()>(&location, "the name of a setting that protects", found);
        }
    }
}

/// The names of all settings that protect, with those of which some values do.
fn protecting() -> impl Iterator<Item = &'static str> {
    let rows = TABLES.iter().flat_map(|table| table.rows);
    let rows = rows.filter(|row| matches!(row.1, Fate::Protects(_) | Fate::ByValue(_)));
    rows.flat_map(|row| row.names())
}

/// The settings that `problems` are about and that would have to be accepted, each once.
pub(crate) fn unprotected<'a>(problems: impl Iterator<Item = &'a Problem>) -> BTreeSet<String> {
    problems
        .filter_map(|problem| match problem {
            Problem::Unprotected { name, .. } => Some(name.clone()),
            _ => None,
        })
        .collect()
}
