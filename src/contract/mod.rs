//! What the rendered Envoy configuration and the filter agree on.
//!
//! LiteLLM's file is read by the command (`tools/cli`), which writes the result in the form of
//! [`Settings`](settings::Settings): the edge parses a small, complete and unambiguous JSON and no
//! YAML. A secret is always the name of an environment variable of the Envoy process, never a value.

pub mod metrics;
pub mod names;
pub mod operation;
pub mod settings;
