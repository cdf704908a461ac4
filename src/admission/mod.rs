//! Who may pass: the checks before a request may go upstream, and every way to be refused.

pub mod path;
pub mod probe;
pub mod proxy_key;
pub mod reject;
