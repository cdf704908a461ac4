//! The judge: is a request signed correctly, is it one that a gateway may send, and does its model exist?

pub(crate) mod authorization;
pub mod models;
pub(crate) mod offered;
pub(crate) mod refusal;
pub(crate) mod route;
pub(crate) mod signature;
pub mod strict;
pub mod verify;
