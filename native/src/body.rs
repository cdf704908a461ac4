//! Bodies in Envoy's buffers, as the core reads and edits them: what Envoy has buffered, followed by
//! what has just arrived.

use envoy_bedrock::guardrail::EditableBody;
use envoy_bedrock::stream::Buffer;

use crate::abi::{BodyPart, CallError, StreamHandle};

/// The body of a request or response, as far as Envoy holds it.
pub(crate) struct HeldBody {
    stream: StreamHandle,
    buffered: (BodyPart, usize),
    received: (BodyPart, usize),
    /// Whether something has just arrived. With trailers or a tick, nothing has.
    has_received: bool,
}

impl HeldBody {
    pub(crate) fn of_request(stream: StreamHandle) -> Self {
        Self::new(stream, BodyPart::BufferedRequest, BodyPart::ReceivedRequest)
    }

    pub(crate) fn of_response(stream: StreamHandle) -> Self {
        Self::new(stream, BodyPart::BufferedResponse, BodyPart::ReceivedResponse)
    }

    fn new(stream: StreamHandle, buffered: BodyPart, received: BodyPart) -> Self {
        let [buffered, received] = [buffered, received].map(|part| (part, stream.body_size(part)));
        Self {
            stream,
            buffered,
            received,
            // Envoy moves everything into the buffer at the end of a body that has one.
            has_received: received.1 > 0 || buffered.1 == 0,
        }
    }

    /// Discards the first `size` bytes.
    pub(crate) fn discard(&mut self, size: usize) -> Result<(), CallError> {
        let mut left = size;
        for (part, held) in [&mut self.buffered, &mut self.received] {
            let discarded = left.min(*held);
            if discarded > 0 {
                self.stream.drain_body(*part, discarded)?;
                *held = held.saturating_sub(discarded);
                left = left.saturating_sub(discarded);
            }
        }
        Ok(())
    }
}

impl Buffer for HeldBody {
    fn size(&self) -> usize {
        self.buffered.1.saturating_add(self.received.1)
    }

    fn read(&self, start: usize, max_size: usize) -> Option<Vec<u8>> {
        let mut window = BodyWindow::new(start, max_size.min(self.size().saturating_sub(start)));
        for (part, size) in [self.buffered, self.received] {
            if size > 0 && !window.is_full() {
                self.stream.with_body(part, |pieces| {
                    pieces.iter().for_each(|piece| window.pass(piece));
                });
            }
        }
        Some(window.bytes)
    }
}

impl EditableBody for HeldBody {
    type Error = CallError;

    fn front(&self, size: usize) -> Result<Vec<u8>, CallError> {
        let piece = self.read(0, size).unwrap_or_default();
        (piece.len() == size)
            .then_some(piece)
            .ok_or(CallError::SHORT_BODY)
    }

    /// Envoy can only remove bytes at the front and add some at the end, so everything behind
    /// the front is written again.
    fn replace_front(&mut self, size: usize, bytes: &[u8]) -> Result<(), CallError> {
        if bytes.is_empty() {
            return self.discard(size);
        }
        let rest = self.read(size, usize::MAX).unwrap_or_default();
        self.discard(self.size())?;
        self.append(bytes)?;
        self.append(&rest)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), CallError> {
        let target = match self.has_received {
            true => &mut self.received,
            false => &mut self.buffered,
        };
        self.stream.append_body(target.0, bytes)?;
        target.1 = target.1.saturating_add(bytes.len());
        Ok(())
    }
}

/// Copies the bytes of a body from offset `skip` on, up to `left` of them, as its pieces pass.
struct BodyWindow {
    skip: usize,
    left: usize,
    bytes: Vec<u8>,
}

impl BodyWindow {
    fn new(skip: usize, left: usize) -> Self {
        Self {
            skip,
            left,
            bytes: Vec::with_capacity(left),
        }
    }

    const fn is_full(&self) -> bool {
        self.left == 0
    }

    fn pass(&mut self, piece: &[u8]) {
        let start = self.skip.min(piece.len());
        self.skip = self.skip.saturating_sub(start);
        let wanted = piece.get(start..).unwrap_or_default();
        let wanted = wanted.get(..self.left).unwrap_or(wanted);
        self.bytes.extend_from_slice(wanted);
        self.left = self.left.saturating_sub(wanted.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_of_a_body_in_pieces_is_copied() {
        let body = b"0123456789";
        for split in 0..=body.len() {
            for start in 0..=body.len() {
                for size in 0..=body.len() - start {
                    let mut window = BodyWindow::new(start, size);
                    let (first, second) = body.split_at(split);
                    for piece in [first, b"", second] {
                        window.pass(piece);
                    }
                    assert_eq!(window.bytes, &body[start..start + size], "{split} {start} {size}");
                    assert!(window.is_full());
                }
            }
        }
    }

    #[test]
    fn a_body_may_be_shorter_than_what_is_wanted() {
        let mut window = BodyWindow::new(2, 9);
        window.pass(b"abc");
        assert_eq!(window.bytes, b"c");
        assert!(!window.is_full());
    }
}
