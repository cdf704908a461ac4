//! The control API and what it sets: faults and paces, each for the requests that a matcher selects.

pub mod api;
pub mod fault;
pub(crate) mod matcher;
pub mod pace;
