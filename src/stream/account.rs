//! What is known of a request whatever becomes of it: who sent it and how long it took.

use crate::records::client::Client;
use crate::time::UnixTime;

/// A request's part of its row.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) client: Client,
    pub(super) started: UnixTime,
    /// When the first content of the response came.
    pub(super) first_content: Option<UnixTime>,
    /// Time that the gateway role has spent on the request, in nanoseconds.
    pub(super) spent: u64,
}

impl Account {
    pub(super) const fn new(client: Client, started: UnixTime) -> Self {
        Self {
            client,
            started,
            first_content: None,
            spent: 0,
        }
    }
}
