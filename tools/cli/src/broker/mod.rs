//! The credential broker: gets temporary credentials with AWS's own crates, renews them, and serves
//! them to the filter.

mod api_key;
mod attempt;
mod aws_error;
mod command;
mod failure;
mod fetch;
mod holder;
mod http_client;
mod remedy;
mod renewal_log;
mod schedule;
mod server;
mod sts_region;
mod wire;

pub use command::{CredentialsArguments, run};
pub(crate) use failure::Failure;
pub(crate) use fetch::{FETCH_TIMEOUT, Fetcher};
pub(crate) use holder::Broker;
pub(crate) use server::BrokerServer;
pub(crate) use wire::rfc3339;
