//! `envoy-bedrock status`: what the deployments of a running gateway are doing.
//!
//! The numbers come from the metrics in Envoy's admin interface. Which deployments cool down is
//! only known to the gateway itself, so that comes from its `GET /health`, which needs a key.

mod command;
mod connection;
mod counts;
mod error;
mod health;
mod report;
#[cfg(test)]
mod tests;
mod text;

pub use command::{StatusArguments, run};
