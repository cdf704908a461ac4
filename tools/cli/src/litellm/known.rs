//! What becomes of each of LiteLLM's settings. The tables are the source of docs/litellm-settings.md, too.
//!
//! A row names the settings that share a fate, separated by white space. What is in no row is unknown.

mod deployment;
mod general;
mod litellm;
mod router;
mod sections;

pub(crate) use deployment::{LITELLM_PARAMS, MODEL_INFO};
pub(crate) use general::GENERAL_SETTINGS;
pub(crate) use general::HEADERS;
pub(crate) use litellm::{LITELLM_SETTINGS, SERVICE, TOOLS};
pub(crate) use router::{AFFINITY, ROUTER_SETTINGS};
pub(crate) use sections::{CREDENTIAL_LIST, ENVIRONMENT_VARIABLES, MODEL_LIST, SECTIONS};

use Fate::{ByValue, NoEffect, NotNeeded, Protects, Refused, Used};

/// What becomes of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It works; what it does.
    Used(&'static str),
    /// This gateway does not need it; why.
    NotNeeded(&'static str),
    /// It has no effect; what is lost, and what to do.
    NoEffect(&'static str),
    /// It limits who may do what, and does not work: the file is refused unless that is accepted. What is lost.
    Protects(&'static str),
    /// It says whose rights to use, and does not work: the file is refused.
    Refused(&'static str),
    /// Its value decides, in [`super::judge`]; how.
    ByValue(&'static str),
}

/// Settings that share a fate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row(pub &'static str, pub Fate);

impl Row {
    /// The names of its settings.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        self.0.split_whitespace()
    }
}

/// A section of the file with the settings that it can have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table {
    /// Its name, as messages show it: `general_settings`.
    pub name: &'static str,
    /// Its settings.
    pub rows: &'static [Row],
}

/// All tables, in the order of the documentation.
pub(crate) const TABLES: [Table; 9] = [
    SECTIONS,
    MODEL_LIST,
    LITELLM_PARAMS,
    MODEL_INFO,
    CREDENTIAL_LIST,
    ROUTER_SETTINGS,
    LITELLM_SETTINGS,
    GENERAL_SETTINGS,
    ENVIRONMENT_VARIABLES,
];

impl Table {
    /// What becomes of `name`; `None` if it is unknown.
    pub(crate) fn fate(&self, name: &str) -> Option<Fate> {
        let row = self
            .rows
            .iter()
            .find(|row| row.names().any(|known| known == name))?;
        Some(row.1)
    }

    /// The names of its settings.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.rows.iter().flat_map(|row| row.names())
    }
}

/// The tables of one deployment. A setting that stands outside of them was meant for all.
const OF_A_DEPLOYMENT: [&str; 3] = [MODEL_LIST.name, LITELLM_PARAMS.name, MODEL_INFO.name];

/// The other places where `name` is a setting, as in "it belongs in general_settings", and whether it works there; first
/// those that hold for as much of the file as `except` does.
pub(crate) fn homes(name: &str, except: &str) -> Vec<(String, bool)> {
    let is_of_deployment = |table: &str| OF_A_DEPLOYMENT.contains(&table);
    let others = TABLES
        .iter()
        .filter(|table| table.name != except && table.name != ENVIRONMENT_VARIABLES.name);
    let mut homes: Vec<&Table> = others.filter(|table| table.fate(name).is_some()).collect();
    homes.sort_by_key(|table| is_of_deployment(table.name) != is_of_deployment(except));
    let location = |table: &Table| match table.name {
        "" => "at the top of the file".to_owned(),
        name => format!("in {name}"),
    };
    let works = |table: &Table| !matches!(table.fate(name), Some(NoEffect(_) | NotNeeded(_)));
    homes
        .into_iter()
        .map(|table| (location(table), works(table)))
        .collect()
}

#[cfg(test)]
mod tests;
