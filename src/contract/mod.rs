//! What the rendered Envoy configuration and the filter agree on.
//!
//! The CLI reads LiteLLM's configuration and renders it as [`Settings`](settings::Settings), so the
//! filter parses only a small, complete and unambiguous JSON document and no YAML. A secret is
//! always given as the name of an environment variable of the Envoy process, never as a value.

mod env_name;
pub mod itinerary;
pub mod keys;
mod long_list;
pub mod metrics;
pub mod names;
pub mod operation;
pub mod routing;
pub mod settings;
