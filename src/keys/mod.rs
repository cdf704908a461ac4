//! Who a client is: the master key and the virtual keys, and what each may do.

mod key_ring;
mod virtual_key;

pub(crate) use key_ring::KeyRing;
pub use virtual_key::VirtualKey;
