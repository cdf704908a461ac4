//! HTTP: ports, connections, requests and response bodies.

mod arrival;
mod pipeline;
pub(crate) mod plain;
pub(crate) mod port;
mod request_body;
mod reset;
mod response_body;
mod script;
pub(crate) mod tls;
