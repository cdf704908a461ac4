//! Tests of the compiled filter that need no network.
//!
//! They run it in a [`scene::Scene`], which on drop searches the log and the host calls for
//! secrets. [`oracle`] compares every upstream request with AWS's own signer.

mod anomalies;
mod balance;
mod bodies;
mod capacity;
mod configuration;
mod credentials;
mod failover;
mod fixtures;
mod guardrails;
mod keys;
mod limited_keys;
mod limits;
mod oracle;
mod paths;
mod poison;
mod scene;
mod secrets;
#[path = "../../../scenarios/table.rs"]
mod table;
mod uploads;
mod upstream;
