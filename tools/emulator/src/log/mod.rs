//! The log of requests and their responses.

pub(crate) mod entry;
pub(crate) mod recording;
pub(crate) mod request_log;
pub(crate) mod summary;
