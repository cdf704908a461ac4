//! The credential broker: gets temporary credentials with AWS's own crates, renews them, and serves
//! them to the filter.

mod api_key;
mod command;
mod failure;
mod fetch;
mod holder;
mod remedy;
mod schedule;
mod server;
mod wire;

pub use command::{CredentialsArguments, run};
pub(crate) use failure::{Failure, FailureCode};
pub(crate) use fetch::Fetcher;
pub(crate) use holder::{Broker, FETCH_TIMEOUT};
pub(crate) use remedy::remedy;
pub(crate) use server::BrokerServer;
pub(crate) use wire::rfc3339;
