//! Answers to bodies, right and wrong, without a network.

use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::*;
use crate::control::pace::ResponsePace;
use crate::response::frame::EventFrame;
use crate::response::guardrail::{BLOCKED, found as guardrail_of};
use crate::response::model_response::ResponseContent;
use hyper::header::{HeaderMap, HeaderValue};

const ID: &str = "us.anthropic.claude-3-5-sonnet-20240620-v1:0";

fn ask_at_pace(
    operation: ApiOperation,
    model: ModelKind,
    body: &[u8],
    pace: ResponsePace,
) -> Result<ModelResponse, ApiError> {
    ask_for(ID, operation, model, body, pace)
}

fn ask_for(
    model_id: &str,
    operation: ApiOperation,
    model: ModelKind,
    body: &[u8],
    pace: ResponsePace,
) -> Result<ModelResponse, ApiError> {
    let digest: [u8; 32] = Sha256::digest(body).into();
    let headers = HeaderMap::new();
    answer(&ModelRequest {
        operation,
        model_id,
        model,
        region: "us-west-2",
        headers: &headers,
        body,
        digest: &digest,
        pace,
    })
}

fn ask(operation: ApiOperation, body: &[u8]) -> Result<ModelResponse, ApiError> {
    ask_at_pace(operation, ModelKind::Any, body, ResponsePace::default())
}

fn code(result: Result<ModelResponse, ApiError>) -> (u16, String) {
    let error = result.expect_err("an error");
    (error.status.as_u16(), error.code)
}

fn whole(answer: ModelResponse) -> Value {
    match answer.content {
        ResponseContent::Whole(bytes) => serde_json::from_slice(&bytes).unwrap(),
        ResponseContent::Frames(_) => panic!("expected one piece, but found frames"),
    }
}

/// Each event's type and payload, by AWS's own decoder.
fn events(answer: ModelResponse) -> Vec<(String, Value)> {
    let ResponseContent::Frames(frames) = answer.content else {
        panic!("expected frames, but found one piece")
    };
    let decode = |frame: EventFrame| {
        let decoded = MessageFrameDecoder::new()
            .decode_frame(&mut frame.bytes.clone())
            .unwrap();
        let DecodedFrame::Complete(message) = decoded else {
            panic!("expected a whole frame")
        };
        let header = |name: &str| {
            let found = message
                .headers()
                .iter()
                .find(|header| header.name().as_str() == name)
                .unwrap();
            found.value().as_string().unwrap().as_str().to_owned()
        };
        assert_eq!(
            (header(":message-type"), header(":content-type")),
            ("event".into(), "application/json".into())
        );
        (
            header(":event-type"),
            serde_json::from_slice(message.payload()).unwrap(),
        )
    };
    frames.into_iter().map(decode).collect()
}

fn user(text: &str) -> Vec<u8> {
    json!({ "messages": [{ "role": "user", "content": [{ "text": text }] }] })
        .to_string()
        .into()
}

#[test]
fn a_body_of_another_shape_is_a_serialization_error() {
    for body in [
        "",
        "not json",
        "[]",
        "7",
        r#"{"messages":"x"}"#,
        r#"{"messages":[{"role":"king","content":[]}]}"#,
    ] {
        assert_eq!(
            code(ask(ApiOperation::Converse, body.as_bytes())),
            (400, "SerializationException".to_owned()),
            "{body}"
        );
    }
}

#[test]
fn a_conversation_that_cannot_be_answered_is_a_validation_error() {
    for body in [
        "{}",
        r#"{"messages":[]}"#,
        r#"{"messages":[{"role":"user","content":[]}]}"#,
        r#"{"messages":[{"role":"assistant","content":[{"text":"x"}]}]}"#,
        r#"{"messages":[{"role":"user","content":[{"text":"x"}]}],"inferenceConfig":{"maxTokens":0}}"#,
    ] {
        assert_eq!(
            code(ask(ApiOperation::Converse, body.as_bytes())),
            (400, "ValidationException".to_owned()),
            "{body}"
        );
    }
}

