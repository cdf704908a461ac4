//! Responses that are a single document.

use super::super::estimate::{ESTIMATED_INPUT_MAX_TOKENS, REQUEST_BYTES_PER_TOKEN};
use super::super::*;
use super::in_every_split;

fn observe(body: &str, ending: Ending, headers: &[(&str, &str)]) -> Observation {
    let mut header_usage = HeaderUsage::default();
    for (name, value) in headers {
        header_usage.header(name.as_bytes(), value.as_bytes());
    }
    in_every_split(body.as_bytes(), |chunks| {
        let mut observer = BodyObserver::default();
        chunks.iter().for_each(|chunk| observer.push(chunk));
        observer.finish(ending, &header_usage, 4000)
    })
}

const CONVERSE: &str = r#"{"metrics":{"latencyMs":811},"output":{"message":{"content":[{"text":"Grüße \"usage\":{\"inputTokens\":9}"}],"role":"assistant"}},
  "performanceConfig":{"latency":"optimized"},"serviceTier":{"type":"flex"},"stopReason":"end_turn",
  "usage":{"inputTokens":100,"outputTokens":50,"totalTokens":1350,"cacheReadInputTokens":1000,"cacheReadInputTokenCount":1000,
  "cacheWriteInputTokens":200,"cacheWriteInputTokenCount":200,"cacheDetails":[{"ttl":"1h","inputTokens":150},{"inputTokens":50,"ttl":"5m"}],
  "serverToolUsage":{}}}"#;

#[test]
fn converse_usage_is_reported_for_every_split() {
    let observation = observe(CONVERSE, Ending::Whole, &[]);
    assert_eq!(
        observation,
        Observation {
            usage: Some(Usage {
                input: 100,
                output: 50,
                cache_read: 1000,
                cache_write_5m: 50,
                cache_write_1h: 150
            }),
            source: UsageSource::Reported,
            unreadable: None,
            service_tier: Some(ServiceTier::Flex),
            latency: Some(LatencyTier::Optimized),
            stop_reason: Some(StopReason::EndTurn),
            exception: None,
            has_searched: false,
            characters: 31,
        }
    );
    let usage = observation.usage.unwrap();
    assert_eq!((usage.prompt(), usage.total()), (Some(1300), Some(1350)));
}

#[test]
fn a_web_search_is_detected_in_both_formats() {
    for (body, expected) in [
        (
            r#"{"usage":{"inputTokens":1,"outputTokens":1,"serverToolUsage":{}}}"#,
            false,
        ),
        (
            r#"{"usage":{"inputTokens":1,"outputTokens":1,"serverToolUsage":{"webSearchRequests":2}}}"#,
            true,
        ),
        (
            r#"{"usage":{"input_tokens":1,"output_tokens":1,"server_tool_use":{"web_search_requests":1}}}"#,
            true,
        ),
        (
            r#"{"usage":{"input_tokens":1,"output_tokens":1,"server_tool_use":{"web_search_requests":0}}}"#,
            false,
        ),
        (
            r#"{"usage":{"input_tokens":1,"output_tokens":1,"server_tool_use":null}}"#,
            false,
        ),
    ] {
        assert_eq!(observe(body, Ending::Whole, &[]).has_searched, expected, "{body}");
    }
}

#[test]
fn cache_details_that_do_not_add_up_are_ignored() {
    let body = CONVERSE.replace("\"inputTokens\":150", "\"inputTokens\":151");
    let usage = observe(&body, Ending::Whole, &[]).usage.unwrap();
    assert_eq!((usage.cache_write_5m, usage.cache_write_1h), (200, 0));
}

