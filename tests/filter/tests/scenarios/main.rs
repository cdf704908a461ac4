//! What the compiled filter does, theme by theme: everything that needs no network.
//!
//! Every VM of these tests is a [`scene::Scene`], which looks for secrets in what the filter said when it is dropped.
//! Every request that leaves is held against AWS's own signer by [`oracle`].

mod anomalies;
mod balance;
mod bodies;
mod configuration;
mod failover;
mod fixtures;
mod guardrails;
mod keys;
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
