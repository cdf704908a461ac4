//! A [`Blueprint`](crate::blueprint::Blueprint) as Envoy's configuration: one self-contained file,
//! the same for the same input.
//!
//! DESIGN.md has the facts about Envoy behind these choices. The result contains no secret: the
//! filter reads secrets from variables of the Envoy process, and the file lists only their names.

mod access_log;
mod bootstrap;
mod command;
mod common;
mod duration;
mod error;
mod failover;
mod http;
mod listeners;
mod local_replies;
mod metrics;
mod options;
mod otlp;
mod readiness;
mod region;
mod routes;
mod stats;
mod upstream;
mod wasm;
mod yaml;

#[cfg(test)]
mod tests;

pub use bootstrap::render;
pub use command::{RenderArguments, run};
pub use error::HostPortError;
pub use options::{AccessLog, HostPort, Listeners, RenderOptions, Tls};
pub(crate) use readiness::RESPONSE_FLAG as READINESS_FLAG;