const ANTHROPIC: &str = r#"{"model":"claude","id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"hi"}],
  "stop_reason":"max_tokens","stop_sequence":null,"usage":{"input_tokens":10,"cache_creation_input_tokens":30,
  "cache_read_input_tokens":5,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":7}}"#;

#[test]
fn anthropic_usage_is_reported_for_every_split() {
    let observation = observe(
        ANTHROPIC,
        Ending::Whole,
        &[("x-amzn-bedrock-service-tier", "priority")],
    );
    assert_eq!(observation.source, UsageSource::Reported);
    assert_eq!(
        observation.usage,
        Some(Usage {
            input: 10,
            output: 7,
            cache_read: 5,
            cache_write_5m: 10,
            cache_write_1h: 20
        })
    );
    assert_eq!(observation.stop_reason, Some(StopReason::MaxTokens));
    assert_eq!(observation.service_tier, Some(ServiceTier::Priority));
}

#[test]
fn cache_writes_of_unknown_lifetime_count_as_five_minute_ones() {
    let body = ANTHROPIC.replace(
        "\"ephemeral_5m_input_tokens\":10",
        "\"ephemeral_5m_input_tokens\":4",
    );
    let usage = observe(&body, Ending::Whole, &[]).usage.unwrap();
    assert_eq!((usage.cache_write_5m, usage.cache_write_1h), (10, 20));
}

#[test]
fn nova_usage_is_reported() {
    let body = r#"{"output":{"message":{"content":[{"text":"a"}],"role":"assistant"}},"stopReason":"end_turn",
        "usage":{"inputTokens":4,"outputTokens":2,"totalTokens":6,"cacheReadInputTokenCount":3,"cacheWriteInputTokenCount":1}}"#;
    let usage = observe(body, Ending::Whole, &[]).usage.unwrap();
    assert_eq!(
        usage,
        Usage {
            input: 4,
            output: 2,
            cache_read: 3,
            cache_write_5m: 1,
            cache_write_1h: 0
        }
    );
}

const HEADERS: [(&str, &str); 5] = [
    ("content-type", "application/json"),
    ("x-amzn-bedrock-input-token-count", "12"),
    ("x-amzn-bedrock-output-token-count", "3"),
    ("x-amzn-bedrock-cache-read-input-token-count", "4"),
    ("x-amzn-bedrock-cache-write-input-token-count", "5"),
];
const FROM_HEADERS: Usage = Usage {
    input: 12,
    output: 3,
    cache_read: 4,
    cache_write_5m: 5,
    cache_write_1h: 0,
};

#[test]
fn headers_are_used_if_the_body_reports_no_usage() {
    for body in [
        r#"{"embedding":[0.1,-2e-3],"inputTextTokenCount":12}"#,
        r#"{"usage":{"prompt_tokens":12,"completion_tokens":3}}"#,
        "not JSON",
        "",
    ] {
        let observation = observe(body, Ending::Whole, &HEADERS);
        assert_eq!(
            (observation.source, observation.usage),
            (UsageSource::Headers, Some(FROM_HEADERS)),
            "{body}"
        );
        assert_eq!(observation.unreadable, None);
    }
    let embedding = observe("{}", Ending::Whole, &HEADERS[..2]);
    assert_eq!(
        embedding.usage,
        Some(Usage {
            input: 12,
            ..Usage::default()
        })
    );
}

#[test]
fn the_body_takes_precedence_over_headers() {
    let observation = observe(ANTHROPIC, Ending::Whole, &HEADERS);
    assert_eq!(observation.source, UsageSource::Reported);
    assert_eq!(observation.usage.unwrap().cache_write_1h, 20);
}

#[test]
fn invalid_counts_in_headers_are_ignored() {
    let wrong = [
        ("x-amzn-bedrock-input-token-count", "-1"),
        ("x-amzn-bedrock-output-token-count", "99999999999999999999"),
    ];
    assert_eq!(observe("{}", Ending::Whole, &wrong).source, UsageSource::Unknown);
}

