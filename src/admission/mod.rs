//! The checks before a request may go upstream, and every reason to refuse it.

pub mod path;
pub(crate) mod probe;
pub(crate) mod proxy_key;
pub mod reject;
pub mod signature;
pub(crate) mod target;
