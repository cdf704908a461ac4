//! A [`Blueprint`](crate::blueprint::Blueprint) as Envoy's configuration: one self-contained file,
//! the same for the same input.
//!
//! DESIGN.md has the facts about Envoy behind these choices. The result contains no secret: the
//! filter reads secrets from variables of the Envoy process, and the file lists only their names.

mod access_log;
mod bootstrap;
mod broker;
mod command;
mod comments;
mod common;
mod duration;
mod dynamic;
mod edge;
mod error;
mod filter;
mod heap;
mod http;
mod itinerary;
mod listeners;
mod local_replies;
mod metrics;
mod options;
mod otlp;
mod overload;
mod published;
mod readiness;
mod region;
mod routes;
mod runtime;
mod stats;
mod upstream;
mod yaml;

#[cfg(test)]
mod tests;

pub use bootstrap::render;
pub use broker::BrokerAddress;
pub(crate) use command::{DYNAMIC_FILE_MODE, RenderSettings, directory_name, sealing_key};
pub use command::{RenderArguments, run};
pub(crate) use dynamic::{BOOTSTRAP_FILE, DynamicConfig, ResourceKind, Resources};
pub(crate) use error::RenderError;
pub use error::{BrokerAddressError, HostPortError};
pub use heap::HeapLimit;
pub(crate) use listeners::tls_listener_only;
pub(crate) use options::Rendering;
pub use options::{AccessLog, HostPort, Listeners, RenderOptions, SecretSource, Tls};
pub(crate) use published::refuse_other_secrets;
pub(crate) use readiness::RESPONSE_FLAG as READINESS_FLAG;
pub(crate) use runtime::FilterArguments;
pub use runtime::FilterRuntime;
