//! The judge of every request: is it signed correctly, may a gateway send it, and does its model
//! exist?
//!
//! The judge shares no code with the gateway, so that a mistake there is not repeated here.

mod auth_failure;
pub(crate) mod authorization;
pub(crate) mod models;
pub(crate) mod raw_request;
pub(crate) mod route;
mod signature;
pub(crate) mod strict;
pub(crate) mod verify;
