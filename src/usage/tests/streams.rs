//! Responses that are event streams.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use proptest::prelude::*;

use super::super::estimate::CHARACTERS_PER_TOKEN;
use super::super::*;
use super::{cut, in_every_split};
use crate::eventstream::DecodeError;

fn frame(headers: &[(&str, &str)], payload: &str) -> Vec<u8> {
    let message = headers.iter().fold(
        Message::new(payload.as_bytes().to_vec()),
        |message, (name, value)| {
            let value = HeaderValue::String((*value).to_owned().into());
            message.add_header(Header::new((*name).to_owned(), value))
        },
    );
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).unwrap();
    bytes
}

fn event(name: &str, payload: &str) -> Vec<u8> {
    let headers = [
        (":event-type", name),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ];
    frame(&headers, payload)
}

fn chunk(payload: &str) -> Vec<u8> {
    let bytes = aws_smithy_types::base64::encode(payload);
    // AWS escapes nothing here, but could.
    event(
        "chunk",
        &format!(r#"{{"bytes":"{}","p":"abcdefgh"}}"#, bytes.replace('/', "\\/")),
    )
}

fn exception(name: &str) -> Vec<u8> {
    frame(
        &[(":exception-type", name), (":message-type", "exception")],
        r#"{"message":"no"}"#,
    )
}

fn observe(kind: StreamKind, frames: &[Vec<u8>], ending: Ending) -> Observation {
    in_every_split(&frames.concat(), |chunks| {
        let mut observer = StreamObserver::new(kind);
        let firsts = chunks.iter().filter(|chunk| observer.push(chunk)).count();
        let observation = observer.finish(ending, &HeaderUsage::default(), 4000);
        assert_eq!(
            firsts,
            usize::from(observation.characters > 0),
            "the first content is reported once"
        );
        observation
    })
}

fn converse() -> Vec<Vec<u8>> {
    vec![
        event("messageStart", r#"{"p":"abc","role":"assistant"}"#),
        event(
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"So…"}}}"#,
        ),
        event(
            "contentBlockDelta",
            r#"{"contentBlockIndex":1,"delta":{"text":"Grüße 😀"},"p":"abcd"}"#,
        ),
        event(
            "contentBlockDelta",
            r#"{"contentBlockIndex":2,"delta":{"toolUse":{"input":"{\"usage\":1}"}}}"#,
        ),
        event("contentBlockStop", r#"{"contentBlockIndex":2}"#),
        event("messageStop", r#"{"stopReason":"tool_use"}"#),
        event(
            "metadata",
            r#"{"metrics":{"latencyMs":9},"p":"ab","performanceConfig":{"latency":"standard"},"serviceTier":{"type":"priority"},
               "usage":{"cacheReadInputTokens":7,"inputTokens":30,"outputTokens":600,"totalTokens":637},"trace":{"usage":{"inputTokens":1}}}"#,
        ),
    ]
}

#[test]
fn converse_stream_usage_is_reported_for_every_split() {
    let observation = observe(StreamKind::Converse, &converse(), Ending::Whole);
    assert_eq!(
        observation,
        Observation {
            usage: Some(Usage {
                input: 30,
                output: 600,
                cache_read: 7,
                ..Usage::default()
            }),
            source: UsageSource::Reported,
            unreadable: None,
            service_tier: Some(ServiceTier::Priority),
            latency: Some(LatencyTier::Standard),
            stop_reason: Some(StopReason::ToolUse),
            exception: None,
            has_searched: false,
            characters: 21,
        }
    );
}

