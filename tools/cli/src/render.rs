//! A [`Blueprint`] drawn as Envoy's configuration: one self-contained file, the same for the same input.
//!
//! DESIGN.md holds the facts about Envoy that these choices rest on. No secret is in the result: the filter reads
//! them from variables of the Envoy process, whose names are all that is listed.

mod access_log;
mod bootstrap;
mod command;
mod duration;
mod failover;
mod http;
mod listeners;
mod local_replies;
mod metrics;
mod options;
mod otlp;
mod region;
mod routes;
mod stats;
mod wasm;
mod yaml;

#[cfg(test)]
mod tests;

pub use command::{RenderArguments, run};
pub use options::{AccessLog, HostPort, Listeners, RenderOptions, Tls};

use crate::blueprint::Blueprint;

/// The Envoy configuration of `blueprint`, with `header` as comment lines on top.
pub fn render(blueprint: &Blueprint, options: &RenderOptions, header: &str) -> String {
    let comment: String = header.lines().map(|line| format!("# {line}\n")).collect();
    comment + &yaml::document(&bootstrap::bootstrap(blueprint, options))
}
