//! HTTP: ports, connections, requests and response bodies.

pub(crate) mod body;
pub(crate) mod pipeline;
pub(crate) mod port;
pub(crate) mod reset;
pub(crate) mod script;
pub(crate) mod tls;