#[test]
fn a_cut_stream_is_estimated_wherever_it_is_cut() {
    let stream = converse().concat();
    let last = converse().pop().unwrap().len();
    for end in 0..stream.len() - last {
        let mut observer = StreamObserver::new(StreamKind::Converse);
        observer.push(&stream[..end]);
        let observation = observer.finish(Ending::Cut, &HeaderUsage::default(), 4000);
        assert_eq!(observation.source, UsageSource::Estimated, "cut at {end}");
        let usage = observation.usage.unwrap();
        assert_eq!(usage.input, 1000);
        assert_eq!(
            usage.output,
            observation.characters.div_ceil(CHARACTERS_PER_TOKEN)
        );
    }
    // The framing is complete, but the usage is missing.
    let observation = observe(StreamKind::Converse, &converse()[..6], Ending::Whole);
    assert_eq!(observation.source, UsageSource::Estimated);
    assert_eq!(
        observation.usage,
        Some(Usage {
            input: 1000,
            output: 6,
            ..Usage::default()
        })
    );
}

#[test]
fn a_stream_that_never_began_is_unknown() {
    assert_eq!(
        observe(StreamKind::Converse, &[], Ending::Whole).source,
        UsageSource::Unknown
    );
}

#[test]
fn a_corrupt_frame_makes_the_stream_unparsed_and_ends_its_reading() {
    for index in 1..4 {
        let mut frames = converse();
        *frames[index].last_mut().unwrap() ^= 1;
        let observation = observe(StreamKind::Converse, &frames, Ending::Whole);
        assert_eq!(
            (observation.source, observation.usage),
            (UsageSource::Unparsed, None)
        );
        assert_eq!(
            observation.unreadable,
            Some(UnreadableReason::Frame(DecodeError::MessageChecksum))
        );
        assert!(observation.characters < 21);
    }
    // Usage in a corrupt frame does not count.
    let mut frames = converse();
    *frames[6].last_mut().unwrap() ^= 1;
    assert_eq!(
        observe(StreamKind::Converse, &frames, Ending::Whole).source,
        UsageSource::Unparsed
    );
    // Usage before a corrupt frame does.
    let mut frames = converse();
    frames.push(vec![0; 12]);
    assert_eq!(
        observe(StreamKind::Converse, &frames, Ending::Whole).source,
        UsageSource::Reported
    );
}

#[test]
fn an_event_that_is_not_json_makes_the_stream_unparsed_only_if_it_was_needed() {
    let mut frames = converse();
    frames[2] = event("contentBlockDelta", "{\"delta\":");
    assert_eq!(
        observe(StreamKind::Converse, &frames, Ending::Whole).source,
        UsageSource::Reported
    );
    frames[6] = event("metadata", "{\"usage\":{\"inputTokens\":1,}}");
    let observation = observe(StreamKind::Converse, &frames, Ending::Whole);
    assert_eq!(
        (observation.source, observation.unreadable),
        (UsageSource::Unparsed, Some(UnreadableReason::Json))
    );
    let mut frames = converse();
    frames[6] = event("metadata", "{\"usage\":{\"inputTokens\":1}}");
    let observation = observe(StreamKind::Converse, &frames, Ending::Whole);
    assert_eq!(
        (observation.source, observation.unreadable),
        (UsageSource::Unparsed, Some(UnreadableReason::Counts))
    );
}

#[test]
fn exceptions_are_recorded_by_their_type() {
    for known in StreamException::ALL {
        let started = [converse()[2].clone(), exception(known.as_str())];
        let observation = observe(StreamKind::Converse, &started, Ending::Whole);
        assert_eq!(observation.exception, Some(*known));
        assert_eq!(
            observation.source,
            UsageSource::Estimated,
            "received content was billed"
        );
        let at_once = observe(StreamKind::Invoke, &[exception(known.as_str())], Ending::Whole);
        assert_eq!(
            (at_once.exception, at_once.source),
            (Some(*known), UsageSource::Unknown)
        );
    }
    let unmodelled = [frame(
        &[
            (":message-type", "error"),
            (":error-code", "Boom"),
            (":error-message", "x"),
        ],
        "",
    )];
    let observation = observe(StreamKind::Invoke, &unmodelled, Ending::Whole);
    assert_eq!(observation.exception, Some(StreamException::Other));
}

