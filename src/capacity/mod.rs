//! Limits that hold for all workers of an Envoy together: requests at once, and bytes of request
//! bodies that Envoy buffers.
//!
//! All VMs share one value, the [`ledger`], with one entry per VM: what the VM's streams have
//! taken. [`Capacity`] is a VM's account. It changes its own entry by compare-and-swap, and takes
//! more only if the sum of all entries stays within the limit. An entry states an amount, not a
//! change, so the next write repairs one that failed.
//!
//! Bytes are leased in blocks and handed out within the VM, so small requests do not touch the
//! ledger. The parallel requests are counted one by one.
//!
//! A VM that traps cannot return anything. While a VM holds something, its timer renews its entry;
//! the other VMs drop an entry that was not renewed during [`STALE_TICKS`] of their own ticks.
//! Ticks are counted, and the clock only spaces them, so a clock that jumps neither drops nor keeps
//! an entry. A VM whose entry was dropped although it lives, because its thread was blocked, writes
//! it again with its next tick.
//!
//! A request that cannot be counted is refused: a limit must not vanish because a host call fails.

mod account;
mod ledger;
mod permit;
#[cfg(test)]
mod tests;

pub use account::{BLOCK_BYTES, Capacity, CapacityError, STALE_TICKS};
pub use ledger::{Amounts, SharedStore, StoreError};
pub(crate) use permit::Presence;
pub use permit::{Permit, Reservation};
