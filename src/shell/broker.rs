//! The calls of a plugin to the credential broker.

use std::collections::HashMap;
use std::rc::Rc;

use proxy_wasm::types::{BufferType, MapType};

use super::envoy::Envoy;
use super::host;
use crate::credentials::CredentialSlot;
use crate::headers::{Headers, pairs};
use crate::stream::service::Service;

/// The slots that wait for an answer, by the token of the call.
#[derive(Default)]
pub(super) struct BrokerCalls(HashMap<u32, Rc<CredentialSlot>>);

impl BrokerCalls {
    /// Makes the calls that are due.
    pub(super) fn begin(&mut self, service: &Service) {
        let config = service.config();
        let Some(brokered) = &config.brokered else { return };
        for call in brokered.begin_calls(host::now()) {
            match host::call(&brokered.cluster, &call.headers()) {
                Ok(token) => drop(self.0.insert(token, call.slot)),
                Err(_) => finish(service, &call.slot, 0, &[]),
            }
        }
    }

    /// Takes the answer to a call: a body of `size` bytes.
    pub(super) fn finish(&mut self, service: &Service, token: u32, size: usize) {
        let Some(slot) = self.0.remove(&token) else { return };
        let headers = host::headers(MapType::HttpCallResponseHeaders).unwrap_or_default();
        let headers = pairs::parse(&headers).unwrap_or_default();
        let status = Headers(&headers).status().unwrap_or(0);
        let body = host::buffer(BufferType::HttpCallResponseBody, 0, size).unwrap_or_default();
        finish(service, &slot, status, &body);
    }
}

impl Drop for BrokerCalls {
    /// Envoy cancels the calls of a plugin that it destroys.
    fn drop(&mut self) {
        for slot in self.0.values() {
            slot.abandon_call();
        }
    }
}

fn finish(service: &Service, slot: &Rc<CredentialSlot>, status: u16, body: &[u8]) {
    if let Some((level, message)) = service.take_answer(slot, status, body, host::now(), &Envoy) {
        log::log!(level, "{message}");
    }
}