#[test]
fn a_stored_prompt_needs_no_messages_and_an_imported_model_no_converse() {
    assert!(
        ask_at_pace(
            ApiOperation::Converse,
            ModelKind::Prompt,
            b"{}",
            ResponsePace::default()
        )
        .is_ok()
    );
    let imported = ask_at_pace(
        ApiOperation::Converse,
        ModelKind::InvokeOnly,
        &user("x"),
        ResponsePace::default(),
    );
    assert_eq!(code(imported).0, 400);
}

#[test]
fn the_last_user_text_is_repeated() {
    let body = json!({ "messages": [
        { "role": "user", "content": [{ "text": "first" }] },
        { "role": "assistant", "content": [{ "text": "reply" }] },
        { "role": "user", "content": [{ "text": "l\u{e4}st" }, { "image": {} }] },
    ] });
    let answered = whole(ask(ApiOperation::Converse, body.to_string().as_bytes()).unwrap());
    let text = answered["output"]["message"]["content"][0]["text"]
        .as_str()
        .unwrap();
    assert_eq!(text, format!("{ID} in us-west-2 heard: l\u{e4}st"));
}

#[test]
fn equal_requests_get_equal_bytes_and_others_do_not() {
    let bytes = |text: &str| match ask(ApiOperation::ConverseStream, &user(text)).unwrap().content {
        ResponseContent::Frames(frames) => frames
            .into_iter()
            .flat_map(|frame| frame.bytes)
            .collect::<Vec<u8>>(),
        ResponseContent::Whole(bytes) => bytes.into(),
    };
    assert_eq!(bytes("same"), bytes("same"));
    assert_ne!(bytes("same"), bytes("emas"));
}

#[test]
fn the_pieces_of_a_stream_make_up_its_text_whatever_their_number() {
    let unary = whole(ask(ApiOperation::Converse, &user("\u{1f600}\u{e4}bc")).unwrap());
    let expected = unary["output"]["message"]["content"][0]["text"]
        .as_str()
        .unwrap()
        .to_owned();
    for count in [1, 2, 3, 7, 50, 300] {
        let pace = ResponsePace {
            events: Some(count),
            ..ResponsePace::default()
        };
        let answered = ask_at_pace(
            ApiOperation::ConverseStream,
            ModelKind::Any,
            &user("\u{1f600}\u{e4}bc"),
            pace,
        );
        let all = events(answered.unwrap());
        let deltas: Vec<&str> = all
            .iter()
            .filter(|(name, _)| name == "contentBlockDelta")
            .map(|(_, payload)| payload["delta"]["text"].as_str().unwrap())
            .collect();
        assert_eq!(deltas.len(), count);
        assert!(deltas.iter().all(|piece| !piece.is_empty()));
        assert!(deltas.concat().starts_with(&expected));
        assert!(all.iter().all(|(_, payload)| payload["p"].is_string()));
    }
}

#[test]
fn only_the_last_frame_reports_the_usage() {
    for (operation, body) in [
        (ApiOperation::ConverseStream, user("x")),
        (
            ApiOperation::InvokeWithResponseStream,
            br#"{"messages":[{"role":"user","content":"x"}]}"#.to_vec(),
        ),
    ] {
        let ResponseContent::Frames(frames) = ask(operation, &body).unwrap().content else {
            panic!("expected frames")
        };
        let reporting: Vec<usize> = frames
            .iter()
            .enumerate()
            .filter(|(_, frame)| frame.reports_usage)
            .map(|(at, _)| at)
            .collect();
        assert_eq!(reporting, [frames.len() - 1]);
    }
}

#[test]
fn chunks_hold_the_models_own_events() {
    let body = br#"{"max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}"#;
    let answered = ask(ApiOperation::InvokeWithResponseStream, body).unwrap();
    let usage = answered.usage.unwrap();
    let inner: Vec<Value> = events(answered)
        .into_iter()
        .map(|(name, payload)| {
            assert_eq!(name, "chunk");
            let bytes = STANDARD.decode(payload["bytes"].as_str().unwrap()).unwrap();
            serde_json::from_slice(&bytes).unwrap()
        })
        .collect();
    let last = inner.last().unwrap();
    assert_eq!(
        last["amazon-bedrock-invocationMetrics"]["outputTokenCount"],
        usage.output
    );
    assert_eq!(inner[0]["message"]["usage"]["input_tokens"], usage.input);
    assert!(usage.output <= 9);
}

