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

    /// Copies up to `max_size` bytes from offset `start`.
    fn copy(&self, start: usize, max_size: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(max_size.min(self.size().saturating_sub(start)));
        self.read(start, max_size, &mut |piece| bytes.extend_from_slice(piece));
        bytes
    }
}

impl Buffer for HeldBody {
    fn size(&self) -> usize {
        self.buffered.1.saturating_add(self.received.1)
    }

    fn read(&self, start: usize, max_size: usize, receive: &mut dyn FnMut(&[u8])) -> usize {
        let wanted = max_size.min(self.size().saturating_sub(start));
        let mut window = BodyWindow {
            skip: start,
            left: wanted,
        };
        for (part, size) in [self.buffered, self.received] {
            // What has been read before is in the buffer: usually all of it, in many pieces.
            if !window.passes_over(size) {
                self.stream.with_body(part, |pieces| {
                    pieces.iter().for_each(|piece| window.pass(piece, receive));
                });
            }
        }
        wanted.saturating_sub(window.left)
    }
}

impl EditableBody for HeldBody {
    type Error = CallError;

    fn front(&self, size: usize) -> Result<Vec<u8>, CallError> {
        let piece = self.copy(0, size);
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
        let rest = self.copy(size, usize::MAX);
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

/// Selects the bytes of a body from offset `skip` on, `left` of them, as its pieces pass.
struct BodyWindow {
    skip: usize,
    left: usize,
}

impl BodyWindow {
    /// Whether nothing is wanted of the next `size` bytes. They then need not pass.
    const fn passes_over(&mut self, size: usize) -> bool {
        let is_before = self.skip >= size;
        if is_before {
            self.skip = self.skip.saturating_sub(size);
        }
        is_before || self.left == 0
    }

    fn pass(&mut self, piece: &[u8], receive: &mut dyn FnMut(&[u8])) {
        let start = self.skip.min(piece.len());
        self.skip = self.skip.saturating_sub(start);
        let wanted = piece.get(start..).unwrap_or_default();
        let wanted = wanted.get(..self.left).unwrap_or(wanted);
        if !wanted.is_empty() {
            receive(wanted);
            self.left = self.left.saturating_sub(wanted.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes that a window selects of parts, each with its pieces.
    fn selected(mut window: BodyWindow, parts: &[&[&[u8]]]) -> (Vec<u8>, usize) {
        let mut bytes = Vec::new();
        for pieces in parts {
            if !window.passes_over(pieces.iter().map(|piece| piece.len()).sum()) {
                for piece in *pieces {
                    window.pass(piece, &mut |wanted| bytes.extend_from_slice(wanted));
                }
            }
        }
        (bytes, window.left)
    }

    #[test]
    fn every_range_of_a_body_in_pieces_is_selected() {
        let body = b"0123456789";
        for split in 0..=body.len() {
            for start in 0..=body.len() {
                for size in 0..=body.len() - start {
                    let (first, second) = body.split_at(split);
                    let expected = (body[start..start + size].to_vec(), 0);
                    for parts in [&[&[first, b"", second][..]][..], &[&[first], &[b"", second]]] {
                        let window = BodyWindow {
                            skip: start,
                            left: size,
                        };
                        assert_eq!(selected(window, parts), expected, "{split} {start} {size}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_body_may_be_shorter_than_what_is_wanted() {
        let window = BodyWindow { skip: 2, left: 9 };
        assert_eq!(selected(window, &[&[b"abc"], &[]]), (b"c".to_vec(), 8));
    }
}
