//! Shared data and shared queues.

use std::collections::VecDeque;

use super::{HostResult, Import, Invocation, giving, import};
use crate::abi::Status;
use crate::host::Queue;

pub(super) const TABLE: &[Import] = &[
    giving("proxy_get_shared_data", "iiiii>i", 2, get_data),
    import("proxy_set_shared_data", "iiiii>i", set_data),
    import("proxy_register_shared_queue", "iii>i", register_queue),
    import("proxy_resolve_shared_queue", "iiiii>i", resolve_queue),
    giving("proxy_dequeue_shared_queue", "iii>i", 1, dequeue),
    import("proxy_enqueue_shared_queue", "iii>i", enqueue),
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

fn register_queue(call: &mut Invocation<'_, '_>) -> HostResult {
    let name = String::from_utf8_lossy(&call.bytes(0)?).into_owned();
    let root = call.host().root();
    let queues = &mut call.host().queues;
    let position = queues
        .iter()
        .position(|queue| queue.name == name)
        .unwrap_or_else(|| {
            queues.push(Queue {
                name,
                root,
                entries: VecDeque::new(),
            });
            queues.len() - 1
        });
    queues[position].root = root;
    call.put(2, position as u32 + 1)
}

fn resolve_queue(call: &mut Invocation<'_, '_>) -> HostResult {
    let vm_id = call.bytes(0)?;
    let name = String::from_utf8_lossy(&call.bytes(2)?).into_owned();
    // Other VMs have no queues here.
    let position = call
        .host()
        .queues
        .iter()
        .position(|queue| queue.name == name && vm_id.is_empty());
    call.put(4, position.ok_or(Status::NotFound)? as u32 + 1)
}

fn dequeue(call: &mut Invocation<'_, '_>) -> HostResult {
    let token = call.word(0);
    let entry = queue(call, token)?.entries.pop_front().ok_or(Status::Empty)?;
    call.give(1, &entry)
}

fn enqueue(call: &mut Invocation<'_, '_>) -> HostResult {
    let token = call.word(0);
    let entry = call.bytes(1)?;
    queue(call, token)?.entries.push_back(entry);
    Ok(())
}

fn queue<'a>(call: &'a mut Invocation<'_, '_>, token: u32) -> Result<&'a mut Queue, Status> {
    let index = (token as usize).checked_sub(1).ok_or(Status::NotFound)?;
    call.host().queues.get_mut(index).ok_or(Status::NotFound)
}
