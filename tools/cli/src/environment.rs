//! Environment variables.

use std::collections::BTreeMap;
use std::fmt;

/// A copy of an environment. `Debug` shows only the names of the variables.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

/// What to do about secrets whose variables are not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretPolicy {
    /// They are errors: the gateway is about to start with these variables.
    MustExist,
    /// They are accepted: `render` does not know the environment in which its output will be used.
    MayComeLater,
    /// They are accepted because the emulator replaces AWS. The caller provides those listed in
    /// `Blueprint::missing`. A missing proxy key becomes `sk-1234`.
    Demo,
}

impl Environment {
    /// The environment of this process, without variables that are not UTF-8.
    pub fn of_this_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// Adds variables, or replaces their values.
    pub(crate) fn extend(&mut self, variables: &BTreeMap<String, String>) {
        self.variables.extend(variables.clone());
    }

    /// The value of `name`. An empty value counts as unset, as in LiteLLM and the AWS SDKs.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Environment { variables }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.variables.keys()).finish()
    }
}
