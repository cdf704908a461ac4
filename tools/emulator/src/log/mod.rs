//! The log of requests and their responses.

pub(crate) mod recording;
pub mod request_log;
