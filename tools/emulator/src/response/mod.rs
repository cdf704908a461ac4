//! Responses to accepted requests. A response depends on nothing but its request, its pace and, if it
//! has a cache point, what was cached before.

mod converse;
mod count;
pub(crate) mod frame;
pub(crate) mod guardrail;
mod invoke;
pub(crate) mod model_request;
pub(crate) mod model_response;
pub(crate) mod prompt_cache;
pub(crate) mod respond;
mod text;
mod tools;
pub(crate) mod usage;
