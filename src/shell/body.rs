//! Bodies in Envoy's buffers.

use proxy_wasm::types::BufferType;

use super::host::{self, HostError};
use crate::guardrail::EditableBody;
use crate::stream::Buffer;

/// A body as far as Envoy has buffered it.
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

    fn read(&self, start: usize, max_size: usize) -> Option<Vec<u8>> {
        host::buffer(self.buffer, start, max_size).ok()
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

    /// At an offset beyond the end. The end itself would be the front of an empty body.
    fn append(&mut self, bytes: &[u8]) -> Result<(), HostError> {
        host::set_request_body(usize::MAX, 0, bytes)
    }
}
