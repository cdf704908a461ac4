//! The judge: is a request signed correctly, is it one that a gateway may send, and does its model exist?

pub(crate) mod auth_failure;
pub(crate) mod authorization;
pub mod models;
pub(crate) mod raw_request;
pub(crate) mod route;
pub(crate) mod signature;
pub mod strict;
pub mod verify;
