//! The gateway as a native module of Envoy ("dynamic module"): the same core as the WebAssembly
//! filter, without a sandbox.
//!
//! Like `src/shell` of the core's crate, this gathers what the core needs, calls the core and applies
//! its steps. [`abi`] has Envoy's functions, [`hooks`] those that Envoy calls. All workers share one
//! configuration ([`config`]); what the WebAssembly filter keeps in the VM of a worker is in
//! thread-local variables here ([`worker`]).

mod abi;
mod bells;
mod body;
mod broker;
mod broker_board;
mod config;
#[cfg(test)]
mod fake_envoy;
mod filter;
mod gateway;
mod header_changes;
mod hooks;
mod host;
mod logger;
mod main_thread;
mod series;
mod shared_data;
mod signer;
mod sums;
mod ticker;
mod worker;
