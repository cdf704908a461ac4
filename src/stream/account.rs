//! What is recorded about every request, however it ends: who sent it and how long it took.

use std::rc::Rc;

use crate::keys::VirtualKey;
use crate::records::client::Client;
use crate::time::UnixTime;

/// The part of a row that does not depend on the outcome.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) client: Client,
    /// The key that the request has presented, if it is valid.
    pub(super) key: Option<Rc<VirtualKey>>,
    pub(super) started: UnixTime,
    /// When the first content of the response arrived.
    pub(super) first_content: Option<UnixTime>,
    /// Time that the gateway role has gateway_nanoseconds on the request, in nanoseconds.
    pub(super) gateway_nanoseconds: u64,
}

impl Account {
    pub(super) const fn new(client: Client, started: UnixTime) -> Self {
        Self {
            client,
            key: None,
            started,
            first_content: None,
            gateway_nanoseconds: 0,
        }
    }
}
