//! Who a client is: the master key and the virtual keys, and what each may do.

mod allowed_models;
mod aws_pair;
mod key_ring;
mod quota;
mod ring_entry;
mod team;
mod virtual_key;

pub(crate) use aws_pair::{AwsPair, UnverifiedKey, VerifiedKey};
pub(crate) use key_ring::KeyRing;
pub(crate) use quota::Quota;
pub use virtual_key::VirtualKey;
