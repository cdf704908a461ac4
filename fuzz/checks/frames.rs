//! Event stream messages with valid checksums.

use crate::eventstream::Crc32;

/// An event stream message with valid checksums.
pub(crate) fn frame(block: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(16 + block.len() + payload.len())
        .unwrap()
        .to_be_bytes()
        .to_vec();
    frame.extend(u32::try_from(block.len()).unwrap().to_be_bytes());
    frame.extend(Crc32::of(&frame).to_be_bytes());
    frame.extend(block);
    frame.extend(payload);
    frame.extend(Crc32::of(&frame).to_be_bytes());
    frame
}

/// Reads `bytes` as a list of messages and frames each: the length of its headers (one byte), the
/// length of its payload (one byte), the headers, the payload. The length 0xFF stands for the
/// headers of a `chunk` event, 0xFE for those of Converse's `metadata`.
pub(crate) fn framed(bytes: &[u8]) -> Vec<u8> {
    let (mut rest, mut stream) = (bytes, Vec::new());
    while let [headers, payload, after @ ..] = rest {
        let (block, after) = match headers {
            0xFF => (event_headers("chunk"), after),
            0xFE => (event_headers("metadata"), after),
            length => {
                let (block, after) = after.split_at(usize::from(*length).min(after.len()));
                (block.to_vec(), after)
            }
        };
        let (payload, after) = after.split_at(usize::from(*payload).min(after.len()));
        rest = after;
        stream.extend(frame(&block, payload));
    }
    stream
}

/// The header block of the event `name`.
pub(crate) fn event_headers(name: &str) -> Vec<u8> {
    let mut block = Vec::new();
    for (key, value) in [(":event-type", name), (":message-type", "event")] {
        block.push(u8::try_from(key.len()).unwrap());
        block.extend(key.as_bytes());
        block.push(7);
        block.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        block.extend(value.as_bytes());
    }
    block
}
