//! The checks before a request may go upstream, and every reason to refuse it.

pub mod path;
pub mod probe;
pub mod proxy_key;
pub mod reject;
pub mod target;
