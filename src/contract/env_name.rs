//! Names of environment variables.

use serde::{Deserialize, Serialize};

/// The name of an environment variable of the Envoy process that holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EnvName(pub String);
