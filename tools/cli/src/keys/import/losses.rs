//! What a key or a team has in LiteLLM and has no equal here.

use std::collections::BTreeMap;

/// A setting that has no equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Loss {
    pub(super) setting: String,
    /// What it does in LiteLLM.
    pub(super) meaning: &'static str,
    /// Whether it limits what a key can do.
    pub(super) protects: bool,
}

impl Loss {
    pub(super) fn left(setting: impl Into<String>, meaning: &'static str) -> Self {
        Self {
            setting: setting.into(),
            meaning,
            protects: false,
        }
    }

    pub(super) fn protecting(setting: impl Into<String>, meaning: &'static str) -> Self {
        Self {
            protects: true,
            ..Self::left(setting, meaning)
        }
    }
}

/// Who has a setting that has no equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LossOwners {
    pub(super) meaning: &'static str,
    pub(super) protects: bool,
    /// The aliases or tokens of the keys.
    pub(super) keys: Vec<String>,
    /// The ids of the teams.
    pub(super) teams: Vec<String>,
}

/// All settings that have no equal, by name.
pub(super) type LossesByName = BTreeMap<String, LossOwners>;

/// Which kind of owner a loss has.
#[derive(Clone, Copy)]
pub(super) enum Owner<'a> {
    Key(&'a str),
    Team(&'a str),
}

/// Adds the losses of one key or team.
pub(super) fn record(all: &mut LossesByName, losses: &[Loss], owner: Owner<'_>) {
    for loss in losses {
        let owners = all.entry(loss.setting.clone()).or_insert_with(|| LossOwners {
            meaning: loss.meaning,
            protects: loss.protects,
            keys: Vec::new(),
            teams: Vec::new(),
        });
        owners.protects |= loss.protects;
        match owner {
            Owner::Key(name) => owners.keys.push(name.to_owned()),
            Owner::Team(name) => owners.teams.push(name.to_owned()),
        }
    }
}
