//! The judge of every request: is it signed correctly, may a gateway send it, and does its model
//! exist?
//!
//! The judge shares no code with the gateway, so that a mistake there is not repeated here.

pub(crate) mod auth_failure;
pub(crate) mod authorization;
pub(crate) mod keyring;
pub(crate) mod models;
pub(crate) mod raw_request;
pub(crate) mod route;
pub(crate) mod short_term_key;
mod signature;
mod signing_time;
pub(crate) mod strict;
pub(crate) mod verify;
