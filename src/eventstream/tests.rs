#[path = "../../tests/support/package.rs"]
mod package;

use aws_smithy_eventstream::frame::{read_message_from, write_message_to};
use aws_smithy_types::event_stream::{Header as SmithyHeader, HeaderValue, Message as SmithyMessage};
use proptest::prelude::*;

use super::decoder::{MAX_HEADERS_BYTES, MAX_MESSAGE_BYTES};
use super::header::EventValue;
use super::*;

/// Records complete messages.
#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    messages: Vec<TestMessage>,
    current: Option<TestMessage>,
    pieces: usize,
}

#[derive(Clone, Debug, PartialEq)]
struct TestMessage {
    kind: MessageKind,
    name: String,
    headers: Vec<(String, HeaderValue)>,
    payload: Vec<u8>,
}

impl MessageSink for Seen {
    fn begin(&mut self, head: Head<'_>) {
        assert!(self.current.is_none(), "a message began within another");
        self.current = Some(TestMessage {
            kind: head.kind,
            name: head.name.to_owned(),
            headers: head
                .headers
                .map(|header| (header.name.to_owned(), smithy_value(header.value)))
                .collect(),
            payload: Vec::new(),
        });
    }

    fn payload(&mut self, piece: &[u8]) {
        assert!(!piece.is_empty());
        self.pieces += 1;
        self.current
            .as_mut()
            .expect("payload without begin")
            .payload
            .extend_from_slice(piece);
    }

    fn complete(&mut self) {
        self.messages
            .push(self.current.take().expect("complete without begin"));
    }
}

fn smithy_value(value: EventValue<'_>) -> HeaderValue {
    match value {
        EventValue::Bool(value) => HeaderValue::Bool(value),
        EventValue::Byte(value) => HeaderValue::Byte(value),
        EventValue::Int16(value) => HeaderValue::Int16(value),
        EventValue::Int32(value) => HeaderValue::Int32(value),
        EventValue::Int64(value) => HeaderValue::Int64(value),
        EventValue::Bytes(value) => HeaderValue::ByteArray(value.to_vec().into()),
        EventValue::Text(value) => HeaderValue::String(value.to_owned().into()),
        EventValue::TimestampMilliseconds(value) => {
            HeaderValue::Timestamp(aws_smithy_types::DateTime::from_millis(value))
        }
        EventValue::Uuid(value) => HeaderValue::Uuid(value),
    }
}

type Decoded = (Vec<TestMessage>, Result<(), DecodeError>);

/// Decodes chunks and checks the invariants of every stream.
fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let (mut decoder, mut seen, mut outcome) = (Decoder::default(), Seen::default(), Ok(()));
    for chunk in chunks {
        let result = decoder.push(chunk, &mut seen);
        if outcome.is_err() {
            assert_eq!(result, outcome, "a failed decoder stays failed");
        }
        outcome = result;
        if outcome.is_err() {
            assert!(!decoder.at_boundary());
        }
    }
    (seen.messages, outcome)
}

fn decode_byte_by_byte(bytes: &[u8]) -> Decoded {
    decode(bytes.chunks(1))
}

fn encode(headers: &[(&str, HeaderValue)], payload: &[u8]) -> Vec<u8> {
    let message = headers
        .iter()
        .fold(SmithyMessage::new(payload.to_vec()), |message, (name, value)| {
            message.add_header(SmithyHeader::new((*name).to_owned(), value.clone()))
        });
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).unwrap();
    bytes
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::String(value.to_owned().into())
}

fn event(name: &str, payload: &str) -> Vec<u8> {
    encode(
        &[
            (":event-type", text(name)),
            (":content-type", text("application/json")),
            (":message-type", text("event")),
        ],
        payload.as_bytes(),
    )
}

/// A prelude with the given lengths and a valid checksum.
fn prelude(message: u32, headers: u32) -> Vec<u8> {
    let mut bytes = [message.to_be_bytes(), headers.to_be_bytes()].concat();
    bytes.extend(Crc32::of(&bytes).to_be_bytes());
    bytes
}

