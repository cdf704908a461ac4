//! The headers of a message.

use crate::eventstream::error::DecodeError;

/// Whether a message is an event, a modeled exception or an unmodeled error (`:message-type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageKind {
    /// `event`, named by `:event-type`.
    Event,
    /// `exception`, named by `:exception-type`.
    Exception,
    /// `error`, named by `:error-code`.
    Error,
    /// The `:message-type` is missing or unknown.
    Other,
}

/// The kind, name and headers of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    /// The kind of the message.
    pub kind: MessageKind,
    /// The name (see [`MessageKind`]), empty if its header is missing.
    pub name: &'a str,
    /// All headers, in order.
    pub headers: EventHeaders<'a>,
}

/// A validated block of headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventHeaders<'a>(&'a [u8]);

/// A header.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct EventHeader<'a> {
    /// The name: at most 255 bytes.
    pub name: &'a str,
    /// The value.
    pub value: EventValue<'a>,
}

/// The value of a header, by its type in the protocol.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum EventValue<'a> {
    /// Types 0 (true) and 1 (false).
    Bool(bool),
    /// Type 2.
    Byte(i8),
    /// Type 3.
    Int16(i16),
    /// Type 4.
    Int32(i32),
    /// Type 5.
    Int64(i64),
    /// Type 6.
    Bytes(&'a [u8]),
    /// Type 7.
    Text(&'a str),
    /// Type 8: milliseconds since the UNIX epoch.
    TimestampMilliseconds(i64),
    /// Type 9.
    Uuid(u128),
}

impl<'a> Head<'a> {
    /// Validates a complete block of headers and finds the name of the message.
    pub(super) fn parse(block: &'a [u8]) -> Result<Self, DecodeError> {
        let (mut message_type, mut event, mut exception, mut error) = ("", "", "", "");
        // Checking all of a block at once is faster than checking each of its texts.
        let text = std::str::from_utf8(block).ok();
        let mut rest = block;
        while !rest.is_empty() {
            let header = take_header(&mut rest, text)?;
            if let EventValue::Text(value) = header.value {
                match header.name {
                    ":message-type" => message_type = value,
                    ":event-type" => event = value,
                    ":exception-type" => exception = value,
                    ":error-code" => error = value,
                    _ => {}
                }
            }
        }
        let (kind, name) = match message_type {
            "event" => (MessageKind::Event, event),
            "exception" => (MessageKind::Exception, exception),
            "error" => (MessageKind::Error, error),
            _ => (MessageKind::Other, event),
        };
        Ok(Self {
            kind,
            name,
            headers: EventHeaders(block),
        })
    }
}

impl<'a> Iterator for EventHeaders<'a> {
    type Item = EventHeader<'a>;

    fn next(&mut self) -> Option<EventHeader<'a>> {
        take_header(&mut self.0, None).ok()
    }
}

/// Takes the next header of `rest`, which is the end of a block. `block` is that block, if it is UTF-8.
fn take_header<'a>(rest: &mut &'a [u8], block: Option<&'a str>) -> Result<EventHeader<'a>, DecodeError> {
    let [name_length] = take(rest)?;
    let name = take_text(rest, usize::from(name_length), block)?;
    let [kind] = take(rest)?;
    let value = match kind {
        0 => EventValue::Bool(true),
        1 => EventValue::Bool(false),
        2 => EventValue::Byte(i8::from_be_bytes(take(rest)?)),
        3 => EventValue::Int16(i16::from_be_bytes(take(rest)?)),
        4 => EventValue::Int32(i32::from_be_bytes(take(rest)?)),
        5 => EventValue::Int64(i64::from_be_bytes(take(rest)?)),
        6 => {
            let length = u16::from_be_bytes(take(rest)?);
            EventValue::Bytes(take_bytes(rest, usize::from(length))?)
        }
        7 => {
            let length = u16::from_be_bytes(take(rest)?);
            EventValue::Text(take_text(rest, usize::from(length), block)?)
        }
        8 => EventValue::TimestampMilliseconds(i64::from_be_bytes(take(rest)?)),
        9 => EventValue::Uuid(u128::from_be_bytes(take(rest)?)),
        _ => return Err(DecodeError::HeaderType),
    };
    Ok(EventHeader { name, value })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], DecodeError> {
    let (taken, left) = rest.split_first_chunk().ok_or(DecodeError::HeaderCut)?;
    *rest = left;
    Ok(*taken)
}

fn take_bytes<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], DecodeError> {
    let (taken, left) = rest.split_at_checked(length).ok_or(DecodeError::HeaderCut)?;
    *rest = left;
    Ok(taken)
}

fn take_text<'a>(rest: &mut &'a [u8], length: usize, block: Option<&'a str>) -> Result<&'a str, DecodeError> {
    let left = rest.len();
    let bytes = take_bytes(rest, length)?;
    let text = match block {
        // A part of a UTF-8 text is UTF-8 if no character is cut.
        Some(block) => {
            let start = block.len().saturating_sub(left);
            block.get(start..start.saturating_add(length))
        }
        None => std::str::from_utf8(bytes).ok(),
    };
    text.ok_or(DecodeError::HeaderText)
}