#[test]
fn invoke_takes_25_million_bytes_and_no_more() {
    let shell = r#"{"messages":[{"role":"user","content":""}]}"#;
    let body = |length: usize| {
        let text = "x".repeat(length - shell.len());
        format!(r#"{{"messages":[{{"role":"user","content":"{text}"}}]}}"#).into_bytes()
    };
    for length in [INVOKE_BODY_LIMIT_BYTES - 1, INVOKE_BODY_LIMIT_BYTES] {
        assert!(ask(ApiOperation::Invoke, &body(length)).is_ok(), "{length}");
    }
    assert_eq!(
        code(ask(ApiOperation::Invoke, &body(INVOKE_BODY_LIMIT_BYTES + 1))).0,
        413
    );
}

#[test]
fn tokens_are_counted_for_one_kind_of_input() {
    for body in [
        r#"{"input":{"converse":{"messages":[]}}}"#,
        r#"{"input":{"invokeModel":{"body":"e30="}}}"#,
    ] {
        assert!(whole(count(body).unwrap())["inputTokens"].is_u64());
    }
    assert_eq!(code(count(r#"{"input":{}}"#)).1, "ValidationException");
    assert_eq!(code(count("{}")).1, "SerializationException");
}

fn count(body: &str) -> Result<ModelResponse, ApiError> {
    let model = ID.strip_prefix("us.").unwrap();
    ask_for(
        model,
        ApiOperation::CountTokens,
        ModelKind::Any,
        body.as_bytes(),
        ResponsePace::default(),
    )
}

#[test]
fn tokens_are_counted_for_foundation_models_only() {
    let body = br#"{"input":{"converse":{"messages":[]}}}"#;
    let refused = |model_id, model| {
        let answered = ask_for(
            model_id,
            ApiOperation::CountTokens,
            model,
            body,
            ResponsePace::default(),
        );
        answered.expect_err("an error")
    };
    for (id, model) in [
        (ID, ModelKind::Any),
        (
            "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/a",
            ModelKind::Any,
        ),
        ("amazon.titan-embed-text-v2:0", ModelKind::Embedding),
    ] {
        let error = refused(id, model);
        assert_eq!(
            (error.status.as_u16(), error.code.as_str(), error.message.as_str()),
            (
                400,
                "ValidationException",
                "The provided model doesn't support counting tokens."
            ),
            "{id}"
        );
    }
}

#[test]
fn documents_are_sorted_by_invoke_only() {
    let body = br#"{"query":"which","documents":["one","two"],"top_n":1}"#;
    let answered = ask_at_pace(
        ApiOperation::Invoke,
        ModelKind::Rerank,
        body,
        ResponsePace::default(),
    )
    .unwrap();
    assert_eq!(answered.usage.unwrap().output, 0);
    assert_eq!(whole(answered)["results"].as_array().unwrap().len(), 2);
    for (operation, body) in [
        (ApiOperation::InvokeWithResponseStream, &body[..]),
        (ApiOperation::Converse, &body[..]),
        (ApiOperation::Invoke, br#"{"query":"which","documents":[]}"#),
    ] {
        let refused = ask_at_pace(operation, ModelKind::Rerank, body, ResponsePace::default());
        assert_eq!(code(refused).0, 400, "{operation:?}");
    }
}

#[test]
fn an_embedding_reports_its_tokens_in_headers() {
    let body = br#"{"inputText":"some words"}"#;
    let answered = ask_at_pace(
        ApiOperation::Invoke,
        ModelKind::Embedding,
        body,
        ResponsePace::default(),
    )
    .unwrap();
    let count = answered
        .headers
        .iter()
        .find(|(name, _)| name == "x-amzn-bedrock-input-token-count")
        .unwrap();
    assert_eq!(count.1, HeaderValue::from(answered.usage.unwrap().input));
}

const ASKED: &str = "call the tool get_weather";

fn weather_schema() -> Value {
    json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] })
}

#[test]
fn converse_calls_a_tool_whole_and_in_pieces() {
    let body = json!({
        "messages": [{ "role": "user", "content": [{ "text": ASKED }] }],
        "toolConfig": { "tools": [
            { "cachePoint": { "type": "default" } },
            { "toolSpec": { "name": "get_weather", "inputSchema": { "json": weather_schema() } } },
        ] },
    });
    let answered = whole(ask(ApiOperation::Converse, body.to_string().as_bytes()).unwrap());
    let called = &answered["output"]["message"]["content"][0]["toolUse"];
    assert_eq!(answered["stopReason"], "tool_use");
    assert_eq!(
        (&called["name"], &called["input"]),
        (&json!("get_weather"), &json!({ "city": "made up" }))
    );

    let all = events(ask(ApiOperation::ConverseStream, body.to_string().as_bytes()).unwrap());
    assert_eq!(all[1].0, "contentBlockStart");
    assert_eq!(all[1].1["start"]["toolUse"]["toolUseId"], called["toolUseId"]);
    let pieces = all
        .iter()
        .filter_map(|(_, payload)| payload["delta"]["toolUse"]["input"].as_str());
    assert_eq!(
        serde_json::from_str::<Value>(&pieces.collect::<String>()).unwrap(),
        called["input"]
    );
    let stop = all.iter().find(|(name, _)| name == "messageStop").unwrap();
    assert_eq!(stop.1["stopReason"], "tool_use");
}

#[test]
fn converse_answers_a_tools_result_in_words() {
    let body = json!({
        "messages": [
            { "role": "user", "content": [{ "text": ASKED }] },
            { "role": "assistant", "content": [{ "toolUse": { "toolUseId": "a", "name": "get_weather", "input": {} } }] },
            { "role": "user", "content": [{ "toolResult": { "toolUseId": "a", "content": [{ "text": "sunny" }] } }] },
        ],
        "toolConfig": { "tools": [
            { "toolSpec": { "name": "get_weather", "inputSchema": { "json": weather_schema() } } },
        ] },
    });
    let answered = whole(ask(ApiOperation::Converse, body.to_string().as_bytes()).unwrap());
    assert_eq!(answered["stopReason"], "end_turn");
    assert!(answered["output"]["message"]["content"][0]["text"].is_string());
}

#[test]
fn invoke_calls_a_tool_whole_and_in_pieces() {
    let body = |choice: Value, last: Value| {
        let tool = json!({ "name": "get_weather", "input_schema": weather_schema() });
        json!({ "messages": [{ "role": "user", "content": last }], "tools": [tool], "tool_choice": choice })
            .to_string()
    };
    let forced = body(json!({ "type": "tool", "name": "get_weather" }), json!("hello"));
    let answered = whole(ask(ApiOperation::Invoke, forced.as_bytes()).unwrap());
    let called = &answered["content"][0];
    assert_eq!(
        (&answered["stop_reason"], &called["type"]),
        (&json!("tool_use"), &json!("tool_use"))
    );
    assert_eq!(called["input"], json!({ "city": "made up" }));

    let pieces = events(ask(ApiOperation::InvokeWithResponseStream, forced.as_bytes()).unwrap());
    let pieces = pieces.iter().filter_map(|(_, payload)| {
        let event: Value = serde_json::from_slice(&STANDARD.decode(payload["bytes"].as_str()?).ok()?).ok()?;
        Some(event["delta"]["partial_json"].as_str()?.to_owned())
    });
    assert_eq!(
        serde_json::from_str::<Value>(&pieces.collect::<String>()).unwrap(),
        called["input"]
    );

    let result = json!([{ "type": "tool_result", "tool_use_id": "a", "content": "sunny" }]);
    for quiet in [
        body(json!({ "type": "none" }), json!(ASKED)),
        body(json!({ "type": "auto" }), result),
    ] {
        assert_eq!(
            whole(ask(ApiOperation::Invoke, quiet.as_bytes()).unwrap())["stop_reason"],
            "end_turn"
        );
    }
}

fn ask_with(
    operation: ApiOperation,
    headers: &[(&'static str, &str)],
    body: &Value,
) -> Result<ModelResponse, ApiError> {
    let body = body.to_string();
    let digest: [u8; 32] = Sha256::digest(&body).into();
    let headers = headers_of(headers);
    answer(&ModelRequest {
        operation,
        model_id: ID,
        model: ModelKind::Any,
        region: "us-west-2",
        headers: &headers,
        body: body.as_bytes(),
        digest: &digest,
        pace: ResponsePace::default(),
    })
}

fn guarded(text: &str, config: Value) -> Value {
    json!({ "messages": [{ "role": "user", "content": [{ "text": text }] }], "guardrailConfig": config })
}

#[test]
fn a_guardrail_of_converse_has_the_members_of_its_shape() {
    let good = json!({ "guardrailIdentifier": "gr1", "guardrailVersion": "1", "trace": "enabled" });
    let with = |name: &str, value: Value| {
        let mut config = good.clone();
        config[name] = value;
        config
    };
    let is_taken = |operation, config: &Value| match ask_with(operation, &[], &guarded("x", config.clone())) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(
                (error.status.as_u16(), error.code.as_str()),
                (400, "ValidationException")
            );
            false
        }
    };
    for (config, in_stream) in [
        (good.clone(), true),
        (with("guardrailVersion", json!("DRAFT")), true),
        (with("guardrailVersion", json!("0")), false),
        (with("guardrailVersion", json!(1)), false),
        (with("guardrailIdentifier", json!("")), false),
        (with("guardrailIdentifier", Value::Null), false),
        (with("guardrailVersion", Value::Null), false),
        (with("trace", json!("ENABLED")), false),
        (with("mode", json!("x")), false),
        (json!([]), false),
    ] {
        assert_eq!(is_taken(ApiOperation::Converse, &config), in_stream, "{config}");
        assert_eq!(
            is_taken(ApiOperation::ConverseStream, &config),
            in_stream,
            "{config}"
        );
    }
    let with_mode = with("streamProcessingMode", json!("async"));
    assert!(is_taken(ApiOperation::ConverseStream, &with_mode));
    assert!(!is_taken(ApiOperation::Converse, &with_mode));
    assert!(!is_taken(
        ApiOperation::ConverseStream,
        &with("streamProcessingMode", json!("x"))
    ));
    let twice = r#"{"messages":[{"role":"user","content":[{"text":"x"}]}],"guardrailConfig":{},"guardrailConfig":{}}"#;
    assert_eq!(code(ask(ApiOperation::Converse, twice.as_bytes())).0, 400);
}

#[test]
fn a_guardrail_of_invoke_is_in_three_headers() {
    let identifier = ("x-amzn-bedrock-guardrailidentifier", "gr1");
    let version = ("x-amzn-bedrock-guardrailversion", "1");
    let trace = ("x-amzn-bedrock-trace", "ENABLED_FULL");
    let json = ("content-type", "application/json");
    let body = json!({ "messages": [{ "role": "user", "content": "x" }], "max_tokens": 9 });
    for (headers, is_taken) in [
        (&[identifier, version, trace, json][..], true),
        (&[identifier, version, json], true),
        (&[trace], true),
        (&[identifier, version], true),
        (&[identifier, version, ("content-type", "text/plain")], false),
        (&[identifier, json], false),
        (&[version, json], false),
        (&[identifier, identifier, version, json], false),
        (
            &[identifier, version, json, ("x-amzn-bedrock-trace", "enabled")],
            false,
        ),
    ] {
        let answer = ask_with(ApiOperation::Invoke, headers, &body);
        assert_eq!(answer.is_ok(), is_taken, "{headers:?}");
        let found = guardrail_of(
            ApiOperation::Invoke,
            &headers_of(headers),
            body.to_string().as_bytes(),
        );
        assert_eq!(found.is_some(), is_taken && headers.len() > 1, "{headers:?}");
    }
}

fn headers_of(headers: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_str(value).unwrap());
    }
    map
}

#[test]
fn a_guardrail_stops_the_text_of_the_tests_and_nothing_stops_it_without_one() {
    let config = json!({ "guardrailIdentifier": "gr1", "guardrailVersion": "1" });
    for (config, reason) in [(config, "guardrail_intervened"), (Value::Null, "end_turn")] {
        let body = guarded(BLOCKED, config);
        let answered = whole(ask_with(ApiOperation::Converse, &[], &body).unwrap());
        assert_eq!(answered["stopReason"], reason);
        let streamed = events(ask_with(ApiOperation::ConverseStream, &[], &body).unwrap());
        let stop = streamed.iter().find(|(name, _)| name == "messageStop").unwrap();
        assert_eq!(stop.1["stopReason"], reason);
    }
}
