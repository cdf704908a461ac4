//! Who a client is: the master key and the virtual keys, and what each may do.

mod allowed_models;
mod key_ring;
mod quota;
mod team;
mod virtual_key;

pub(crate) use key_ring::KeyRing;
pub(crate) use quota::Quota;
pub use virtual_key::VirtualKey;
