//! What the filter runs on: the plugin configuration in the rendered Envoy configuration.
//!
//! LiteLLM's file is read by the command (`tools/cli`), which writes the result in the form of [`Settings`]: the
//! edge parses a small, complete and unambiguous JSON and no YAML. A secret is always the name of an environment
//! variable of the Envoy process, never a value.

mod error;
mod settings;

pub use error::ConfigError;
pub use settings::{
    BODY_LIMIT_DEFAULT_BYTES, CredentialSettings, DeploymentSettings, EnvName, GuardrailSettings,
    GuardrailTrace, HISTORY_DEFAULT_ROWS, ModelSettings, Settings, StreamProcessingMode,
};
