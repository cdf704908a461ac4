//! The variables that a configuration can refer to, and what is to be done about secrets that are not there.

use std::collections::BTreeMap;
use std::fmt;

/// A copy of an environment. `Debug` shows names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

/// What it means that a secret's variable is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretPolicy {
    /// An error: the gateway is about to start with these variables.
    MustExist,
    /// Nothing: the result is for another process (`render`), whose environment is not known here.
    MayComeLater,
    /// The emulator stands in for AWS: its caller supplies what `Blueprint::missing` names, and the key of the
    /// clients is `sk-1234` unless there is another.
    Demo,
}

impl Environment {
    /// The environment of this process. Variables that are not UTF-8 are left out: no setting can hold them.
    pub fn of_this_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of `name`; an empty one counts as unset, as it does for LiteLLM and the AWS SDKs.
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

/// A secret value on its way into the environment of the Envoy process.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(pub String);

impl fmt::Debug for SecretValue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("[redacted]")
    }
}
