//! The control API and what it sets: faults and paces, each for the requests that a matcher
//! selects.

pub(crate) mod alteration;
pub(crate) mod api;
pub(crate) mod controller;
pub(crate) mod fault;
pub(crate) mod fault_rule;
pub(crate) mod faults;
mod identity;
pub(crate) mod matcher;
pub(crate) mod pace;
mod request;
