//! A stateful proxy-wasm host (ABI 0.2.1) for the compiled filter.
//!
//! It behaves as Envoy 1.40 with `allow_on_headers_stop_iteration: true` on the gateway role, and is stricter where
//! Envoy lets a mistake pass: a header map is closed once its message went on, a metric is defined once, a header
//! has to be one that a codec sends, a stream is answered once. It has no network and no clock: tests move both.
//!
//! [`Vm::start`] starts the filter, [`Vm::request`] sends a request through the gateway role, and
//! [`HttpExchange::route`] (or its steps one by one) takes it through the signer role to an upstream and back.
//! [`FaultPlan`] makes host calls fail, [`sweep`] makes each of them fail in turn.

mod abi;
mod exchange;
mod flow;
mod headers;
mod host;
mod http;
mod imports;
mod module;
mod plan;
mod vm;

pub use abi::{Pairs, Status, decode_pairs, encode_pairs};
pub use exchange::HttpExchange;
pub use flow::HttpMessage;
pub use headers::HeaderMap;
pub use host::{
    Callout, CalloutResponse, Host, HostCall, HostMetric, HostMetricKind, LocalResponse, LogLine,
};
pub use http::{ClientRequest, ClientResponse, RequestOutcome, UpstreamResponse};
pub use imports::{host_functions, wasi_functions};
pub use module::{MODULE_VARIABLE, compile, filter};
pub use plan::{FaultPlan, HostFault, Reach, faults, sweep};
pub use vm::{StartError, Trap, Vm};
