//! Shared data.

use super::call::{HostResult, Import, Invocation, giving, import};
use crate::abi::Status;

pub(super) const TABLE: &[Import] = &[
    giving("proxy_get_shared_data", "iiiii>i", 2, get_data),
    import("proxy_set_shared_data", "iiiii>i", set_data),
];

fn get_data(call: &mut Invocation<'_, '_>) -> HostResult {
    let key = call.bytes(0)?;
    let (value, cas) = call.host().shared.get(&key).cloned().ok_or(Status::NotFound)?;
    call.give(2, &value)?;
    call.put(4, cas)
}

fn set_data(call: &mut Invocation<'_, '_>) -> HostResult {
    let key = call.bytes(0)?;
    let value = call.bytes(2)?;
    let cas = call.word(4);
    Ok(call.host().set_shared(&key, &value, cas)?)
}
