//! Responses: what a region says to a request that it believes. Each is a function of the request, its pace apart.

mod converse;
mod count;
pub(crate) mod frame;
pub(crate) mod guardrail;
mod invoke;
pub(crate) mod model_request;
pub(crate) mod model_response;
pub(crate) mod respond;
mod text;
mod tools;
pub(crate) mod usage;