#[test]
fn a_malformed_body_is_unparsed_and_has_no_counts() {
    for (body, unreadable) in [
        ("not JSON".to_owned(), UnreadableReason::Json),
        (format!("{CONVERSE}x"), UnreadableReason::Json),
        (
            CONVERSE[..CONVERSE.len() - 1].replace("\"inputTokens\":100,", ""),
            UnreadableReason::Json,
        ),
        (
            CONVERSE.replace("\"outputTokens\":50,", ""),
            UnreadableReason::Counts,
        ),
        (
            CONVERSE.replace("\"outputTokens\":50,", "\"outputTokens\":99999999999999999999,"),
            UnreadableReason::Counts,
        ),
        (
            CONVERSE.replace("\"outputTokens\":50,", "\"outputTokens\":-50,"),
            UnreadableReason::Counts,
        ),
        ("[".repeat(128), UnreadableReason::Json),
    ] {
        let observation = observe(&body, Ending::Whole, &[]);
        assert_eq!(
            (observation.source, observation.usage),
            (UsageSource::Unparsed, None),
            "{body}"
        );
        assert_eq!(observation.unreadable, Some(unreadable), "{body}");
    }
}

#[test]
fn a_body_without_usage_is_unknown() {
    for body in ["", "{}", r#"{"action":"NONE","outputs":[]}"#, "null", "7"] {
        let observation = observe(body, Ending::Whole, &[]);
        assert_eq!(
            (observation.source, observation.usage),
            (UsageSource::Unknown, None),
            "{body}"
        );
    }
}

#[test]
fn a_cut_response_is_estimated_from_what_was_received() {
    let cut = CONVERSE.find("\"metrics\"").unwrap() + CONVERSE.find("\"}],").unwrap();
    let observation = observe(&CONVERSE[..cut], Ending::Cut, &[]);
    assert_eq!(observation.source, UsageSource::Estimated);
    assert_eq!(
        observation.usage,
        Some(Usage {
            input: 1000,
            output: 8,
            ..Usage::default()
        })
    );
    assert_eq!(
        observe("", Ending::Cut, &[]).usage,
        Some(Usage {
            input: 1000,
            ..Usage::default()
        })
    );
    // Cut after the usage: nothing is left to estimate.
    let observation = observe(&CONVERSE[..CONVERSE.len() - 1], Ending::Cut, &[]);
    assert_eq!(observation.source, UsageSource::Reported);
}

#[test]
fn an_estimate_of_the_prompt_is_bounded() {
    let prompt = |bytes| {
        BodyObserver::default()
            .finish(Ending::Cut, &HeaderUsage::default(), bytes)
            .usage
            .unwrap()
    };
    let limit = ESTIMATED_INPUT_MAX_TOKENS * REQUEST_BYTES_PER_TOKEN;
    assert_eq!(prompt(0).input, 0);
    assert_eq!(prompt(1).input, 1);
    assert_eq!(
        prompt(limit - REQUEST_BYTES_PER_TOKEN).input,
        ESTIMATED_INPUT_MAX_TOKENS - 1
    );
    assert_eq!(prompt(limit).input, ESTIMATED_INPUT_MAX_TOKENS);
    assert_eq!(prompt(limit + 1).input, ESTIMATED_INPUT_MAX_TOKENS);
    assert_eq!(prompt(u64::MAX).input, ESTIMATED_INPUT_MAX_TOKENS);
}

#[test]
fn wire_values_round_trip() {
    for tier in ServiceTier::ALL {
        assert_eq!(ServiceTier::from_word(tier.as_str().as_bytes()), *tier);
    }
    assert_eq!(
        StreamException::from_word(b"throttlingException"),
        StreamException::Throttling
    );
    assert_eq!(LatencyTier::from_word(b"warp"), LatencyTier::Other);
}

#[test]
fn the_observers_stay_within_their_documented_size() {
    assert!(size_of::<BodyObserver>() < 1024, "{}", size_of::<BodyObserver>());
    assert!(
        size_of::<StreamObserver>() < 2048,
        "{}",
        size_of::<StreamObserver>()
    );
}

#[test]
fn unreadable_reasons_have_distinct_names() {
    let words: std::collections::BTreeSet<_> =
        UnreadableReason::all().map(UnreadableReason::as_str).collect();
    assert_eq!(words.len(), UnreadableReason::all().count());
}
