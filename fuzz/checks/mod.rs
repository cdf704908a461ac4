//! What must hold for any bytes whatever: called by the fuzzer (fuzz/) and, with its kept corpus, by a test.
//!
//! Not part of the filter: this module exists for tests and fuzzing only.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a check fails by panicking"
)]

mod configuration;
mod guardrail;

pub use configuration::configuration;
#[cfg(test)]
pub(crate) use guardrail::guarded;
pub use guardrail::guardrail;
use serde_json::Value;

use crate::eventstream::{Crc32, DecodeError, Decoder, Head, MessageKind, MessageSink};
use crate::usage::{
    BodyObserver, Ending, HeaderUsage, LatencyTier, Observation, ServiceTier, StopReason, StreamKind,
    StreamObserver, UnreadableReason, Usage, UsageSource,
};

/// An event stream is read alike however it is cut, and no bytes make the decoder or the observers fail otherwise than
/// by their error. The first byte says how to cut; with its highest bit the rest is put into frames with right
/// checksums, which chance would never find.
pub fn event_stream(data: &[u8]) {
    let Some((&recipe, bytes)) = data.split_first() else {
        return;
    };
    let stream = if recipe & 0x80 == 0 {
        bytes.to_vec()
    } else {
        framed(bytes)
    };
    let cuts = cut(&stream, recipe & 0x7F);
    let whole = decode(&[&stream]);
    assert_eq!(decode(&cuts), whole);
    for kind in [StreamKind::Converse, StreamKind::Invoke] {
        let observation = observe_stream(kind, &[&stream]);
        assert_eq!(observe_stream(kind, &cuts), observation);
        consistent(&observation);
        if let Err(error) = whole.1
            && observation.source == UsageSource::Unparsed
        {
            assert!(
                observation
                    .unreadable
                    .is_some_and(|unread| unread == UnreadableReason::Frame(error))
            );
        }
    }
}

/// An answer is read alike however it is cut, is malformed exactly if serde_json finds it so, and says what serde_json
/// finds in it. The first byte says how to cut.
pub fn answer(data: &[u8]) {
    let Some((&recipe, body)) = data.split_first() else {
        return;
    };
    let cuts = cut(body, recipe & 0x7F);
    let observation = observe_body(&[body]);
    assert_eq!(observe_body(&cuts), observation);
    consistent(&observation);
    let malformed = observation.unreadable == Some(UnreadableReason::Json);
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => {
            assert!(!malformed);
            let usage = value["usage"].as_object();
            // With both formats in one object it depends on their order, which a `Value` does not keep.
            if usage.is_none_or(|usage| usage.keys().all(|key| !key.contains('_'))) {
                assert_eq!(
                    (observation.usage, observation.service_tier, observation.latency),
                    expected(&value)
                );
            }
        }
        Err(error) if tolerated(&error) || std::str::from_utf8(body).is_err() => {}
        // Cut, perhaps behind its account.
        Err(error) if error.is_eof() => {
            assert!(malformed || body.is_empty() || observation.source == UsageSource::Reported);
        }
        Err(_) => assert!(malformed),
    }
}

/// What a reader with the whole document of a Converse answer in hand finds.
pub fn expected(answer: &Value) -> (Option<Usage>, Option<ServiceTier>, Option<LatencyTier>) {
    let word = |value: &Value| value.as_str().map(|word| word.as_bytes().to_vec());
    let (tier, latency) = (&answer["serviceTier"], &answer["performanceConfig"]);
    (
        expected_usage(&answer["usage"]),
        word(&tier["type"])
            .or(word(tier))
            .map(|word| ServiceTier::from_word(&word)),
        word(&latency["latency"])
            .or(word(latency))
            .map(|word| LatencyTier::from_word(&word)),
    )
}

/// Its stop reason, in either format.
pub fn expected_stop_reason(answer: &Value) -> Option<StopReason> {
    answer["stopReason"]
        .as_str()
        .map(|word| StopReason::from_word(word.as_bytes()))
}

fn expected_usage(usage: &Value) -> Option<Usage> {
    let count = |key: &str| usage[key].as_u64();
    let write = count("cacheWriteInputTokens")
        .or(count("cacheWriteInputTokenCount"))
        .unwrap_or(0);
    let lifetime = |ttl: &str| {
        let details = usage["cacheDetails"].as_array().into_iter().flatten();
        details
            .filter(|detail| detail["ttl"] == ttl)
            .filter_map(|detail| detail["inputTokens"].as_u64())
            .fold(0u64, u64::saturating_add)
    };
    let (cache_write_5m, cache_write_1h) = match (lifetime("5m"), lifetime("1h")) {
        (five, hour) if five.checked_add(hour) == Some(write) => (five, hour),
        _ => (write, 0),
    };
    Some(Usage {
        input: count("inputTokens")?,
        output: count("outputTokens")?,
        cache_read: count("cacheReadInputTokens")
            .or(count("cacheReadInputTokenCount"))
            .unwrap_or(0),
        cache_write_5m,
        cache_write_1h,
    })
}

/// Refusals of serde_json that the tokenizer lets pass on purpose.
pub fn tolerated(error: &serde_json::Error) -> bool {
    let error = error.to_string();
    let tolerated = [
        "surrogate",
        "unexpected end of hex escape",
        "number out of range",
        "invalid unicode code point",
    ];
    tolerated.iter().any(|tolerated| error.contains(tolerated))
}

