//! A stateful proxy-wasm host (ABI 0.2.1) for the compiled filter.
//!
//! It behaves like Envoy 1.40 with `allow_on_headers_stop_iteration: true` on the gateway role, and
//! traps on mistakes that Envoy tolerates: a metric defined twice, a header that no codec can send,
//! a second response on a stream, a header map written after its message went on. It serves the
//! host functions that the filter calls and no others. It has no network and no clock: tests move
//! both.
//!
//! [`Vm::start`] starts the filter, [`Vm::request`] sends a request through the gateway role, and
//! [`HttpExchange::route`] (or its steps one by one) takes it through the signer role to an
//! upstream and back. [`FaultPlan`] makes host calls fail, and [`sweep`] fails each of them in
//! turn.

mod abi;
mod fault;
mod flow;
mod header_map;
mod host;
mod http_exchange;
mod imports;
mod message;
mod module;
mod request;
mod vm;

pub use abi::{Pairs, Status, decode_pairs, encode_pairs};
pub use fault::{FaultPlan, HostFault, Reach, faults, sweep};
pub use header_map::HeaderMap;
pub use host::{Host, HostCall, HostCallout, HostMetric, HostMetricKind, LocalResponse, LogLine};
pub use http_exchange::HttpExchange;
pub use imports::{host_functions, unserved_functions, wasi_functions};
pub use message::{ClientResponse, HttpMessage, RequestOutcome, UpstreamResponse};
pub use module::{MODULE_VARIABLE, compile, filter};
pub use request::ClientRequest;
pub use vm::{StartError, Trap, Vm};