/// A frame with valid checksums around a block of headers that may be invalid.
fn frame(block: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + block.len() + payload.len()).unwrap();
    let mut bytes = prelude(length, u32::try_from(block.len()).unwrap());
    bytes.extend(block);
    bytes.extend(payload);
    bytes.extend(Crc32::of(&bytes).to_be_bytes());
    bytes
}

/// AWS's own test data, from the package of `aws-smithy-eventstream`.
fn vectors() -> Vec<(String, Vec<u8>)> {
    let folder = package::folder("aws-smithy-eventstream").join("test_data");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| {
            panic!(
                "expected AWS's test data in {}, but found {error}",
                folder.display()
            )
        })
        .map(|entry| {
            let path = entry.unwrap().path();
            (
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                std::fs::read(&path).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_aws_vector_has_the_expected_outcome() {
    let vectors = vectors();
    assert!(vectors.len() >= 11, "found only {}", vectors.len());
    for (name, bytes) in vectors {
        // The error must match the defect in the file's name, and every file needs an outcome.
        let expected = match name.as_str() {
            name if name.starts_with("valid_") => Ok(()),
            "invalid_header_name_length"
            | "invalid_header_name_length_too_long"
            | "invalid_header_string_length_cut_off"
            | "invalid_header_string_value_length" => Err(DecodeError::HeaderCut),
            "invalid_header_value_type" => Err(DecodeError::HeaderType),
            "invalid_headers_length" => Err(DecodeError::HeadersLength),
            "invalid_message_checksum" => Err(DecodeError::MessageChecksum),
            "invalid_prelude_checksum" => Err(DecodeError::PreludeChecksum),
            other => panic!("no expected outcome for {other}"),
        };
        let whole = decode([&bytes[..]]);
        assert_eq!(whole.1, expected, "{name}");
        assert_eq!(read_message_from(&bytes[..]).is_ok(), expected.is_ok(), "{name}");
        if expected.is_ok() {
            assert_eq!(whole.0, [smithy_message(&bytes)], "{name}");
        } else {
            assert_eq!(whole.0, [], "{name}");
        }
        assert_eq!(decode_byte_by_byte(&bytes), whole, "{name}");
        for cut in 0..=bytes.len() {
            let (left, right) = bytes.split_at(cut);
            assert_eq!(decode([left, right]), whole, "{name} cut at {cut}");
        }
    }
}

fn smithy_message(bytes: &[u8]) -> TestMessage {
    let message = read_message_from(bytes).unwrap();
    let find = |name: &str| {
        message
            .headers()
            .iter()
            .rev()
            .find_map(|header| match header.value() {
                HeaderValue::String(value) if header.name().as_str() == name => {
                    Some(value.as_str().to_owned())
                }
                _ => None,
            })
            .unwrap_or_default()
    };
    let (kind, name) = match find(":message-type").as_str() {
        "event" => (MessageKind::Event, find(":event-type")),
        "exception" => (MessageKind::Exception, find(":exception-type")),
        "error" => (MessageKind::Error, find(":error-code")),
        _ => (MessageKind::Other, find(":event-type")),
    };
    TestMessage {
        kind,
        name,
        headers: message
            .headers()
            .iter()
            .map(|header| (header.name().as_str().to_owned(), header.value().clone()))
            .collect(),
        payload: message.payload().to_vec(),
    }
}

#[test]
fn every_split_of_a_stream_yields_the_same_messages() {
    let stream = [
        event("messageStart", r#"{"role":"assistant"}"#),
        event("contentBlockDelta", r#"{"delta":{"text":"héllo"}}"#),
        encode(&[], b""),
        encode(
            &[
                (":message-type", text("exception")),
                (":exception-type", text("throttlingException")),
            ],
            b"{}",
        ),
        encode(
            &[
                (":message-type", text("error")),
                (":error-code", text("InternalFailure")),
            ],
            b"",
        ),
    ]
    .concat();
    let whole = decode([&stream[..]]);
    assert_eq!(whole.1, Ok(()));
    let names: Vec<_> = whole
        .0
        .iter()
        .map(|message| (message.kind, message.name.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            (MessageKind::Event, "messageStart"),
            (MessageKind::Event, "contentBlockDelta"),
            (MessageKind::Other, ""),
            (MessageKind::Exception, "throttlingException"),
            (MessageKind::Error, "InternalFailure"),
        ]
    );
    assert_eq!(decode_byte_by_byte(&stream), whole);
    for cut in 0..=stream.len() {
        let (left, right) = stream.split_at(cut);
        assert_eq!(decode([left, right]), whole, "cut at {cut}");
        for second in cut..=stream.len().min(cut + 20) {
            let (middle, right) = right.split_at(second - cut);
            assert_eq!(decode([left, middle, right]), whole, "cut at {cut} and {second}");
        }
    }
}

#[test]
fn a_payload_within_one_chunk_is_passed_on_in_one_piece() {
    let (mut decoder, mut seen) = (Decoder::default(), Seen::default());
    let stream = [event("a", "{}"), event("b", &"x".repeat(5000))].concat();
    decoder.push(&stream, &mut seen).unwrap();
    assert_eq!((seen.messages.len(), seen.pieces), (2, 2));
    assert!(decoder.headers.capacity() == 0, "nothing was copied");
}

#[test]
fn an_invalid_prelude_is_refused_at_byte_twelve() {
    let mut bytes = event("a", "{}");
    bytes[11] ^= 1;
    assert_eq!(decode([&bytes[..11]]), (vec![], Ok(())));
    assert_eq!(
        decode([&bytes[..12]]),
        (vec![], Err(DecodeError::PreludeChecksum))
    );
}

#[test]
fn the_limits_are_exact() {
    let at_prelude = |message, headers| decode([&prelude(message, headers)[..]]).1;
    assert_eq!(at_prelude(MAX_MESSAGE_BYTES - 1, 0), Ok(()));
    assert_eq!(at_prelude(MAX_MESSAGE_BYTES, 0), Ok(()));
    assert_eq!(
        at_prelude(MAX_MESSAGE_BYTES + 1, 0),
        Err(DecodeError::MessageLength)
    );
    assert_eq!(at_prelude(u32::MAX, 0), Err(DecodeError::MessageLength));
    assert_eq!(at_prelude(0, 0), Err(DecodeError::MessageLength));
    assert_eq!(at_prelude(15, 0), Err(DecodeError::MessageLength));
    assert_eq!(at_prelude(16, 0), Ok(()));
    assert_eq!(at_prelude(16, 1), Err(DecodeError::HeadersLength));
    assert_eq!(at_prelude(17, u32::MAX), Err(DecodeError::HeadersLength));
    assert_eq!(at_prelude(MAX_MESSAGE_BYTES, MAX_HEADERS_BYTES - 1), Ok(()));
    assert_eq!(at_prelude(MAX_MESSAGE_BYTES, MAX_HEADERS_BYTES), Ok(()));
    assert_eq!(
        at_prelude(MAX_MESSAGE_BYTES, MAX_HEADERS_BYTES + 1),
        Err(DecodeError::HeadersLength)
    );
}

#[test]
fn memory_grows_with_received_bytes_not_with_announced_lengths() {
    let (mut decoder, mut seen) = (Decoder::default(), Seen::default());
    decoder
        .push(&prelude(MAX_MESSAGE_BYTES, MAX_HEADERS_BYTES), &mut seen)
        .unwrap();
    decoder.push(&[0; 100], &mut seen).unwrap();
    assert!(
        decoder.headers.capacity() < 1000,
        "{}",
        decoder.headers.capacity()
    );
}

#[test]
fn an_invalid_header_is_refused_before_the_payload() {
    for (block, expected) in [
        (&[1][..], DecodeError::HeaderCut),
        (&[2, b'a'], DecodeError::HeaderCut),
        (&[1, b'a', 10], DecodeError::HeaderType),
        (&[1, b'a', 4, 0, 0, 0], DecodeError::HeaderCut),
        (&[1, b'a', 7, 0, 2, b'x'], DecodeError::HeaderCut),
        (&[1, 0xFF, 0], DecodeError::HeaderText),
        (&[1, b'a', 7, 0, 1, 0xFF], DecodeError::HeaderText),
    ] {
        let bytes = frame(block, b"payload");
        let end_of_headers = 12 + block.len();
        assert_eq!(
            decode([&bytes[..end_of_headers]]),
            (vec![], Err(expected)),
            "{block:?}"
        );
        assert!(read_message_from(&bytes[..]).is_err(), "{block:?}");
    }
}

#[test]
fn nothing_is_read_after_an_error() {
    let mut bad = event("a", "{}");
    *bad.last_mut().unwrap() ^= 1;
    let stream = [event("first", "{}"), bad, event("third", "{}")].concat();
    let (messages, outcome) = decode([&stream[..]]);
    assert_eq!(outcome, Err(DecodeError::MessageChecksum));
    assert_eq!(
        messages
            .iter()
            .map(|message| &message.name[..])
            .collect::<Vec<_>>(),
        ["first"]
    );
}

fn header_value() -> impl Strategy<Value = HeaderValue> {
    prop_oneof![
        any::<bool>().prop_map(HeaderValue::Bool),
        any::<i8>().prop_map(HeaderValue::Byte),
        any::<i16>().prop_map(HeaderValue::Int16),
        any::<i32>().prop_map(HeaderValue::Int32),
        any::<i64>().prop_map(HeaderValue::Int64),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| HeaderValue::ByteArray(bytes.into())),
        ".{0,20}".prop_map(|value| HeaderValue::String(value.into())),
        any::<i32>().prop_map(
            |millis| HeaderValue::Timestamp(aws_smithy_types::DateTime::from_millis(i64::from(millis)))
        ),
        any::<u128>().prop_map(HeaderValue::Uuid),
    ]
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let headers = proptest::collection::vec(
        (
            prop_oneof![
                Just(":message-type".to_owned()),
                Just(":event-type".to_owned()),
                ".{1,12}"
            ],
            header_value(),
        ),
        0..5,
    );
    (headers, proptest::collection::vec(any::<u8>(), 0..100)).prop_map(|(headers, payload)| {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (&name[..], value.clone()))
            .collect();
        encode(&headers, &payload)
    })
}

/// Splits `bytes` at the given positions.
pub(crate) fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut positions: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    positions.extend([0, bytes.len()]);
    positions.sort_unstable();
    positions
        .windows(2)
        .map(|pair| &bytes[pair[0]..pair[1]])
        .collect()
}

proptest! {
    #[test]
    fn frames_encoded_by_aws_are_decoded_as_by_aws(
        frames in proptest::collection::vec(any_frame(), 0..5),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let stream = frames.concat();
        let expected: Vec<_> = frames.iter().map(|frame| smithy_message(frame)).collect();
        prop_assert_eq!(decode(cut(&stream, &cuts)), (expected, Ok(())));
    }

    #[test]
    fn a_corrupted_frame_is_refused_as_by_aws(
        frame in any_frame(),
        position in any::<prop::sample::Index>(),
        flip in 1u8..,
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut bytes = frame;
        let position = position.index(bytes.len());
        bytes[position] ^= flip;
        let (messages, outcome) = decode(cut(&bytes, &cuts));
        prop_assert!(read_message_from(&bytes[..]).is_err());
        prop_assert_eq!(messages, []);
        prop_assert!(outcome.is_err());
    }

    /// Mostly invalid headers under valid checksums: the only input on which the two decoders could
    /// disagree.
    #[test]
    fn any_block_of_headers_is_judged_as_by_aws(
        block in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            proptest::collection::vec(0u8..12, 0..40),
        ],
        payload in proptest::collection::vec(any::<u8>(), 0..20),
    ) {
        let bytes = frame(&block, &payload);
        let (messages, outcome) = decode([&bytes[..]]);
        prop_assert_eq!(outcome.is_ok(), read_message_from(&bytes[..]).is_ok(), "{:?}", outcome);
        if outcome.is_ok() {
            prop_assert_eq!(messages, [smithy_message(&bytes)]);
        }
        prop_assert_eq!(decode_byte_by_byte(&bytes).1, outcome);
    }
}