/// What holds for every observation.
fn consistent(observation: &Observation) {
    let numbers = matches!(
        observation.source,
        UsageSource::Reported | UsageSource::Headers | UsageSource::Estimated
    );
    assert_eq!(observation.usage.is_some(), numbers);
    assert_eq!(
        observation.unreadable.is_some(),
        observation.source == UsageSource::Unparsed
    );
}

/// Cuts into pieces of lengths that follow from the recipe; 0: bytes.
fn cut(bytes: &[u8], recipe: u8) -> Vec<&[u8]> {
    let (mut rest, mut pieces, mut state) = (bytes, Vec::new(), u32::from(recipe));
    while !rest.is_empty() {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        let length = if recipe == 0 {
            1
        } else {
            (state >> 16) as usize % (usize::from(recipe) + 1)
        };
        let (piece, left) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = left;
    }
    pieces
}

/// A message with right checksums.
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

/// Frames with right checksums: of each, a byte with the length of its headers, one with that of its payload, both.
/// Headers of length 0xFF are those of a `chunk` event, 0xFE of Converse's `metadata`.
fn framed(bytes: &[u8]) -> Vec<u8> {
    let (mut rest, mut stream) = (bytes, Vec::new());
    while let [headers, payload, behind @ ..] = rest {
        let (block, behind) = match headers {
            0xFF => (event_headers("chunk"), behind),
            0xFE => (event_headers("metadata"), behind),
            length => {
                let (block, behind) = behind.split_at(usize::from(*length).min(behind.len()));
                (block.to_vec(), behind)
            }
        };
        let (payload, behind) = behind.split_at(usize::from(*payload).min(behind.len()));
        rest = behind;
        stream.extend(frame(&block, payload));
    }
    stream
}

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

type Messages = Vec<(MessageKind, String, usize, Vec<u8>)>;

#[derive(Default)]
struct Collected {
    messages: Messages,
    current: Option<(MessageKind, String, usize, Vec<u8>)>,
}

impl MessageSink for Collected {
    fn begin(&mut self, head: Head<'_>) {
        assert!(self.current.is_none());
        self.current = Some((head.kind, head.name.to_owned(), head.headers.count(), Vec::new()));
    }

    fn payload(&mut self, piece: &[u8]) {
        self.current.as_mut().unwrap().3.extend_from_slice(piece);
    }

    fn complete(&mut self) {
        self.messages.push(self.current.take().unwrap());
    }
}

fn decode(chunks: &[&[u8]]) -> (Messages, Result<(), DecodeError>) {
    let (mut decoder, mut collected, mut outcome) = (Decoder::default(), Collected::default(), Ok(()));
    for chunk in chunks {
        let result = decoder.push(chunk, &mut collected);
        assert!(outcome.is_ok() || result == outcome);
        outcome = result;
    }
    (collected.messages, outcome)
}

fn observe_stream(kind: StreamKind, chunks: &[&[u8]]) -> Observation {
    let mut observer = StreamObserver::new(kind);
    let firsts = chunks.iter().filter(|chunk| observer.push(chunk)).count();
    let observation = observer.finish(Ending::Whole, &HeaderUsage::default(), 400);
    assert_eq!(firsts, usize::from(observation.characters > 0));
    observation
}

fn observe_body(chunks: &[&[u8]]) -> Observation {
    let mut observer = BodyObserver::default();
    chunks.iter().for_each(|chunk| observer.push(chunk));
    observer.finish(Ending::Whole, &HeaderUsage::default(), 400)
}

#[cfg(test)]
mod tests {
    fn inputs_of(target: &str) -> impl Iterator<Item = Vec<u8>> {
        let folder = format!("{}/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
        let inputs: Vec<_> = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("expected the corpus in {folder}, but found {error}"))
            .map(|input| input.unwrap().path())
            .collect();
        assert!(
            inputs.len() >= 10,
            "found only {} inputs in {folder}",
            inputs.len()
        );
        inputs.into_iter().map(|input| std::fs::read(input).unwrap())
    }

    fn every_cut_of(target: &str, check: fn(&[u8])) {
        for bytes in inputs_of(target) {
            // With every way to cut, not only that of the input.
            for recipe in [0, 1, 2, 7, 0x7F, 0x80, 0x81, 0x8D] {
                check(&[&[recipe], bytes.get(1..).unwrap_or_default()].concat());
            }
            check(&bytes);
        }
    }

    #[test]
    fn the_corpus_of_event_streams_holds() {
        every_cut_of("event_stream", super::event_stream);
    }

    #[test]
    fn the_corpus_of_answers_holds() {
        every_cut_of("answer", super::answer);
    }

    #[test]
    fn the_corpus_of_guardrails_holds() {
        every_cut_of("guardrail", super::guardrail);
    }

    #[test]
    fn the_corpus_of_configurations_holds() {
        for bytes in inputs_of("configuration") {
            let (&recipe, rest) = bytes.split_first().unwrap_or((&0, &[]));
            // With every choice of variables, not only that of the input.
            for variables in 0..8 {
                super::configuration(&[&[recipe & !7 | variables], rest].concat());
            }
        }
    }
}
