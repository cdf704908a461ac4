//! Temporary credentials that the credential broker holds.
//!
//! A [`CredentialSlot`] is one credential in one VM: what the broker last answered, and when to ask
//! it next. The [`CredentialStore`] of a VM keeps the slots when the configuration changes, so a
//! credential is asked for again only if a new configuration needs another one.
//!
//! Everything here is a function of the time. The shell makes the calls: it asks the configuration
//! for those that are due at every tick of its timer, and hands the answers back.

mod answer;
mod issued;
mod slot;
mod store;

pub use answer::BrokerFailure;
pub use issued::{IssuedCredential, IssuedSecret};
pub(crate) use slot::REJECTED;
pub use slot::{BrokerNews, CredentialSlot};
pub use store::CredentialStore;
