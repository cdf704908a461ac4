//! The filter inside Envoy: gathers what the core wants to know, asks it, and does what it says. Nothing is decided
//! here. Both roles run in one VM per worker thread, so a plan made by the gateway is at hand for the signer.
//!
//! [`exports`] is what Envoy calls and [`host`] is what it offers. The stock SDK is not used: it panics when a host call
//! fails, and it exports every callback of the ABI, each of which Envoy then makes for each stream of both roles. Half
//! of the filter's cost was in callbacks that did nothing (`make bench`).

mod body;
mod books;
mod exports;
mod gateway;
mod host;
mod logger;
mod plans;
mod refusal;
mod reply;
mod root;
mod signer;
mod ticker;
mod unconfigured;
mod vm;

/// What Envoy does after a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
enum Action {
    /// Goes on with the next filter.
    Continue = 0,
    /// Waits: for more of the body, which it buffers, or for the end of a stream that was answered.
    Pause = 1,
}
