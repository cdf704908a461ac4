//! Bodies in Envoy's buffers, as the core reads and edits them.

use proxy_wasm::types::BufferType;

use super::host::{self, HostError};
use crate::guardrail::EditableBody;
use crate::stream::Buffer;

/// A body of which Envoy has buffered `size` bytes.
pub(super) struct EnvoyBody {
    buffer: BufferType,
    size: usize,
}

impl EnvoyBody {
    pub(super) const fn new(buffer: BufferType, size: usize) -> Self {
        Self { buffer, size }
    }
}

impl Buffer for EnvoyBody {
    fn size(&self) -> usize {
        self.size
    }

    fn read(&self, start: usize, max_size: usize, receive: &mut dyn FnMut(&[u8])) -> usize {
        let bytes = host::buffer(self.buffer, start, max_size).unwrap_or_default();
        receive(&bytes);
        bytes.len()
    }
}

impl EditableBody for EnvoyBody {
    type Error = HostError;

    fn front(&self, size: usize) -> Result<Vec<u8>, HostError> {
        let piece = host::buffer(self.buffer, 0, size)?;
        (piece.len() == size).then_some(piece).ok_or(HostError::EMPTY)
    }

    fn replace_front(&mut self, size: usize, bytes: &[u8]) -> Result<(), HostError> {
        host::set_request_body(0, size, bytes)
    }

    /// Writes beyond the end, because offset 0 of an empty body would mean its start.
    fn append(&mut self, bytes: &[u8]) -> Result<(), HostError> {
        host::set_request_body(usize::MAX, 0, bytes)
    }
}
