//! Tables of settings and what happens to them.

/// What happens to a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It works; what it does.
    Used(&'static str),
    /// This gateway does not need it; why.
    NotNeeded(&'static str),
    /// It has no effect; what is lost, and what to do instead.
    NoEffect(&'static str),
    /// It protects and does not work: the file is refused unless the operator accepts that. What is
    /// lost.
    Protects(&'static str),
    /// Its value decides, in [`crate::litellm::by_value`]; how.
    ByValue(&'static str),
}

/// The names of settings, separated by white space, and what happens to them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableRow(pub &'static str, pub Fate);

impl TableRow {
    /// The names of the settings.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        self.0.split_whitespace()
    }
}

/// The settings that a section of the file can have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table {
    /// The name of the section in messages, such as `general_settings`.
    pub name: &'static str,
    /// The settings.
    pub rows: &'static [TableRow],
}

impl Table {
    /// What happens to `name`; `None` if it is unknown.
    pub(crate) fn fate(&self, name: &str) -> Option<Fate> {
        let row = self
            .rows
            .iter()
            .find(|row| row.names().any(|known| known == name))?;
        Some(row.1)
    }

    /// The names of the settings.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.rows.iter().flat_map(|row| row.names())
    }
}
