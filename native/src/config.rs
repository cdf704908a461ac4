//! A configuration of the filter. All threads share it, so it holds data only.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::bells::Bell;
use crate::series::DefinedMetrics;

/// What is configured for a role: the settings of the core, and the variables of Envoy's environment
/// that may be read for them. A WebAssembly module sees no others either.
#[derive(Clone, Debug, Default)]
pub(crate) struct FilterSettings {
    pub(crate) json: String,
    variables: BTreeSet<String>,
}

impl FilterSettings {
    /// Reads what Envoy makes of a `google.protobuf.Struct`: JSON.
    pub(crate) fn parse(json: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(json).ok()?;
        let names = value.get("environment_variables")?.as_array()?;
        let names = names.iter().map(|name| name.as_str().map(str::to_owned));
        Some(Self {
            json: value.get("settings")?.as_str()?.to_owned(),
            variables: names.collect::<Option<_>>()?,
        })
    }

    /// The value of a variable that may be read.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.variables
            .contains(name)
            .then(|| std::env::var(name).ok())
            .flatten()
    }
}

/// A configured filter.
#[derive(Debug)]
pub(crate) struct FilterConfig {
    /// Unique in this process.
    pub(crate) id: u64,
    pub(crate) role: FilterRole,
    /// Rings the timer.
    bell: Mutex<Option<Bell>>,
}

impl FilterConfig {
    pub(crate) const fn new(id: u64, role: FilterRole, bell: Option<Bell>) -> Self {
        let bell = Mutex::new(bell);
        Self { id, role, bell }
    }

    /// Stops the timer. Envoy destroys its configuration, perhaps because it ends, and streams may
    /// still use this one.
    pub(crate) fn silence(&self) {
        drop(self.bell.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// What a filter does.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there are few, and the larger one is the usual one"
)]
pub(crate) enum FilterRole {
    /// Envoy's downstream HTTP filter.
    Gateway {
        /// The settings, which are valid.
        settings: FilterSettings,
        metrics: DefinedMetrics,
    },
    /// Envoy's upstream HTTP filter.
    Signer,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_with_the_variables_that_they_may_read() {
        let json = br#"{"environment_variables": ["PATH"], "settings": "{\"a\": 1}"}"#;
        let settings = FilterSettings::parse(json).unwrap();
        assert_eq!(settings.json, r#"{"a": 1}"#);
        assert!(settings.variable("PATH").is_some());
        assert_eq!(settings.variable("HOME"), None, "it is not listed");
    }

    #[test]
    fn anything_else_is_no_configuration() {
        for json in [
            "",
            "[]",
            r#"{"settings": "{}"}"#,
            r#"{"environment_variables": [1], "settings": "{}"}"#,
            r#"{"environment_variables": [], "settings": {}}"#,
        ] {
            assert!(FilterSettings::parse(json.as_bytes()).is_none(), "{json}");
        }
    }
}
