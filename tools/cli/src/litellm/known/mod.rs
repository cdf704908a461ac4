//! What happens to each of LiteLLM's settings. docs/litellm-settings.md is generated from these
//! tables.
//!
//! A setting that no table contains is unknown.

mod deployment;
mod general;
mod litellm;
mod own;
mod phrases;
mod router;
mod sections;
mod table;

#[cfg(test)]
mod tests;

pub(crate) use deployment::{LITELLM_PARAMS, MODEL_INFO};
pub(crate) use general::GENERAL_SETTINGS;
pub(crate) use litellm::LITELLM_SETTINGS;
pub(crate) use own::ENVOY_BEDROCK;
pub(crate) use phrases::{AFFINITY, HEADERS, LONG_REQUESTS, SERVICE, TOOLS};
pub(crate) use router::ROUTER_SETTINGS;
pub(crate) use sections::{CREDENTIAL_LIST, ENVIRONMENT_VARIABLES, MODEL_LIST, SECTIONS};
pub(crate) use table::{Fate, Table, TableRow};

/// All tables, in the order of the documentation.
pub(crate) const TABLES: [Table; 10] = [
    SECTIONS,
    MODEL_LIST,
    LITELLM_PARAMS,
    MODEL_INFO,
    CREDENTIAL_LIST,
    ROUTER_SETTINGS,
    LITELLM_SETTINGS,
    GENERAL_SETTINGS,
    ENVOY_BEDROCK,
    ENVIRONMENT_VARIABLES,
];

/// The tables of one deployment. The settings of the others apply to all deployments.
const OF_A_DEPLOYMENT: [&str; 3] = [MODEL_LIST.name, LITELLM_PARAMS.name, MODEL_INFO.name];

/// A section that has a setting.
pub(crate) struct Home {
    /// The section, as in "it belongs in general_settings".
    pub section: String,
    /// Whether the setting works there.
    pub works: bool,
}

/// The section other than `except` where `name` is a setting. A section that applies to as much of
/// the file as `except` is preferred.
pub(crate) fn home(name: &str, except: &str) -> Option<Home> {
    let is_of_deployment = |table: &Table| OF_A_DEPLOYMENT.contains(&table.name);
    let has_other_scope = |table: &&Table| is_of_deployment(table) != OF_A_DEPLOYMENT.contains(&except);
    let table = TABLES
        .iter()
        .filter(|table| table.name != except && table.name != ENVIRONMENT_VARIABLES.name)
        .filter(|table| table.fate(name).is_some())
        .min_by_key(has_other_scope)?;
    Some(Home {
        section: match table.name {
            "" => "at the top of the file".to_owned(),
            name => format!("in {name}"),
        },
        works: !matches!(table.fate(name), Some(Fate::NoEffect(_) | Fate::NotNeeded(_))),
    })
}
