//! The calls that the identity service has answered.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::endpoint::IdentityEndpoint;
use super::fault::IdentityFaultKind;

/// Calls that the list keeps. The counts go on.
const CALLS_LIMIT: usize = 10_000;

/// A call.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct IdentityCall {
    pub(crate) endpoint: IdentityEndpoint,
    /// When its request had arrived, in UNIX milliseconds.
    pub(crate) unix_ms: u64,
    /// HTTP status; `null` if there was no response.
    pub(crate) status: Option<u16>,
    /// Code of the error.
    pub(crate) error: Option<String>,
    pub(crate) fault: Option<IdentityFaultKind>,
    /// The role that STS or SSO was asked for.
    pub(crate) role_arn: Option<String>,
    /// The access key id that the request was signed with.
    pub(crate) caller: Option<String>,
    /// The region that the request was signed for.
    pub(crate) signing_region: Option<String>,
    /// The access key id that was issued.
    pub(crate) issued: Option<String>,
}

/// The newest calls, and the number of all calls by endpoint.
#[derive(Debug, Default)]
pub(crate) struct IdentityCalls(Mutex<CallList>);

#[derive(Debug, Default)]
struct CallList {
    counts: BTreeMap<IdentityEndpoint, u64>,
    calls: VecDeque<IdentityCall>,
}

impl IdentityCalls {
    pub(crate) fn add(&self, call: IdentityCall) {
        let mut list = self.lock();
        *list.counts.entry(call.endpoint).or_default() += 1;
        if list.calls.len() >= CALLS_LIMIT {
            list.calls.pop_front();
        }
        list.calls.push_back(call);
    }

    pub(crate) fn clear(&self) {
        *self.lock() = CallList::default();
    }

    /// How often each endpoint was called, by name.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        let list = self.lock();
        IdentityEndpoint::ALL
            .into_iter()
            .map(|endpoint| {
                let count = list.counts.get(&endpoint).copied().unwrap_or_default();
                (endpoint.name(), count)
            })
            .collect()
    }

    pub(crate) fn list(&self) -> Vec<IdentityCall> {
        self.lock().calls.iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, CallList> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