const METRICS: &str = r#""amazon-bedrock-invocationMetrics":{"inputTokenCount":10,"outputTokenCount":70,"invocationLatency":9,"firstByteLatency":2,"cacheReadInputTokenCount":5,"cacheWriteInputTokenCount":30}"#;

fn anthropic() -> Vec<Vec<u8>> {
    vec![
        chunk(
            r#"{"type":"message_start","message":{"id":"m","content":[],"usage":{"input_tokens":10,"cache_creation_input_tokens":30,"cache_read_input_tokens":5,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":1}}}"#,
        ),
        chunk(r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"ignored"}}"#),
        chunk(r#"{"type":"ping"}"#),
        chunk(r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hällo"}}"#),
        chunk(
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"ab"}}"#,
        ),
        chunk(
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
        ),
        chunk(r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":70}}"#),
        chunk(&format!(r#"{{"type":"message_stop",{METRICS}}}"#)),
    ]
}

const ANTHROPIC: Usage = Usage {
    input: 10,
    output: 70,
    cache_read: 5,
    cache_write_5m: 10,
    cache_write_1h: 20,
};

#[test]
fn anthropic_stream_usage_is_reported_for_every_split() {
    let observation = observe(StreamKind::Invoke, &anthropic(), Ending::Whole);
    assert_eq!(
        (observation.usage, observation.source),
        (Some(ANTHROPIC), UsageSource::Reported)
    );
    assert_eq!(observation.stop_reason, Some(StopReason::EndTurn));
    assert_eq!(observation.characters, 9);
}

#[test]
fn events_or_metrics_of_an_anthropic_stream_suffice() {
    let mut events_only = anthropic();
    events_only.truncate(7);
    assert_eq!(
        observe(StreamKind::Invoke, &events_only, Ending::Cut).usage,
        Some(ANTHROPIC)
    );
    let metrics_only = [anthropic().pop().unwrap()];
    let usage = observe(StreamKind::Invoke, &metrics_only, Ending::Whole)
        .usage
        .unwrap();
    assert_eq!(
        usage,
        Usage {
            cache_write_5m: 30,
            cache_write_1h: 0,
            ..ANTHROPIC
        }
    );
}

#[test]
fn bedrock_metrics_take_precedence_over_model_events() {
    let mut frames = anthropic();
    frames[6] = chunk(r#"{"type":"message_delta","delta":{},"usage":{"output_tokens":69}}"#);
    assert_eq!(
        observe(StreamKind::Invoke, &frames, Ending::Whole).usage,
        Some(ANTHROPIC)
    );
    // If the sums differ, the events' split by lifetime is not used.
    frames[7] = chunk(&format!("{{{METRICS}}}").replace("Count\":30", "Count\":31"));
    let usage = observe(StreamKind::Invoke, &frames, Ending::Whole).usage.unwrap();
    assert_eq!((usage.cache_write_5m, usage.cache_write_1h), (31, 0));
}

#[test]
fn a_cut_anthropic_stream_keeps_the_prompt_that_was_reported() {
    let frames = &anthropic()[..4];
    let observation = observe(StreamKind::Invoke, frames, Ending::Cut);
    assert_eq!(observation.source, UsageSource::Estimated);
    assert_eq!(
        observation.usage,
        Some(Usage {
            output: 2,
            ..ANTHROPIC
        })
    );
}

#[test]
fn usage_of_other_vendors_comes_from_bedrock_metrics() {
    for text in [
        r#"{"outputText":"abcd","index":0"#,
        r#"{"generation":"abcd","prompt_token_count":null"#,
        r#"{"outputs":[{"text":"abcd","stop_reason":null}]"#,
        r#"{"choices":[{"index":0,"delta":{"content":"abcd"}}]"#,
        r#"{"completion":"abcd"#,
        r#"{"contentBlockDelta":{"delta":{"text":"abcd"},"contentBlockIndex":0}"#,
    ] {
        let text = if text.matches('"').count() % 2 == 1 {
            format!("{text}\"")
        } else {
            text.to_owned()
        };
        let frames = [chunk(&format!("{text}}}")), chunk(&format!("{text},{METRICS}}}"))];
        let observation = observe(StreamKind::Invoke, &frames, Ending::Whole);
        assert_eq!(observation.characters, 8, "{text}");
        assert_eq!(observation.usage.map(|usage| usage.output), Some(70), "{text}");
    }
    let nova = [chunk(
        r#"{"metadata":{"usage":{"inputTokens":3,"outputTokens":4,"cacheReadInputTokenCount":2}}}"#,
    )];
    let usage = observe(StreamKind::Invoke, &nova, Ending::Whole).usage;
    assert_eq!(
        usage,
        Some(Usage {
            input: 3,
            output: 4,
            cache_read: 2,
            ..Usage::default()
        })
    );
}

#[test]
fn a_chunk_with_invalid_base64_or_json_is_unparsed() {
    for (payload, unreadable) in [
        (r#"{"bytes":"e30_"}"#, UnreadableReason::Base64),
        (r#"{"bytes":"e30"#, UnreadableReason::Json),
        (r#"{"bytes":"e30x"}"#, UnreadableReason::Json),
        (r#"{"bytes":"ew=="}"#, UnreadableReason::Json),
    ] {
        let observation = observe(StreamKind::Invoke, &[event("chunk", payload)], Ending::Whole);
        assert_eq!(
            (observation.source, observation.unreadable),
            (UsageSource::Unparsed, Some(unreadable)),
            "{payload}"
        );
    }
    let harmless = [
        event("chunk", r#"{"p":"abc"}"#),
        event("other", "not JSON"),
        anthropic().pop().unwrap(),
    ];
    assert_eq!(
        observe(StreamKind::Invoke, &harmless, Ending::Whole).source,
        UsageSource::Reported
    );
}

proptest! {
    #[test]
    fn random_cuts_change_nothing(
        invoke: bool,
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..30),
    ) {
        let (kind, frames) =
            if invoke { (StreamKind::Invoke, anthropic()) } else { (StreamKind::Converse, converse()) };
        let stream = frames.concat();
        let result = |chunks: &[&[u8]]| {
            let mut observer = StreamObserver::new(kind);
            chunks.iter().for_each(|chunk| _ = observer.push(chunk));
            observer.finish(Ending::Whole, &HeaderUsage::default(), 0)
        };
        prop_assert_eq!(result(&cut(&stream, &cuts)), result(&[&stream]));
    }
}

#[test]
fn text_is_counted_in_any_form_of_its_event() {
    for (payload, expected) in [
        (
            r#"{"contentBlockIndex":0,"delta":{"text":"héllo"},"p":"ab"}"#,
            Some(5),
        ),
        (r#"{"contentBlockIndex":7,"delta":{"text":"héllo"}}"#, Some(5)),
        (r#"{"delta":{"text":"héllo"},"contentBlockIndex":0}"#, Some(5)),
        (
            r#"{"contentBlockIndex":0,"delta":{"text":"h\u00e9llo"},"p":"ab"}"#,
            Some(5),
        ),
        (r#" {"contentBlockIndex":0,"delta":{"text":"héllo"}} "#, Some(5)),
        (r#"{"contentBlockIndex":0,"delta":{"text":"héllo"}}x"#, None),
        (r#"{"contentBlockIndex":0,"delta":{"text":"héllo"}}{}"#, None),
        (r#"{"contentBlockIndex":00,"delta":{"text":"héllo"}}"#, None),
        (r#"{"contentBlockIndex":0,"delta":{"text":"héllo"}"#, None),
    ] {
        let frames = [event("contentBlockDelta", payload)];
        let seen = observe(StreamKind::Converse, &frames, Ending::Cut);
        let expected_reason = expected.is_none().then_some(UnreadableReason::Json);
        assert_eq!(seen.unreadable, expected_reason, "{payload}");
        assert_eq!(seen.characters, expected.unwrap_or(0), "{payload}");
    }
}
