//! The calls of a configuration to the credential broker, on the main thread.

use std::collections::HashMap;
use std::rc::Rc;

use envoy_bedrock::credentials::CredentialSlot;
use envoy_bedrock::routing::brokered::{BrokeredCredentials, CALL_TIMEOUT_MILLISECONDS};
use envoy_bedrock::stream::service::Service;

use crate::abi::ConfigHandle;
use crate::broker_board;
use crate::host::{NativeHost, now};

/// The slots that wait for an answer, by the id of the call.
#[derive(Default)]
pub(crate) struct PendingCalls(HashMap<u64, Rc<CredentialSlot>>);

impl PendingCalls {
    /// Makes the calls that are due.
    pub(crate) fn begin(&mut self, service: &Service, config: ConfigHandle<'_>, host: &NativeHost<'_>) {
        let active = service.config();
        let Some(brokered) = &active.brokered else { return };
        for call in brokered.begin_calls(now()) {
            match config.call(&brokered.cluster, &call.headers(), CALL_TIMEOUT_MILLISECONDS) {
                Ok(id) => drop(self.0.insert(id, call.slot)),
                Err(_) => finish(service, &call.slot, 0, &[], host),
            }
        }
    }

    /// Takes the answer to a call. `status` is 0 if there was none.
    pub(crate) fn finish(
        &mut self,
        service: &Service,
        id: u64,
        status: u16,
        body: &[u8],
        host: &NativeHost<'_>,
    ) {
        if let Some(slot) = self.0.remove(&id) {
            finish(service, &slot, status, body, host);
        }
    }
}

impl Drop for PendingCalls {
    /// Envoy cancels the calls of a configuration that it destroys.
    fn drop(&mut self) {
        for slot in self.0.values() {
            slot.abandon_call();
        }
    }
}

/// Marks the credentials that AWS has refused on a worker.
pub(crate) fn reject_refused(brokered: &BrokeredCredentials) {
    for (path, name) in broker_board::take_refused() {
        for slot in brokered.slots.iter().filter(|slot| slot.path() == path) {
            slot.reject(&name);
        }
    }
}

fn finish(service: &Service, slot: &Rc<CredentialSlot>, status: u16, body: &[u8], host: &NativeHost<'_>) {
    if let Some((level, message)) = service.take_answer(slot, status, body, now(), host) {
        log::log!(level, "{message}");
    }
    broker_board::post(slot.path(), status, body);
}
