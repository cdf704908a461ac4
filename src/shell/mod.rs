//! The filter inside Envoy: it gathers what the core needs, calls the core and applies the result.
//! It decides nothing. Both roles run in one VM per worker thread, so the signer finds the plan
//! that the gateway made.
//!
//! The `proxy-wasm` crate dispatches Envoy's callbacks to [`contexts`]. All host calls go through
//! [`host`].

mod body;
mod books;
mod contexts;
mod gateway;
mod host;
mod logger;
mod plans;
mod refusal;
mod reply;
mod role;
mod signer;
mod ticker;
mod unconfigured;

use proxy_wasm::types::Action;
